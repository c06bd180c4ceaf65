"""Cards on the way out: in the places of the specifications, and nothing of what was read is lost."""

import base64
import json
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from advrepl.cards.character import Character, shipped
from advrepl.cards.read import find_picture, load_card, parse_card
from advrepl.cards.spec import KNOWN, LISTS, OTHER_NAMES, TEXTS
from advrepl.cards.write import to_json, to_object, to_png
from tests.card_files import END, HEAD, PIXELS, WHOLE_V1, WHOLE_V2, chunk, survives, text, v2


def of(card: object, source: str = "cards/Lady A.json") -> tuple[Character, list[str]]:
    return parse_card(json.dumps(card).encode(), source)


def test_the_card_as_it_is_written() -> None:
    character = Character("Ada", first_mes="Hi", nickname="Addie", book={"entries": [{"keys": ["a"]}, 7]})
    empty = dict.fromkeys(
        ("description", "personality", "scenario", "mes_example", "creator_notes", "system_prompt"), ""
    ) | dict.fromkeys(("post_history_instructions", "creator", "character_version"), "")
    v1 = {"name": "Ada", "description": "", "personality": "", "scenario": "", "first_mes": "Hi", "mes_example": ""}
    data = v1 | {"nickname": "Addie", "alternate_greetings": [], "tags": []} | empty
    entry = {"keys": ["a"], "content": "", "extensions": {}, "enabled": True, "insertion_order": 0}
    assert json.loads(to_json(character)) == v1 | {
        "spec": "chara_card_v2",
        "spec_version": "2.0",
        "data": data | {"extensions": {}, "character_book": {"extensions": {}, "entries": [entry, 7]}},
    }
    book3 = {"extensions": {}, "entries": [entry | {"use_regex": False}, 7]}
    assert json.loads(to_json(character, 3)) == v1 | {
        "spec": "chara_card_v3",
        "spec_version": "3.0",
        "data": data | {"extensions": {}, "character_book": book3, "group_only_greetings": []},
    }


def test_line_ends_and_empty_greetings_survive() -> None:
    given = v2(first_mes="a\r\nb\rc", alternate_greetings=["", "x\r\ny", " "], tags=["t"], name=" Ada  B ")
    character, _ = of(given)
    assert (character.first_mes, character.alternate_greetings, character.name) == (
        "a\nb\nc",
        ("", "x\ny", ""),
        "Ada B",
    )
    for written in (to_json(character), to_json(character, 3)):
        data = json.loads(written)["data"]
        for key in ("first_mes", "alternate_greetings", "tags", "name"):
            assert data[key] == given["data"][key]
    changed = msgspec.structs.replace(character, alternate_greetings=("z",))
    assert json.loads(to_json(changed))["data"]["alternate_greetings"] == ["z"]


def test_changes_win_over_what_was_read() -> None:
    stale = WHOLE_V2 | {"name": "Ada", "first_mes": "Hello."}
    changed = msgspec.structs.replace(of(stale)[0], first_mes="Goodbye.", creator_notes="", book=None)
    card = json.loads(to_json(changed))
    assert (card["first_mes"], card["data"]["first_mes"]) == ("Goodbye.", "Goodbye.")
    assert card["data"]["creator_notes"] == "" and "character_book" not in card["data"]
    assert card["data"]["unheard_of"] == "kept" and card["fav"] is True


def test_what_could_not_be_read_is_written_back() -> None:
    character, _ = of(v2(scenario={"odd": 1}, character_book="x", extensions=None))
    data = json.loads(to_json(character))["data"]
    assert (data["scenario"], data["character_book"], data["extensions"]) == ({"odd": 1}, "x", {})


def test_a_png_carries_v2_and_v3() -> None:
    picture = HEAD + PIXELS + text(WHOLE_V1) + END
    character, _ = of(WHOLE_V2)
    data = to_png(character, picture)
    assert find_picture(data) == HEAD + PIXELS + END
    copies = [
        chunk(b"tEXt", keyword + b"\0" + base64.b64encode(msgspec.json.encode(to_object(character, spec))))
        for keyword, spec in ((b"ccv3", 3), (b"chara", 2))
    ]
    assert data == HEAD + PIXELS + b"".join(copies) + END
    again, notes = parse_card(data, "a.png")
    assert notes == [] and again.raw["spec"] == "chara_card_v3" and again.raw["fav"] is True


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)
KEYS = st.sampled_from([*KNOWN, *OTHER_NAMES, "spec", "assets", "creation_date", "x"])
FIELDS = st.dictionaries(KEYS, VALUES, max_size=8)
WELL_FORMED = st.fixed_dictionaries(
    {"name": TEXT.filter(str.strip)},
    optional={key: TEXT for key in TEXTS if key != "name"}
    | {key: st.lists(TEXT, max_size=3) for key in LISTS}
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


@given(WELL_FORMED, ROOTS, st.sampled_from(["chara_card_v2", "chara_card_v3"]))
@settings(max_examples=200, deadline=None)
def test_nothing_is_lost_on_the_way_out(data: dict[str, Any], root: dict[str, Any], spec: str) -> None:
    raw = {"spec": spec, "data": data, **root}
    character, _ = of(raw)
    whole = root | {"data": data}
    for written in (
        to_json(character),
        to_json(character, 3),
        to_png(character, HEAD + PIXELS + END),
    ):
        again, notes = parse_card(written, "other.png")
        empty = sum(any(not item.strip() for item in data.get(key, ())) for key in LISTS)
        assert contains(again.raw, whole) and len(notes) == empty
        assert msgspec.structs.replace(again, raw={}, book=None) == msgspec.structs.replace(
            character, raw={}, book=None
        )


@given(FIELDS, FIELDS)
@settings(max_examples=400, deadline=None)
def test_odd_cards_never_crash(data: dict[str, Any], root: dict[str, Any]) -> None:
    def there_and_back(raw: dict[str, Any]) -> None:
        character, _ = of(raw)
        for written in (to_json(character), to_json(character, 3)):
            again, _ = parse_card(written, "Lady A.json")
            assert msgspec.structs.replace(again, raw={}, book=None) == msgspec.structs.replace(
                character, raw={}, book=None
            )
            assert find_picture(written) is None

    survives(lambda: there_and_back(data))
    survives(lambda: there_and_back({**root, "data": data}))


SHIPPED = [load_card(path)[0] for path in shipped().values()]
REAL = [to_json(character, 3) for character in SHIPPED]
REAL += [to_png(character, HEAD + PIXELS + END) for character in SHIPPED]


@given(
    st.sampled_from(REAL), st.lists(st.tuples(st.integers(0, 20_000), st.binary(max_size=4)), min_size=1, max_size=4)
)
@settings(max_examples=200, deadline=None)
def test_damaged_cards_never_crash(seed: bytes, edits: list[tuple[int, bytes]]) -> None:
    data = bytearray(seed)
    for at, new in edits:
        at %= len(data)
        data[at : at + 2] = new
    survives(lambda: to_png(parse_card(bytes(data), "a")[0], seed if seed.startswith(HEAD) else HEAD + END))
