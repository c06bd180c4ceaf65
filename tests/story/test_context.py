"""Who plays and what the model is told: on a story with a character that has a book, a note and last words."""

from typing import Any

import msgspec
import pytest

from advrepl import AdvreplError
from advrepl.cards.read import parse_object
from advrepl.lore.books import parse_book
from advrepl.story import saves
from advrepl.story.context import Backdrop
from advrepl.story.injections import CHARACTER_NOTE, LAST_WORDS, NOTE
from advrepl.story.roleplay import player, scenario_of
from advrepl.story.scenario import START, Reminder
from advrepl.story.tree import Next, Story, Turn

BOOK = {
    "entries": [
        {"keys": ["bridge"], "content": "The bridge was built by {{char}}."},
        {"keys": ["river"], "content": "The river took {{user}}'s boots. {{roll:d1000000}}"},
        {"keys": [], "constant": True, "content": "It is always foggy here."},
    ]
}
CARD: dict[str, Any] = {
    "spec": "chara_card_v2",
    "data": {
        "name": "Mira",
        "description": "{{char}} ferries {{user}}. {{random:red,blue,green,grey,black,white,gold}} boat.",
        "first_mes": "Coin first, {{user}}.",
        "alternate_greetings": ["Go away, {{user}}."],
        "system_prompt": "{{original}} Speak like a ferrywoman.",
        "post_history_instructions": "Never leave the boat, {{char}}.",
        "extensions": {"depth_prompt": {"prompt": "{{char}} is cold.", "depth": 6}},
        "character_book": BOOK,
    },
}


def count(text: str) -> int:
    return len(text.split())


def a_save(luck: str = "1", **data: object) -> saves.Save:
    character, _ = parse_object({**CARD, "data": {**CARD["data"], **data}}, "mira.json")
    bound: dict[str, str] = {}
    return saves.Save(
        schema=1,
        title="",
        created="",
        updated="",
        model=saves.ModelRef("tiny"),
        format="metharme",
        sampling={},
        scenario=scenario_of(character, bound=bound, seed=luck),
        turns=[],
        head=None,
        character=character.for_save(),
        bound=bound,
        luck=luck,
    )


def reloaded(save: saves.Save) -> saves.Save:
    return saves.parse(msgspec.json.encode(save), "x")


def said(backdrop: Backdrop, story: Story, text: str) -> dict[str, str]:
    due = backdrop.due(story, text)
    story.add(Turn(story.head, "user", text, before=due.before))
    backdrop.said(due)
    return due.before


def test_lore_comes_before_the_turn_that_names_it_and_constant_lore_into_the_head() -> None:
    save, story = a_save(), Story()
    backdrop = Backdrop(save, count, 1000)
    assert backdrop.scenario.lore == "It is always foggy here."
    assert "lore 0.0" not in said(backdrop, story, "Hello.")
    assert said(backdrop, story, "Is that a bridge?")["lore 0.0"] == "The bridge was built by Mira."
    assert "lore 0.0" not in said(backdrop, story, "The bridge, I said.")


def test_what_was_rolled_is_kept_in_the_save_and_rolled_alike_with_the_same_luck() -> None:
    texts = []
    for luck in ("1", "1", "2"):
        backdrop = Backdrop(save := a_save(luck), count, 1000)
        first = said(backdrop, Story(), "The river!")["lore 0.1"]
        again = Backdrop(reloaded(save), count, 1000)
        assert said(again, Story(), "Oh, the river.")["lore 0.1"] == first
        texts.append((first, save.scenario.system))
    assert texts[0] == texts[1] != texts[2]


def test_a_card_brings_its_last_words_and_its_note() -> None:
    save = a_save()
    assert save.scenario.reminders == {
        LAST_WORDS: Reminder("Never leave the boat, Mira.", 4),
        CHARACTER_NOTE: Reminder("Mira is cold.", 6),
    }
    assert said(Backdrop(save, count, 1000), Story(), "Hello.") == {
        LAST_WORDS: "Never leave the boat, Mira.",
        CHARACTER_NOTE: "Mira is cold.",
    }


def test_the_player_may_change_his_name_and_all_else_stays() -> None:
    save = a_save()
    backdrop, boat = Backdrop(save, count, 1000), save.scenario.system.split()[-2:]
    backdrop.note("{{user}} is wet.", 3)
    backdrop.remember("A debt of {{char}}'s.")
    backdrop.answer("short")
    backdrop.become("Ann", "a thief whom {{char}} knows")
    scene = backdrop.scenario
    assert scene.system.startswith("Mira ferries Ann.") and scene.system.split()[-2:] == boat
    assert (scene.you, scene.persona, scene.length) == ("Ann", "a thief whom Mira knows", "short")
    assert scene.greetings == ("Coin first, Ann.", "Go away, Ann.") and scene.memory == "A debt of Mira's."
    assert scene.reminders[NOTE] == Reminder("You is wet.", 3) and CHARACTER_NOTE in scene.reminders
    again = Backdrop(reloaded(save), count, 1000)
    again.become("Bea", "")
    assert again.scenario.system.startswith("Mira ferries Bea.") and again.scenario.lore == scene.lore


def test_a_player_cannot_take_the_name_of_the_character() -> None:
    with pytest.raises(AdvreplError, match="mira is who the model speaks as"):
        Backdrop(a_save(), count, 1000).become("mira", "")


@pytest.mark.parametrize("text", ["", ":", " : a thief", "x" * 61, "a\x1b[31m"])
def test_a_player_has_a_name(text: str) -> None:
    with pytest.raises(AdvreplError, match="does not begin with a name"):
        player(text)
    assert player(" Ann  Lee : a thief: small ") == ("Ann Lee", "a thief: small")


def test_lore_that_has_no_room_is_named() -> None:
    backdrop = Backdrop(a_save(character_book={"entries": [{"constant": True, "content": "w " * 50}]}), count, 100)
    assert backdrop.scenario.lore == "" and "always apply 1 have no room" in backdrop.notes[-1]


def test_a_book_that_the_player_adds_applies_from_then_on() -> None:
    save = a_save()
    backdrop = Backdrop(save, count, 1000)
    book, _ = parse_book({"entries": {"0": {"key": ["inn"], "content": "The inn is shut.", "uid": 0}}}, "world.json")
    backdrop.add_book(book)
    assert said(backdrop, Story(), "To the inn!")["lore 1.0"] == "The inn is shut."
    assert said(Backdrop(reloaded(save), count, 1000), Story(), "An inn?")["lore 1.0"] == "The inn is shut."


def test_an_adventure_takes_notes_and_lore_too() -> None:
    save = msgspec.structs.replace(a_save(), scenario=START, character=None)
    backdrop = Backdrop(save, count, 1000)
    backdrop.note("{{char}} is in a hurry.", 2)
    assert said(backdrop, Story(), "Start!") == {NOTE: "Narrator is in a hurry."}


def test_looking_ahead_changes_nothing() -> None:
    save, story = a_save(), Story()
    backdrop = Backdrop(save, count, 1000)
    before = msgspec.json.encode(save)
    due = backdrop.due(story, "The river!")
    assert "lore 0.1" in due.before and msgspec.json.encode(save) == before and len(story) == 0
    ahead = Next(story, Turn(None, "user", "The river!"))
    assert len(ahead) == 1 and [turn.text for turn in ahead.told()] == ["The river!"] and ahead.told(1) == []


def test_what_a_book_asks_for_in_vain_is_told_once_when_the_story_begins() -> None:
    deep = {"keys": ["x"], "content": "c", "extensions": {"position": 4}}
    save, story = a_save(character_book={"entries": [deep, deep]}), Story()
    backdrop = Backdrop(save, count, 1000)
    (note,) = backdrop.notes
    assert note.startswith("lorebook: entries that ask for a place or role of their own (2 at a depth): ")
    backdrop.add_book(parse_book([], "none.json")[0])
    assert backdrop.notes == [note]
    said(backdrop, story, "Hello.")
    save.turns, save.head = story.turns, story.head
    assert Backdrop(reloaded(save), count, 1000).notes == []
