"""Cards: what programs and people write is read, oddities are named by field, and nothing is lost on the way out."""

import base64
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from advrepl import AdvreplError
from advrepl.cards import character as cards
from advrepl.cards.character import Character, read
from tests.card_files import END, HEAD, PIXELS, charx, chunk, survives, text

V1 = {
    "name": "Ada",
    "description": "An engineer",
    "personality": "curious",
    "scenario": "A tea room",
    "first_mes": "Hello.",
    "mes_example": "<START>\n{{user}}: Hi",
}
V2 = {
    "spec": "chara_card_v2",
    "spec_version": "2.0",
    "fav": True,
    "data": {
        **V1,
        "creator_notes": "n",
        "system_prompt": "{{original}} Be brief.",
        "post_history_instructions": "Stay calm.",
        "alternate_greetings": ["Good evening.", "You again?"],
        "tags": ["science"],
        "creator": "me",
        "character_version": "1.1",
        "character_book": {"entries": [{"keys": ["tea"], "content": "Hot.", "x": 1}], "extensions": {"a": 1}},
        "extensions": {"someone/else": {"deep": [1, 2.5, None]}},
        "unheard_of": "kept",
    },
}


def of(card: object, source: str = "cards/Lady A.json") -> tuple[Character, list[str]]:
    return read(json.dumps(card).encode(), source)


def v2(**data: object) -> dict[str, Any]:
    return {"spec": "chara_card_v2", "spec_version": "2.0", "data": {"name": "Ada", "description": "d", **data}}


def test_v1_is_read() -> None:
    assert of(V1) == (Character(**V1, raw=V1), [])


def test_v2_is_read() -> None:
    character, notes = of(V2)
    assert notes == []
    assert character == Character(
        **V1,
        creator_notes="n",
        system_prompt="{{original}} Be brief.",
        post_history_instructions="Stay calm.",
        alternate_greetings=("Good evening.", "You again?"),
        tags=("science",),
        creator="me",
        character_version="1.1",
        book={"entries": [{"keys": ["tea"], "content": "Hot.", "x": 1}], "extensions": {"a": 1}},
        raw=V2,
    )


def test_v3_is_read() -> None:
    data = {"name": "Ada", "nickname": "Addie", "group_only_greetings": ["All: hi"], "assets": [{"type": "icon"}]}
    character, notes = of({"spec": "chara_card_v3", "spec_version": "3.0", "data": data})
    assert notes == []
    assert (character.char, character.group_only_greetings) == ("Addie", ("All: hi",))
    assert Character("Ada").char == "Ada"


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
    character, notes = read(data, "a.json")
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
        (v2(alternate_greetings=7), {"alternate_greetings": ()}, "alternate_greetings: no list, left out"),
        (
            v2(alternate_greetings=["a", "", 3]),
            {"alternate_greetings": ("a",)},
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
        ({"spec": "chara_card_v2", **V1}, V1, "data: missing, read as a V1 card"),
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
        ({"spec": "chara_card_v2", "data": {}}, "no name, description or greeting"),
        ({"turns": [], "schema": 1}, "no name, description or greeting"),
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
    assert cards.load(tmp_path / "Ada.json")[0].name == "Ada"
    with pytest.raises(AdvreplError, match="there is no file"):
        cards.load(tmp_path / "none.png")
    with pytest.raises(AdvreplError, match="is no file"):
        cards.load(tmp_path)
    with pytest.raises(AdvreplError, match="is no file"):  # endless
        cards.load(Path("/dev/zero"))
    with (tmp_path / "big.png").open("wb") as file:
        file.truncate(65 << 20)
    with pytest.raises(AdvreplError, match="more than 64 MB"):
        cards.load(tmp_path / "big.png")


def test_the_card_as_it_is_written() -> None:
    character = Character("Ada", first_mes="Hi", nickname="Addie", book={"entries": [{"keys": ["a"]}, 7]})
    empty = dict.fromkeys(
        ("description", "personality", "scenario", "mes_example", "creator_notes", "system_prompt"), ""
    ) | dict.fromkeys(("post_history_instructions", "creator", "character_version"), "")
    data = {"name": "Ada", "first_mes": "Hi", "nickname": "Addie", "alternate_greetings": [], "tags": []}
    book = {"entries": [{"keys": ["a"]}, 7]}
    assert json.loads(cards.write_json(character)) == {
        "spec": "chara_card_v2",
        "spec_version": "2.0",
        "data": data | empty | {"extensions": {}, "character_book": book},
    }
    book3 = {"entries": [{"keys": ["a"], "use_regex": False}, 7]}
    assert json.loads(cards.write_json(character, 3)) == {
        "spec": "chara_card_v3",
        "spec_version": "3.0",
        "data": data | empty | {"extensions": {}, "character_book": book3, "group_only_greetings": []},
    }


def test_changes_win_over_what_was_read() -> None:
    stale = V2 | {"name": "Ada", "first_mes": "Hello."}
    changed = msgspec.structs.replace(of(stale)[0], first_mes="Goodbye.", creator_notes="", book=None)
    card = json.loads(cards.write_json(changed))
    assert (card["first_mes"], card["data"]["first_mes"]) == ("Goodbye.", "Goodbye.")
    assert card["data"]["creator_notes"] == "" and "character_book" not in card["data"]
    assert card["data"]["unheard_of"] == "kept" and card["fav"] is True


def test_what_could_not_be_read_is_written_back() -> None:
    character, _ = of(v2(scenario={"odd": 1}, character_book="x", extensions=None))
    data = json.loads(cards.write_json(character))["data"]
    assert (data["scenario"], data["character_book"], data["extensions"]) == ({"odd": 1}, "x", {})


def test_a_png_carries_v2_and_v3() -> None:
    picture = HEAD + PIXELS + text(V1) + END
    character, _ = of(V2)
    data = cards.write_png(character, picture)
    assert cards.picture(data) == HEAD + PIXELS + END
    copies = [
        chunk(b"tEXt", keyword + b"\0" + base64.b64encode(msgspec.json.encode(cards.card(character, spec))))
        for keyword, spec in ((b"chara", 2), (b"ccv3", 3))
    ]
    assert data == HEAD + PIXELS + b"".join(copies) + END
    again, notes = read(data, "a.png")
    assert notes == [] and again.raw["spec"] == "chara_card_v3" and again.raw["fav"] is True


def test_the_icon_of_a_card_is_found() -> None:
    assets = [
        {"type": "icon", "uri": "embeded://other.png", "name": "small", "ext": "png"},
        {"type": "icon", "uri": "embeded://main.png", "name": "main", "ext": "png"},
        {"type": "background", "uri": "ccdefault:", "name": "main", "ext": "png"},
        "odd",
    ]
    card = json.dumps(v2(assets=assets)).encode()
    assert cards.picture(charx({"card.json": card, "main.png": b"M", "other.png": b"O"})) == b"M"
    assert cards.picture(charx({"card.json": card, "other.png": b"O"})) == b"O"
    assert cards.picture(card) is None
    assert (
        cards.picture(json.dumps(v2(assets=[{"type": "icon", "uri": "data:image/png;base64,TQ=="}])).encode()) == b"M"
    )


def test_the_shipped_characters_are_whole() -> None:
    found = cards.shipped()
    assert sorted(found) == ["brindle", "captain-okoro", "halcyon"]
    for path in found.values():
        character, notes = cards.load(path)
        assert notes == []
        assert character.raw["data"]["extensions"]["advrepl"]["license"] == "CC0-1.0"
        for field in (*cards.V1, "creator_notes"):
            assert len(getattr(character, field)) > 5
        assert character.alternate_greetings and character.mes_example.count("<START>") == 2
        assert len(character.description + character.mes_example) < 2400  # a third of a context of 2,048 tokens
    book = cards.load(found["brindle"])[0].book
    assert book and len(book["entries"]) == 6 and all(entry["keys"] for entry in book["entries"])


# Properties

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)
KEYS = st.sampled_from([*cards.KNOWN, *cards.FOREIGN, "spec", "assets", "creation_date", "x"])
FIELDS = st.dictionaries(KEYS, VALUES, max_size=8)
WELL_FORMED = st.fixed_dictionaries(
    {"name": TEXT.filter(str.strip)},
    optional={key: TEXT for key in cards.TEXTS if key != "name"}
    | {key: st.lists(TEXT.filter(str.strip), max_size=3) for key in cards.LISTS}
    | {"character_book": st.just({"entries": [{"keys": ["a"], "use_regex": True}], "x": 1}), "assets": VALUES}
    | {"extensions": st.dictionaries(TEXT, VALUES, max_size=3)},
)
ROOTS = st.dictionaries(st.sampled_from(["fav", "create_date", "chat"]), VALUES)


def contains(whole: object, part: object) -> bool:
    """Everything in `part` is in `whole`, which may have more keys."""
    if isinstance(whole, dict) and isinstance(part, dict):
        return all(key in whole and contains(whole[key], value) for key, value in part.items())
    if isinstance(whole, list) and isinstance(part, list):
        return len(whole) == len(part) and all(map(contains, whole, part))
    return whole == part


def as_read(data: dict[str, Any]) -> dict[str, Any]:
    """What trimming names and making line endings alike does to a card."""
    lines = {
        key: "\n".join(value.replace("\r\n", "\n").split("\r")) for key, value in data.items() if key in cards.TEXTS
    }
    lists = {
        key: [item.replace("\r\n", "\n").replace("\r", "\n") for item in data[key]]
        for key in cards.LISTS
        if key in data
    }
    names = {key: " ".join(data[key].split()) for key in ("name", "nickname") if key in data}
    return data | lines | lists | names


@given(WELL_FORMED, ROOTS, st.sampled_from(["chara_card_v2", "chara_card_v3"]))
@settings(max_examples=200, deadline=None)
def test_nothing_is_lost_on_the_way_out(data: dict[str, Any], root: dict[str, Any], spec: str) -> None:
    raw = {"spec": spec, "data": data, **root}
    character, _ = of(raw)
    whole = root | {"data": as_read(data)}
    for written in (
        cards.write_json(character),
        cards.write_json(character, 3),
        cards.write_png(character, HEAD + PIXELS + END),
    ):
        again, notes = read(written, "other.png")
        assert contains(again.raw, whole) and notes == []
        assert msgspec.structs.replace(again, raw={}, book=None) == msgspec.structs.replace(
            character, raw={}, book=None
        )


@given(FIELDS, FIELDS)
@settings(max_examples=400, deadline=None)
def test_odd_cards_never_crash(data: dict[str, Any], root: dict[str, Any]) -> None:
    def there_and_back(raw: dict[str, Any]) -> None:
        character, _ = of(raw)
        for written in (cards.write_json(character), cards.write_json(character, 3)):
            again, _ = read(written, "Lady A.json")
            assert msgspec.structs.replace(again, raw={}, book=None) == msgspec.structs.replace(
                character, raw={}, book=None
            )
            assert cards.picture(written) is None

    survives(lambda: there_and_back(data))
    survives(lambda: there_and_back({**root, "data": data}))


SHIPPED = [cards.load(path)[0] for path in cards.shipped().values()]
REAL = [cards.write_json(character, 3) for character in SHIPPED]
REAL += [cards.write_png(character, HEAD + PIXELS + END) for character in SHIPPED]


@given(
    st.sampled_from(REAL), st.lists(st.tuples(st.integers(0, 20_000), st.binary(max_size=4)), min_size=1, max_size=4)
)
@settings(max_examples=200, deadline=None)
def test_damaged_cards_never_crash(seed: bytes, edits: list[tuple[int, bytes]]) -> None:
    data = bytearray(seed)
    for at, new in edits:
        at %= len(data)
        data[at : at + 2] = new
    survives(lambda: cards.write_png(read(bytes(data), "a")[0], seed if seed.startswith(HEAD) else HEAD + END))
