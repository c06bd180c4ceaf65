"""Files of characters beside SillyTavern's own importer: what it shows of each is what is read here, and the other way.

What differs on purpose is not generated; docs/characters.md lists it.
"""

import base64
import json
import random
import zlib
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
import yaml  # type: ignore[import-untyped]

from advrepl.cards.card_files import plain_picture
from advrepl.cards.character import Character
from advrepl.cards.read import parse_card
from advrepl.cards.spec import V1
from advrepl.cards.write import to_json, to_png
from tests.sillytavern.node import ask
from tests.sillytavern.test_cards import CHARACTERS, lore

CASES = 400
NAMES = ["Ada", "Ada 猫", "Dr. Élan", "o'Er", "Mo (the miller)", "A B"]
TEXTS = ["d", "{{char}} mills.\r\nSlow.", "", "猫 🦉", "  blank  ", "a\n\n<START>\n{{user}}: x", "<BOT> waits", "0"]
BOOK = {"name": "b", "entries": [{"keys": ["owl"], "content": "Pip.", "insertion_order": 3, "enabled": True}]}
V2_TEXTS = ("creator_notes", "system_prompt", "post_history_instructions", "creator", "character_version")
OF_V1 = ("creator_notes", "creator", "tags")  # that its importer takes from a V1 card besides

Made = tuple[str, str, bytes]  # what it is, the ending of its name, what is in it


def some(rng: random.Random, fields: tuple[str, ...], values: list[Any] = TEXTS) -> dict[str, Any]:
    return {name: rng.choice(values) for name in fields if rng.random() < 0.8}


def in_data(rng: random.Random) -> dict[str, Any]:
    """A card's `data`, with nulls and fields that are missing."""
    found = {"name": rng.choice(NAMES), "description": "d", **some(rng, V1[1:], [*TEXTS, None]), **some(rng, V2_TEXTS)}
    return {
        **found,
        **some(rng, ("alternate_greetings",), [[], ["Hm."], ["", "Go.\r\n", "猫"]]),
        **some(rng, ("tags",), [[], ["dry", "猫"]]),
        **some(rng, ("character_book",), [BOOK]),
        **some(rng, ("extensions",), [{}, {"depth_prompt": {"prompt": "Cold.", "depth": 0, "role": "user"}}, {"x": 1}]),
        **some(rng, ("assets",), [[], [{"type": "icon", "name": "main", "uri": "ccdefault:", "ext": "png"}]]),
    }


def nested(rng: random.Random) -> dict[str, Any]:
    """A V2 or V3 card; some have copies beside `data`, which do not always say the same."""
    version, data = rng.choice([2, 3]), in_data(rng)
    beside = {key: rng.choice([data.get(key), "old"]) for key in V1[1:] if data.get(key)} if rng.random() < 0.3 else {}
    card = {"spec": f"chara_card_v{version}", "spec_version": f"{version}.0"}
    return (
        {**card, **beside, "data": data}
        if rng.random() < 0.95
        else {**card, **some(rng, V1[1:]), "name": "Ada", "description": "d"}
    )


def flat(rng: random.Random) -> dict[str, Any]:
    found = {"name": rng.choice(NAMES), "description": "d", **some(rng, V1[1:], [*TEXTS, None])}
    notes = some(rng, ("creatorcomment", "creator_notes", "creator"))
    return {
        **found,
        **notes,
        **some(rng, ("avatar",), ["none"]),
        **some(rng, ("tags",), [[], ["dry", "猫"], "dry, 猫", ""]),
        **some(rng, ("talkativeness",), [0.5, "0.5"]),
    }


def of_pygmalion(rng: random.Random) -> dict[str, Any]:
    fields = ("char_persona", "char_greeting", "example_dialogue", "world_scenario")
    return {"char_name": rng.choice(NAMES), **some(rng, fields), **some(rng, ("creator", "creator_notes"))}


def of_webui(rng: random.Random) -> bytes:
    """The YAML of text-generation-webui."""
    fields = {"name": rng.choice(NAMES), "context": "d", **some(rng, ("context", "greeting"))}
    written: str = yaml.safe_dump(fields, allow_unicode=rng.random() < 0.5)
    return written.encode()


def in_picture(card: dict[str, Any], rng: random.Random) -> bytes:
    """A picture with one or more texts: both keywords in any order and case, others' texts, and what nobody reads."""

    def text(keyword: str, told: dict[str, Any]) -> bytes:
        held = keyword.encode() + b"\0" + base64.b64encode(json.dumps(told).encode())
        return chunk(b"tEXt", held)

    def chunk(kind: bytes, held: bytes) -> bytes:
        return len(held).to_bytes(4) + kind + held + zlib.crc32(kind + held).to_bytes(4)

    other = {"name": "Nobody", "description": "old", "first_mes": "old"}
    own = rng.choice(["chara", "ccv3", "Chara", "CCV3"])
    chunks = [text(own, card), chunk(b"tEXt", b"Comment\0made by hand"), chunk(b"tIME", b"\x07\xea\x01\x01\0\0\0")]
    if own.lower() == "ccv3" and rng.random() < 0.6:
        chunks.append(text("chara", other))
    rng.shuffle(chunks)
    if rng.random() < 0.3:
        chunks.append(text(own, other))  # of two with the same keyword the first counts
    plain = plain_picture()
    end = plain.rindex(b"IEND") - 4
    place = rng.choice([33, end])  # behind the header, or at the end
    return plain[:place] + b"".join(chunks) + plain[place:]


def as_json(card: dict[str, Any]) -> bytes:
    return json.dumps(card).encode()


KINDS: list[Callable[[random.Random], Made]] = [
    lambda rng: ("nested", "json", as_json(nested(rng))),
    lambda rng: ("nested", "png", in_picture(nested(rng), rng)),
    lambda rng: ("nested", "charx", as_json(nested(rng))),
    lambda rng: ("flat", "json", as_json(flat(rng))),
    lambda rng: ("flat", "png", in_picture(flat(rng), rng)),
    lambda rng: ("flat", "json", as_json(of_pygmalion(rng))),
    lambda rng: ("flat", "yaml", of_webui(rng)),
]


def a_file(number: int) -> Made:
    return KINDS[number % len(KINDS)](random.Random(number))


def imported(files: list[tuple[str, bytes]]) -> list[dict[str, Any]]:
    def asked(ending: str, data: bytes) -> dict[str, Any]:
        text = base64.b64encode(data).decode()
        return (
            {"format": ending, "archive": {"card.json": text}}
            if ending == "charx"
            else {"format": ending, "bytes": text}
        )

    blank = base64.b64encode(plain_picture()).decode()
    found: list[dict[str, Any]] = ask("import.mjs", {"files": [asked(*file) for file in files], "blank": blank})
    return found


def shown(card: dict[str, Any]) -> dict[str, Any]:
    """What SillyTavern makes of a card: it takes fields of V1 from beside `data`, the others from in it."""
    data = card.get("data") or {}
    note = (data.get("extensions") or {}).get("depth_prompt") or {}

    def text(value: object) -> str:
        return "" if value is None else str(value).replace("\r\n", "\n")

    return {
        **{key: text(card.get(key)) for key in V1},
        **{key: text(data.get(key)) for key in V2_TEXTS},
        "alternate_greetings": [text(each) for each in data.get("alternate_greetings") or ()],
        "tags": data.get("tags") or [],
        "book": data.get("character_book"),
        "depth_prompt": note if note.get("prompt") else {},
    }  # fmt: skip


def read_here(character: Character) -> dict[str, Any]:
    return {
        **{key: getattr(character, key) for key in (*V1, *V2_TEXTS)},
        "alternate_greetings": list(character.alternate_greetings),
        "tags": list(character.tags),
        "book": character.book,
        "depth_prompt": character.depth_prompt,
    }


@pytest.fixture(scope="module")
def files() -> list[tuple[Made, dict[str, Any]]]:
    made = [a_file(number) for number in range(CASES)]
    return list(zip(made, imported([(ending, data) for _, ending, data in made]), strict=True))


def test_files_are_read_as_its_importer_reads_them(files: list[tuple[Made, dict[str, Any]]]) -> None:
    differ = []
    for number, ((kind, ending, data), theirs) in enumerate(files):
        assert "card" in theirs, (number, kind, ending, theirs, data[:300])
        here, there = read_here(parse_card(data, f"a.{ending}")[0]), shown(theirs["card"])
        fields = here if kind == "nested" else [*V1, *OF_V1]
        if wrong := {key: (here[key], there[key]) for key in fields if here[key] != there[key]}:
            differ.append((number, kind, ending, wrong))
    assert not differ, f"{len(differ)} of {len(files)} differ: {differ[:6]}"


def test_what_it_writes_is_read_here(files: list[tuple[Made, dict[str, Any]]]) -> None:
    for made, theirs in files:
        again = parse_card(base64.b64decode(theirs["picture"]), "a.png")[0]
        assert read_here(again) == shown(theirs["card"]) | {"depth_prompt": again.depth_prompt}, made


def test_what_is_exported_here_it_imports_whole() -> None:
    for each in CHARACTERS.values():
        written = [("json", to_json(each, 2)), ("json", to_json(each, 3)), ("png", to_png(each, plain_picture()))]
        for (ending, _), theirs in zip(written, imported(written), strict=True):
            there = shown(theirs["card"])
            assert there | {"book": each.book} == read_here(each), ending
            assert lore(msgspec.structs.replace(each, book=there["book"])) == lore(each)
