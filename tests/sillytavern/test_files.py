"""Files of cards beside SillyTavern's own readers of them: PNG pictures and Backyard's archives."""

import base64
import io
import json
import random
import zipfile
from typing import Any

import pytest

from advrepl.cards.card_files import embed, plain_picture
from advrepl.cards.character import Character
from advrepl.cards.read import parse_card
from advrepl.cards.spec import LISTS, TEXTS
from advrepl.lore.books import parse_book
from tests.sillytavern.node import ask

CASES = 200
TEXTS_OF_BACKYARD = (
    *(
        "{character} mills.",
        "{user} and {{user}} watch.",
        "#{user}: a\n#{character}: b",
        "#{USER}: x",
        "{Character}'s",
        "",
    ),
    *("{{char}} {char} {user}}", "line\r\nbreak", "  blank  ", "#{User}:{user}:", "猫 {user}", "{{{user}}}"),
)


def archive(rng: random.Random) -> dict[str, Any]:
    """The files of a Backyard archive, with what may be missing in them missing now and then."""

    def text() -> str:
        return " ".join(rng.choices(TEXTS_OF_BACKYARD, k=rng.randint(1, 3)))

    def some(chance: float, **fields: Any) -> dict[str, Any]:
        return fields if rng.random() < chance else {}

    scenes = {
        f"scenarios/{number}.json": {
            **some(0.8, narrative=text()),
            **some(0.8, formattingInstructions=text()),
            **some(
                0.8,
                firstMessages=[{"text": rng.choice(["Hi {user}", "Go.", text()])} for _ in range(rng.randint(0, 2))],
            ),
            **some(0.8, exampleMessages=[{"text": text()} for _ in range(rng.randint(0, 3))]),
        }
        for number in range(rng.randint(0, 4))
    }
    character = {
        "displayName": "Ada the Miller",
        **some(0.9, name="Ada"),
        **some(0.9, persona=text()),
        **some(
            0.5, loreItems=[{"key": rng.choice(["owl, mill", "{user}", "a,,b "]), "value": text()} for _ in range(3)]
        ),
        **some(0.5, isNSFW=rng.random() < 0.5),
    }
    author = some(0.7, author={**some(0.8, name="me"), **some(0.5, backyardURL="there")})
    manifest = {"schemaVersion": 1, "characters": ["characters/a/character.json"], "scenarios": [*scenes], **author}
    return {"manifest.json": manifest, "characters/a/character.json": character, **scenes}


def zipped(files: dict[str, Any]) -> bytes:
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w") as file:
        for name, content in files.items():
            file.writestr(name, json.dumps(content))
    return written.getvalue()


def picture(rng: random.Random) -> bytes:
    """A picture with one or two copies of a card, of which only one counts."""

    def card(version: int) -> bytes:
        data = {"name": "Ada", "description": f"V{version} {rng.choice(['', '猫', 'x' * 9000])}", "first_mes": "Hi"}
        return json.dumps({"spec": f"chara_card_v{version}", "spec_version": f"{version}.0", "data": data}).encode()

    copies = {"chara": card(2), "ccv3": card(3)}
    names = rng.choice([["chara"], ["ccv3"], ["chara", "ccv3"], ["ccv3", "chara"]])
    return embed(plain_picture(), {name: copies[name] for name in names})


@pytest.fixture(scope="module")
def files() -> tuple[list[bytes], list[bytes], dict[str, Any]]:
    rng = random.Random(16)
    pictures, archives = [picture(rng) for _ in range(30)], [archive(rng) for _ in range(CASES)]
    asked = {"pictures": [base64.b64encode(each).decode() for each in pictures], "archives": archives}
    return pictures, [*map(zipped, archives)], ask("files.mjs", asked)


def told(character: Character) -> dict[str, Any]:
    """What a character is told with, its lore included."""
    entries = parse_book(character.book, "b")[0].entries if character.book else ()
    lore = [(entry.keys, entry.content, entry.order) for entry in entries]
    found = {key: getattr(character, key) for key in (*TEXTS, *LISTS)}
    return {**found, "mes_example": character.mes_example.rstrip(), "lore": lore}


def test_a_picture_is_read_as_there(files: Any) -> None:
    for ours, theirs in zip(files[0], files[2]["pictures"], strict=True):
        assert told(parse_card(ours, "ada.png")[0]) == told(parse_card(json.dumps(theirs).encode(), "ada.json")[0])


def test_an_archive_of_backyard_is_read_as_there(files: Any) -> None:
    for ours, theirs in zip(files[1], files[2]["archives"], strict=True):
        here, there = parse_card(ours, "ada.byaf")[0], parse_card(json.dumps(theirs).encode(), "ada.json")[0]
        assert told(here) == told(there)
