"""Characters of Agnai and Backyard become cards."""

import io
import json
import zipfile
from typing import Any

import pytest

from advrepl import AdvreplError
from advrepl.cards.character import Character
from advrepl.cards.read import find_picture, parse_card
from advrepl.cards.write import to_json, to_object
from advrepl.lore.books import parse_book
from tests.card_files import END, HEAD, PIXELS

AGNAI: dict[str, Any] = {
    "kind": "character", "name": "Ada", "description": "For people.", "appearance": "tall", "scenario": "A mill.",
    "greeting": "Hello, {{user}}.", "sampleChat": "{{char}}: Hm.", "alternateGreetings": ["Go."], "tags": ["dry"],
    "persona": {"kind": "text", "attributes": {"text": ["Ada grinds."]}}, "systemPrompt": "Be Ada.",
    "postHistoryInstructions": "Be brief.", "creator": "me", "characterVersion": "2",
    "characterBook": {"kind": "memory", "name": "b", "entries": [
        {"name": "Owl", "entry": "The owl is Pip.", "keywords": ["owl"], "priority": 4, "weight": 2, "enabled": True}]},
}  # fmt: skip


def agnai(**changed: object) -> tuple[Character, list[str]]:
    return parse_card(json.dumps(AGNAI | changed).encode(), "ada.json")


def test_an_agnai_character_is_read() -> None:
    character, notes = agnai()
    assert notes == []
    assert (character.name, character.description, character.creator_notes) == ("Ada", "Ada grinds.", "For people.")
    assert (character.first_mes, character.alternate_greetings) == ("Hello, {{user}}.", ("Go.",))
    assert (character.mes_example, character.scenario) == ("{{char}}: Hm.", "A mill.")
    assert (character.system_prompt, character.post_history_instructions) == ("Be Ada.", "Be brief.")
    assert (character.tags, character.creator, character.character_version) == (("dry",), "me", "2")
    (entry,) = parse_book(character.book, "b")[0].entries
    assert (entry.keys, entry.content, entry.order, entry.priority) == (("owl",), "The owl is Pip.", 2, 4)
    assert entry.match_whole_words


def test_what_a_card_has_no_field_for_is_kept() -> None:
    written = to_object(agnai()[0], 2)
    assert written["spec"] == "chara_card_v2" and written["data"]["extensions"]["agnai"]["appearance"] == "tall"
    assert parse_card(to_json(agnai()[0]), "a.json")[0].description == "Ada grinds."


@pytest.mark.parametrize(
    ("kind", "description"),
    [
        ("attributes", "species: owl, elf\nmind: dry"),
        ("boostyle", "species + owl + elf + mind + dry"),
        ("wpp", '[character("Ada") {\n  species("owl" + "elf")\n  mind("dry")\n}]'),
        ("sbf", '[ character: "Ada"; species: "owl", "elf"; mind: "dry" ]'),
    ],
)
def test_a_persona_is_spelled_as_its_kind_asks_for(kind: str, description: str) -> None:
    persona = {"kind": kind, "attributes": {"species": ["owl", "elf"], "mind": ["dry"]}}
    assert agnai(persona=persona)[0].description == description


@pytest.mark.parametrize("persona", [None, 7, {"kind": "text"}, {"kind": "text", "attributes": [1]}])
def test_an_odd_persona_leaves_the_rest(persona: object) -> None:
    assert agnai(persona=persona)[0].description == ""
    assert agnai(persona="As it is.")[0].description == "As it is."


MANIFEST = {"schemaVersion": 1, "characters": ["characters/a/character.json"], "scenarios": ["scenarios/1.json"],
            "author": {"name": "me"}}  # fmt: skip
CHARACTER = {
    "name": "Ada", "displayName": "Ada the Miller", "persona": "{character} mills; {user} and {{user}} watch.",
    "loreItems": [{"key": "owl, mill", "value": "{character}'s owl"}], "images": [{"path": "images/a.png"}],
}  # fmt: skip
SCENARIO = {
    "narrative": "Rain on {user}.", "formattingInstructions": "Be {character}.",
    "firstMessages": [{"text": "Hi {user}"}],
    "exampleMessages": [{"text": "#{user}: a\n#{character}: b"}],
}  # fmt: skip


def archive(**files: object) -> bytes:
    parts = {"manifest.json": MANIFEST, "characters/a/character.json": CHARACTER, "scenarios/1.json": SCENARIO}
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w") as file:
        for name, content in (
            parts | {name.replace("__", "/") + ".json": each for name, each in files.items()}
        ).items():
            file.writestr(name, json.dumps(content))
        file.writestr("characters/a/images/a.png", HEAD + PIXELS + END)
    return written.getvalue()


def test_a_backyard_archive_is_read() -> None:
    character, notes = parse_card(archive(), "ada.byaf")
    assert notes == []
    assert character.description == "{{char}} mills; {{user}} and {{user}} watch."
    assert (character.name, character.creator, character.scenario) == ("Ada", "me", "Rain on {{user}}.")
    assert (character.first_mes, character.system_prompt) == ("Hi {{user}}", "Be {{char}}.")
    assert character.mes_example == "<START>\n{{user}}: a\n{{char}}: b"
    (entry,) = parse_book(character.book, "b")[0].entries
    assert (entry.keys, entry.content) == (("owl", "mill"), "{{char}}'s owl")
    assert find_picture(archive()) == HEAD + PIXELS + END


def test_the_greetings_of_all_scenarios_are_there() -> None:
    manifest = MANIFEST | {"scenarios": ["scenarios/1.json", "scenarios/2.json"]}
    other = {"narrative": "Sun.", "firstMessages": [{"text": "Bye"}]}
    character, notes = parse_card(archive(manifest=manifest, scenarios__2=other), "ada.byaf")
    assert character.alternate_greetings == ("Bye",)
    assert notes == ["the archive has 2 scenarios: the first was taken, and the greetings of all"]


@pytest.mark.parametrize(
    ("manifest", "message"),
    [
        ({}, "ada.byaf holds no card that can be read: the archive's manifest names no character"),
        ({"characters": ["none.json"]}, "the archive has no none.json"),
        ({"characters": [7]}, "names no character"),
    ],
)
def test_a_damaged_archive_is_told_in_a_sentence(manifest: object, message: str) -> None:
    with pytest.raises(AdvreplError, match=message):
        parse_card(archive(manifest=manifest), "ada.byaf")


@pytest.mark.parametrize(
    ("names", "told"),
    [
        ({"creator_notes": "new", "creatorcomment": "old"}, "old"),
        ({"creator_notes": "new", "creatorcomment": None}, "new"),
        ({"creator_notes": "new", "creatorcomment": ""}, ""),
    ],
)
def test_a_v1_card_tells_its_makers_notes_by_sillytaverns_name_first(names: dict[str, str], told: str) -> None:
    card = {"name": "Ada", "description": "d", "first_mes": "Hello.", **names}
    assert parse_card(json.dumps(card).encode(), "ada.json")[0].creator_notes == told
