"""Cards through the programs that read them, both ways: what we write they take, and what they write we read."""

import base64
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import msgspec
import pytest

from advrepl.cards.card_files import plain_picture
from advrepl.cards.character import Character
from advrepl.cards.read import parse_card
from advrepl.cards.spec import LISTS, TEXTS, V1
from advrepl.cards.write import to_object, to_png
from advrepl.lore.books import parse_book
from tests.cards.test_foreign import AGNAI, archive
from tests.sillytavern.node import HERE, ask

PYTHON = Path(os.environ["ADVREPL_SILLYTAVERN"]) / "bin" / "python"
BOOK = {"entries": [{"keys": ["owl", "mill"], "content": "The owl is Pip.", "insertion_order": 3, "enabled": True}]}
WHOLE: dict[str, Any] = {
    "name": "Ada 猫", "description": "{{char}} grinds.\r\n{{//note}}", "personality": "dry", "scenario": "Rain.",
    "first_mes": "Hi,\r\n{{user}}.", "mes_example": "<START>\n{{char}}: Hm.", "creator_notes": "For people.",
    "system_prompt": "{{original}} Be Ada.", "post_history_instructions": "Be brief.", "creator": "me",
    "character_version": "2", "alternate_greetings": ["", "Go.\r\n"], "tags": ["dry"], "character_book": BOOK,
    "extensions": {"depth_prompt": {"prompt": "Cold.", "depth": 0, "role": "user"}, "other/program": {"x": [1]}},
}  # fmt: skip
FILES = {
    "v1": {"name": "Ada", "description": "d"},
    "v1 that says so": {"spec": "chara_card_v1", "name": "Ada", "description": "d", "first_mes": "Hi"},
    "v2": {"spec": "chara_card_v2", "spec_version": "2.0", "data": WHOLE},
    "v3": {"spec": "chara_card_v3", "spec_version": "3.0", "data": {**WHOLE, "nickname": "Addie", "assets": []}},
    "SillyTavern's": {
        **{key: WHOLE[key] for key in V1}, "creatorcomment": "", "avatar": "none", "chat": "Ada",
        "talkativeness": "0.5", "fav": False, "tags": [], "spec": "chara_card_v2", "spec_version": "2.0", "data": WHOLE,
        "create_date": "2026-1-1",
    },
    "Agnai's": AGNAI,
}  # fmt: skip
CHARACTERS = {name: parse_card(json.dumps(card).encode(), "ada.json")[0] for name, card in FILES.items()}
CHARACTERS["Backyard's"] = parse_card(archive(), "ada.byaf")[0]


@pytest.fixture(scope="module")
def cards() -> list[dict[str, Any]]:
    return [
        {
            "v2": to_object(each, 2),
            "v3": to_object(each, 3),
            "png": base64.b64encode(to_png(each, plain_picture())).decode(),
        }
        for each in CHARACTERS.values()
    ]


@pytest.fixture(scope="module")
def node(cards: list[dict[str, Any]]) -> dict[str, Any]:
    return dict(zip(CHARACTERS, ask("cards.mjs", {"cards": cards}), strict=True))


@pytest.fixture(scope="module")
def python(cards: list[dict[str, Any]]) -> dict[str, Any]:
    done = subprocess.run(
        [PYTHON, HERE / "cards_elsewhere.py"],
        input=json.dumps(cards), capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    return dict(zip(CHARACTERS, json.loads(done.stdout.splitlines()[-1]), strict=True))


@pytest.fixture(params=list(CHARACTERS))
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def fields(character: Character) -> dict[str, Any]:
    """What a card says, but for what only V3 has."""
    return {key: getattr(character, key) for key in (*TEXTS, *LISTS) if key not in ("nickname", "group_only_greetings")}


def back(card: object) -> Character:
    data = card if isinstance(card, bytes) else json.dumps(card).encode()
    return parse_card(data, "ada.json")[0]


def lore(character: Character) -> list[tuple[Any, ...]]:
    entries = parse_book(character.book, "b")[0].entries if character.book else ()
    return [(entry.keys, entry.content, entry.order, entry.enabled) for entry in entries]


def test_the_specifications_own_checks_are_passed(name: str, node: dict[str, Any]) -> None:
    assert node[name]["versions"] == ["v2", "v3"] and node[name]["complaints"] == []
    # SillyTavern's own check looks for the oldest that fits.
    assert node[name]["sillytavern"] == [1, 1]


def test_what_programs_in_javascript_make_of_it_is_the_same(name: str, node: dict[str, Any]) -> None:
    ours, theirs = CHARACTERS[name], node[name]
    for key in ("utils", "toV2", "toV3"):
        assert fields(back(theirs[key])) == fields(ours), key
        assert lore(back(theirs[key])) == lore(ours), key
    for key in ("fromV1", "toV1"):
        assert {field: getattr(back(theirs[key]), field) for field in V1} == {
            field: getattr(ours, field) for field in V1
        }, key


def test_what_programs_in_python_make_of_it_is_the_same(name: str, python: dict[str, Any]) -> None:
    ours, theirs = CHARACTERS[name], python[name]
    pictures = [base64.b64decode(picture) for picture in theirs["pictures"]]
    for card in (*theirs["forge"], *theirs["tavern"], *pictures):
        assert fields(back(card)) == fields(ours)
        assert lore(back(card)) == lore(ours)


def test_aichar_reads_every_field_that_it_knows(name: str, python: dict[str, Any]) -> None:
    ours, theirs = CHARACTERS[name], python[name]
    known = [ours.name, ours.personality, ours.scenario]
    for summary in theirs["aichar"]:
        assert [summary[0], summary[2], summary[3]] == known
    for text in theirs["texts"]:
        again = back(text.encode())
        assert (again.name, again.first_mes, again.scenario) == (ours.name, ours.first_mes, ours.scenario)


def test_what_is_not_known_here_comes_back(name: str, python: dict[str, Any]) -> None:
    again = back(base64.b64decode(python[name]["pictures"][0]))
    before, after = (to_object(each, 2)["data"] for each in (CHARACTERS[name], again))
    assert msgspec.json.encode(after["extensions"]) == msgspec.json.encode(before["extensions"])
