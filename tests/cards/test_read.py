"""Cards: what programs and people write is read, and what is odd is named by its field."""

import json
from pathlib import Path

import msgspec
import pytest

from advrepl import AdvreplError
from advrepl.cards.character import Character
from advrepl.cards.read import find_picture, load_card, parse_card
from advrepl.cards.write import to_object
from tests.card_files import END, HEAD, PIXELS, WHOLE_V1, WHOLE_V2, charx, chunk, text, v2, ztxt


def of(card: object, source: str = "cards/Lady A.json") -> tuple[Character, list[str]]:
    return parse_card(json.dumps(card).encode(), source)


def test_v1_is_read() -> None:
    assert of(WHOLE_V1) == (Character(**WHOLE_V1, raw=WHOLE_V1), [])


def test_v2_is_read() -> None:
    character, notes = of(WHOLE_V2)
    assert notes == []
    assert character == Character(
        **WHOLE_V1,
        creator_notes="n",
        system_prompt="{{original}} Be brief.",
        post_history_instructions="Stay calm.",
        alternate_greetings=("Good evening.", "You again?"),
        tags=("science",),
        creator="me",
        character_version="1.1",
        book={"entries": [{"keys": ["tea"], "content": "Hot.", "x": 1}], "extensions": {"a": 1}},
        raw=WHOLE_V2,
    )


def test_v3_is_read() -> None:
    data = {"name": "Ada", "nickname": "Addie", "group_only_greetings": ["All: hi"], "assets": [{"type": "icon"}]}
    character, notes = of({"spec": "chara_card_v3", "spec_version": "3.0", "data": data})
    assert notes == []
    assert (character.char, character.group_only_greetings) == ("Addie", ("All: hi",))


@pytest.mark.parametrize(
    "data",
    [
        b'{"char_name": "Ada", "char_persona": "An engineer", "char_greeting": "Hello.",'
        b' "example_dialogue": "You: Hi", "world_scenario": "A tea room"}',
        b'{"name": "Ada", "context": "An engineer", "greeting": "Hello.", "example_dialogue": "You: Hi",'
        b' "scenario": "A tea room"}',
        b"name: Ada\ncontext: An engineer\ngreeting: Hello.\nexample_dialogue: 'You: Hi'\nscenario: A tea room\n",
    ],
    ids=["pygmalion", "ooba-json", "ooba-yaml"],
)
def test_characters_of_older_tools_are_read(data: bytes) -> None:
    character, notes = parse_card(data, "a.json")
    plain = msgspec.structs.replace(character, raw={})
    assert (plain, notes) == (
        Character("Ada", "An engineer", scenario="A tea room", first_mes="Hello.", mes_example="You: Hi"),
        [],
    )


@pytest.mark.parametrize(
    ("card", "expected", "note"),
    [
        (v2(character_book=None), {"book": None}, "character_book: null, read as empty"),
        (v2(creator=None, tags=None), {"creator": "", "tags": ()}, "creator, tags: null, read as empty"),
        (v2(character_book=[{"keys": ["a"]}]), {"book": {"entries": [{"keys": ["a"]}]}}, "character_book: a bare list"),
        (
            v2(character_book={"entries": {"0": {}}}),
            {"book": {"entries": {"0": {}}}},
            "character_book.entries: an object instead of a list",
        ),
        (v2(character_book="x"), {"book": None}, "character_book: no object, left out"),
        (v2(alternate_greetings="Hi"), {"alternate_greetings": ("Hi",)}, "alternate_greetings: a text instead of"),
        (v2(tags="dry, 猫,"), {"tags": ("dry", "猫")}, "tags: a text instead of a list"),
        (v2(alternate_greetings=7), {"alternate_greetings": ()}, "alternate_greetings: no list, left out"),
        (
            v2(alternate_greetings=["a", "", 3]),
            {"alternate_greetings": ("a", "", "")},
            "alternate_greetings: 2 of 3 are empty or no text, left out",
        ),
        (v2(name=""), {"name": "Lady A"}, "name: empty, 'Lady A' was taken from the file"),
        (v2(name=None), {"name": "Lady A"}, None),
        (v2(character_version=1.5), {"character_version": "1.5"}, "character_version: a number, read as text"),
        (v2(description=["a", "b"]), {"description": "a\nb"}, "description: a list, read as lines"),
        (v2(description={"x": 1}), {"description": ""}, "description: neither text nor number, left out"),
        (v2() | {"first_mes": "Hi"}, {"first_mes": "Hi"}, "first_mes: stands beside data, not in it"),
        (v2() | {"character_book": {"x": 1}}, {"book": {"x": 1}}, "character_book: stands beside data, not in it"),
        (v2() | {"description": "other"}, {"description": "d"}, "description: differs beside data and in it"),
        ({"spec": "chara_card_v2", **WHOLE_V1}, WHOLE_V1, "data: missing, read as a V1 card"),
        ({"data": {"name": "Ada"}}, {"name": "Ada"}, "spec: missing, read as a V2 card"),
        (v2() | {"spec": "chara_card_v9"}, {"name": "Ada"}, "spec: 'chara_card_v9' is unknown"),
        (v2() | {"spec_version": "3.1"}, {"name": "Ada"}, "spec_version: 3.1 is newer than the 3.0"),
        (v2() | {"spec_version": "two"}, {"name": "Ada"}, "spec_version: no number"),
    ],
)
def test_oddities_are_read_and_named(card: object, expected: dict[str, object], note: str | None) -> None:
    character, notes = of(card)
    assert {key: getattr(character, key) for key in expected} == expected
    if note:
        assert len(notes) == 1 and notes[0].startswith(note)


def test_names_are_one_line_and_keep_their_escape_codes_as_text() -> None:
    assert of(v2(name="  A\x1b[31mda\r\nB "))[0].name == "A\x1b[31mda B"


def test_line_endings_are_made_alike() -> None:
    assert of(v2(first_mes="a\r\nb\rc\nd"))[0].first_mes == "a\nb\nc\nd"


@pytest.mark.parametrize(
    ("card", "message"),
    [
        ({"entries": {"0": {"key": ["a"]}}}, "a.json is a lorebook, not a character"),
        ({"name": "World", "description": "", "entries": []}, "a.json is a lorebook, not a character"),
        ({"spec": "lorebook_v3", "data": {"entries": []}}, "a.json is a lorebook, not a character"),
        ({"spec": "chara_card_v2", "data": {}}, "no description or greeting"),
        ({"turns": [], "schema": 1}, "no description or greeting"),
        ({"turns": [], "schema": 2, "scenario": {}}, "a.json is a story of this program, not a character: put it into"),
        ({"kind": "memory", "name": "b", "entries": []}, "a.json is a lorebook, .*play --lore a.json`.* /lore in one"),
        ({"lorebookVersion": 5, "entries": []}, "a.json is a lorebook"),
        ({"type": "risu", "ver": 1, "data": []}, "a.json is a lorebook"),
        ({"user_name": "A", "character_name": "B"}, "a.json is a chat, not a character: `.*saves import a.json` takes"),
        ({"gamestarted": True, "actions": [], "memory": ""}, "a.json is a chat"),
        (
            {"temp": 0.7, "top_p": 0.9, "name": "x"},
            "a.json is a preset of sampling parameters, .*copy it into .*--preset",
        ),
        ({"name": "ChatML", "input_sequence": "", "output_sequence": ""}, "a.json is a template of prompts.*--format"),
        ({"name": "Actor", "content": "You are"}, "a.json is a system prompt, not a character: /memory TEXT"),
        ({"name": "Think", "prefix": "", "suffix": "", "separator": ""}, "a.json is a template of prompts"),
        ({"name": "x", "power_user": {}, "tags": []}, "a.json is no character card: it has no description"),
        ({"findRegex": "a", "replaceString": "b", "scriptName": "c"}, "a.json is a script of regular expressions"),
        ({"personas": {}, "persona_descriptions": {}}, "a.json is a list of personas, .*--you NAME"),
        (v2(alternate_greetings=["x"] * 1001), "1,001 alternate greetings; 1,000 is the most"),
    ],
)
def test_what_is_no_character_is_refused(card: object, message: str) -> None:
    with pytest.raises(AdvreplError, match=message):
        of(card, "a.json")


def test_a_thousand_greetings_are_read() -> None:
    assert len(of(v2(alternate_greetings=["x"] * 1000))[0].alternate_greetings) == 1000


def test_files_are_opened_with_care(tmp_path: Path) -> None:
    (tmp_path / "Ada.json").write_text('{"name": "", "description": "d"}')
    assert load_card(tmp_path / "Ada.json")[0].name == "Ada"
    with pytest.raises(AdvreplError, match="there is no file"):
        load_card(tmp_path / "none.png")
    with pytest.raises(AdvreplError, match="is no file"):
        load_card(tmp_path)
    with pytest.raises(AdvreplError, match="is no file"):  # endless
        load_card(Path("/dev/zero"))
    with (tmp_path / "big.png").open("wb") as file:
        file.truncate(65 << 20)
    with pytest.raises(AdvreplError, match="more than 64 MB"):
        load_card(tmp_path / "big.png")


def test_the_icon_of_a_card_is_found() -> None:
    assets = [
        {"type": "icon", "uri": "embeded://other.png", "name": "small", "ext": "png"},
        {"type": "icon", "uri": "embeded://main.png", "name": "main", "ext": "png"},
        {"type": "background", "uri": "ccdefault:", "name": "main", "ext": "png"},
        "odd",
    ]
    card = json.dumps(v2(assets=assets)).encode()
    assert find_picture(charx({"card.json": card, "main.png": b"M", "other.png": b"O"})) == b"M"
    assert find_picture(charx({"card.json": card, "other.png": b"O"})) == b"O"
    assert find_picture(card) is None
    assert find_picture(json.dumps(v2(assets=[{"type": "icon", "uri": "data:image/png;base64,TQ=="}])).encode()) == b"M"


def test_a_picture_is_given_without_its_card() -> None:
    data = HEAD + text(v2()) + chunk(b"tEXt", b"Title\0x") + PIXELS + ztxt(v2(), b"ccv3") + END
    assert find_picture(data) == HEAD + chunk(b"tEXt", b"Title\0x") + PIXELS + END


def test_a_chat_of_one_object_a_line_is_named() -> None:
    lines = b'{"user_name":"A","character_name":"B","chat_metadata":{}}\n{"name":"B","mes":"Hi"}\n'
    with pytest.raises(AdvreplError, match=r"x.jsonl is a chat, not a character: `.*saves import x.jsonl` takes it"):
        parse_card(lines, "x.jsonl")


def test_a_v1_card_that_says_so_is_one() -> None:
    character, notes = of({"spec": "chara_card_v1", "name": "Ada", "description": "d"})
    assert (character.name, character.description, notes) == ("Ada", "d", [])


def test_macros_that_nobody_knows_are_named() -> None:
    _, notes = of(v2(description="{{char}} {{strange}}", first_mes="{{strange::a}} {{getvar::x}}"))
    assert notes == ["macros that nobody knows stay as they are: {{strange::a}}"]


def test_scripts_that_a_card_brings_along_are_named() -> None:
    script = {"scriptName": "panel", "findRegex": "/x/g", "replaceString": "<b>y</b>"}
    extensions = {
        "regex_scripts": [script, {**script, "disabled": True}, {}, 7],
        "tavern_helper": {"scripts": [{"name": "ui"}]},
        "risuai": {"customScripts": [script, script], "triggerscript": []},
        "world": "Far lands",
    }
    character, notes = of(v2(extensions=extensions))
    assert notes == [
        "not run here, though the card counts on them: regular expressions of SillyTavern (1), "
        "scripts of Tavern Helper (1), regular expressions of RisuAI (2)",
        "the lorebook 'Far lands' that it names is not in it: /lore FILE adds one",
    ]
    assert to_object(character, 2)["data"]["extensions"] == extensions
    assert of(v2(extensions={"world": "w", "regex_scripts": {}, "risuai": 7}, character_book={"entries": [1]}))[1] == []
    assert of(v2(extensions=[1]))[1] == of(v2())[1]


def test_a_module_of_risuai_is_named() -> None:
    with pytest.raises(
        AdvreplError, match="it is a module of RisuAI: in RisuAI, export its lorebook, which /lore takes"
    ):
        parse_card(b"o\0\x07\0\0\0abcdefg", "m.risum")
    with pytest.raises(AdvreplError, match=r"m\.json is a lorebook, not a character"):
        of({"type": "risuModule", "module": {"name": "m", "lorebook": []}}, "m.json")
