"""Playing with characters: from a card to the prompts of the family's formats."""

from pathlib import Path

import msgspec
import pytest

from advrepl.cards.character import Character, shipped
from advrepl.cards.read import load_card
from advrepl.cards.write import to_json
from advrepl.prompt.formats import Metharme, Pygmalion
from advrepl.prompt.template import ChatTemplate
from advrepl.story.injections import DEPTH_PROMPT, due
from advrepl.story.roleplay import scenario_of, slug
from advrepl.story.scenario import Injection
from advrepl.story.tree import Turn

MIRA = Character(
    name="Mira",
    description="{{char}} keeps the ferry that {{user}} has to take.",
    personality="gruff",
    scenario="A misty {{random:morning}}.",
    first_mes="*{{char}} looks up.* Coin first, {{user}}.",
    mes_example="<START>\n{{user}}: Hello.\n{{char}}: Mind the rope.\n<START>\n{{user}}: Deep?\n{{char}}: Enough.",
)
PERSONA = "Mira keeps the ferry that Ann has to take.\nPersonality: gruff\nScenario: A misty morning."
TOLD = [Turn(None, "model", "*Mira looks up.* Coin first, Ann."), Turn(0, "user", "Here.")]


def test_a_card_becomes_a_scenario_with_its_macros_filled_in() -> None:
    scene = scenario_of(MIRA, "Ann")
    assert (scene.name, scene.title, scene.narrator, scene.start, scene.options) == ("mira", "Mira", "Mira", "", 0)
    assert scene.system == PERSONA and scene.opening == TOLD[0].text
    assert scene.dialogues == ("Ann: Hello.\nMira: Mind the rope.", "Ann: Deep?\nMira: Enough.")


def test_pygmalion_is_given_the_persona_as_in_its_model_card() -> None:
    scene = scenario_of(MIRA, "Ann")
    assert str(Pygmalion().spell(scene, TOLD, scene.dialogues)) == (
        f"Mira's Persona: {PERSONA}\n<START>\nYou: Hello.\nMira: Mind the rope.\nYou: Deep?\nMira: Enough."
        "\nMira: *Mira looks up.* Coin first, Ann.\nYou: Here.\nMira:"
    )


def test_metharme_is_put_into_rp_mode_as_in_the_model_card_of_pygmalion_2() -> None:
    scene = scenario_of(msgspec.structs.replace(MIRA, mes_example=""), "Ann")
    assert str(Metharme().spell(scene, TOLD)) == (
        f"<|system|>Enter RP mode. Pretend to be Mira whose persona follows:\n{PERSONA}\n\n"
        "You shall reply to the user while staying in character, and generate long responses."
        "<|model|>*Mira looks up.* Coin first, Ann.<|user|>Here.<|model|>"
    )


EVERY = {"metharme": Metharme(), "pygmalion": Pygmalion(), "chat": ChatTemplate("x", eos="</s>")}


@pytest.mark.parametrize("format", EVERY.values(), ids=EVERY)
def test_a_reply_ends_where_it_would_speak_for_the_player(format: Metharme) -> None:
    assert "\nAnn:" in format.stops(scenario_of(MIRA, "Ann"))


def test_names_of_saves_are_plain_words() -> None:
    assert slug("Dr. Élan \x1b[31m (v2)!") == "dr-élan-31m-v2" and slug("***") == "character"
    assert slug("हिन्दी 李小龙") == "हिन्दी-李小龙"


def test_shipped_characters_read_without_a_note_and_greet() -> None:
    for path in shipped().values():
        character, notes = load_card(path)
        scene = scenario_of(character, "Ann")
        assert notes == [] and scene.opening and "{{" not in scene.opening + scene.system + scene.examples


def test_a_card_is_played_from_its_path(tmp_path: Path) -> None:
    path = tmp_path / "mira.json"
    path.write_bytes(to_json(MIRA))
    character, _ = load_card(path)
    assert scenario_of(character, "Ann").system == PERSONA


@pytest.mark.parametrize(
    ("depth", "turns"), [(0, 0), ("2", 2), (6, 6), (None, 4), ("x", 4), (-1, 4), (True, 4), (9999, 4)]
)
def test_a_cards_note_has_the_depth_that_it_names(depth: object, turns: int) -> None:
    raw = {"data": {"extensions": {"depth_prompt": {"prompt": "{{char}} is cold.", "depth": depth, "role": "user"}}}}
    character = msgspec.structs.replace(MIRA, raw=raw)
    assert scenario_of(character).injections[DEPTH_PROMPT] == Injection("Mira is cold.", turns, "user")


@pytest.mark.parametrize(
    ("role", "who"),
    [("user", "user"), ("assistant", "assistant"), (2, "assistant"), ("narrator", "system"), ({}, "system")],
)
def test_a_cards_note_is_said_by_whom_it_names(role: object, who: str) -> None:
    raw = {"data": {"extensions": {"depth_prompt": {"prompt": "Cold.", "role": role}}}}
    assert scenario_of(msgspec.structs.replace(MIRA, raw=raw)).injections[DEPTH_PROMPT].role == who


def test_a_note_of_depth_0_is_told_with_every_turn() -> None:
    scene = scenario_of(msgspec.structs.replace(MIRA, raw={"data": {"extensions": {"depth_prompt": DEEP}}}))
    before = Turn(1, "user", "Here.", injections={DEPTH_PROMPT: "Cold."})
    assert due(scene, {}, [before]) == scene.injections


DEEP = {"prompt": "Cold.", "depth": 0}
