"""Who plays and what the model is told: on a story with a character that has a book, a note and last words."""

from typing import Any

import msgspec
import pytest

from advrepl import AdvreplError
from advrepl.cards.read import parse_object
from advrepl.lore.books import parse_book
from advrepl.lore.timing import LoreState
from advrepl.story import saves
from advrepl.story.context import StoryContext
from advrepl.story.injections import DEPTH_PROMPT, NOTE, POST_HISTORY
from advrepl.story.roleplay import player, scenario_of
from advrepl.story.saves import Save, with_scenario
from advrepl.story.scenario import START, Injection
from advrepl.story.tree import Story, Turn, WithTurn

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


def a_save(seed: str = "1", **data: object) -> Save:
    character, _ = parse_object({**CARD, "data": {**CARD["data"], **data}}, "mira.json")
    values: dict[str, str] = {}
    return Save(
        schema=saves.SCHEMA,
        title="",
        created="",
        updated="",
        model=saves.ModelRef("tiny"),
        format="metharme",
        sampling={},
        scenario=scenario_of(character, macro_values=values, seed=seed),
        turns=[],
        head=None,
        character=character.for_save(),
        macro_values=values,
        rng_seed=seed,
    )


class Told:
    """A story with what the model is told in it, as far as this room knows it."""

    def __init__(self, save: Save, n_ctx: int = 1000) -> None:
        self.context = StoryContext(save, count, n_ctx)
        self.save, self.story = self.context.with_constant_lore(save), Story()

    def reloaded(self) -> "Told":
        return Told(saves.parse(msgspec.json.encode(self.save), "x"))

    def say(self, text: str) -> dict[str, str]:
        """Say it, and return what the model is told before."""
        brought = self.context.for_turn(self.save, self.story, text)
        turn = Turn(self.story.head, "user", text, injections=brought.injections, lore_state=brought.lore_state)
        self.story.add(turn)
        self.save = msgspec.structs.replace(self.save, macro_values=brought.macro_values)
        return brought.injections


def test_lore_comes_before_the_turn_that_names_it_and_constant_lore_into_the_head() -> None:
    told = Told(a_save())
    assert told.save.scenario.lore == "It is always foggy here."
    assert "lore 0.0" not in told.say("Hello.")
    assert told.say("Is that a bridge?")["lore 0.0"] == "The bridge was built by Mira."
    assert "lore 0.0" not in told.say("The bridge, I said.")


def test_what_an_older_build_remembered_of_the_lore_still_counts() -> None:
    entry = {"keys": ["elf"], "content": "Elves.", "insertion_order": 1, "enabled": True, "extensions": {"sticky": 5}}
    told = Told(a_save(character_book={"entries": [entry]}))
    told.say("Hello.")
    told.save = msgspec.structs.replace(told.save, lore_state=LoreState({"0.0": 1}))
    assert "lore 0.0" in told.say("Hm.")
    assert told.context.for_turn(a_save(), told.story, "Hm.").lore_state == LoreState({"0.0": 1})


def test_what_was_rolled_is_kept_in_the_save_and_rolled_alike_with_the_same_seed() -> None:
    texts = []
    for seed in ("1", "1", "2"):
        told = Told(a_save(seed))
        first = told.say("The river!")["lore 0.1"]
        assert told.reloaded().say("Oh, the river.")["lore 0.1"] == first
        texts.append((first, told.save.scenario.system))
    assert texts[0] == texts[1] != texts[2]


def test_a_card_brings_its_post_history_instructions_and_its_depth_prompt() -> None:
    told = Told(a_save())
    assert told.save.scenario.injections == {
        POST_HISTORY: Injection("Never leave the boat, Mira.", 4),
        DEPTH_PROMPT: Injection("Mira is cold.", 6),
    }
    assert told.say("Hello.") == {POST_HISTORY: "Never leave the boat, Mira.", DEPTH_PROMPT: "Mira is cold."}


def test_the_player_may_change_his_name_and_all_else_stays() -> None:
    told = Told(a_save())
    context, boat = told.context, told.save.scenario.system.split()[-2:]
    save = context.with_memory(context.with_note(told.save, "{{user}} is wet.", 3), "A debt of {{char}}'s.")
    save = context.with_player(with_scenario(save, length="short"), "Ann", "a thief whom {{char}} knows")
    scenario = save.scenario
    assert scenario.system.startswith("Mira ferries Ann.") and scenario.system.split()[-2:] == boat
    assert (scenario.you, scenario.persona, scenario.length) == ("Ann", "a thief whom Mira knows", "short")
    assert scenario.greetings == ("Coin first, Ann.", "Go away, Ann.") and scenario.memory == "A debt of Mira's."
    assert scenario.injections[NOTE] == Injection("You is wet.", 3) and DEPTH_PROMPT in scenario.injections
    again = context.with_player(saves.parse(msgspec.json.encode(save), "x"), "Bea", "").scenario
    assert again.system.startswith("Mira ferries Bea.") and again.lore == scenario.lore


def test_a_change_is_a_new_save_and_the_old_one_stays() -> None:
    told = Told(a_save())
    context, save = told.context, told.save
    before = msgspec.json.encode(save)
    book, _ = parse_book({"entries": [{"keys": [], "constant": True, "content": "{{setvar::gold::2}}"}]}, "x")
    context.with_memory(save, "{{setvar::gold::99}}{{roll:d6}}")
    context.with_note(save, "{{incvar::gold}}", 3)
    context.with_player(save, "Ann", "{{setvar::gold::7}}")
    context.with_book(save, book)
    context.for_turn(save, told.story, "The river!")
    assert msgspec.json.encode(save) == before and "var:gold" not in save.macro_values
    assert context.with_memory(save, "{{setvar::gold::99}}").macro_values["var:gold"] == "99"


def test_a_player_cannot_take_the_name_of_the_character() -> None:
    told = Told(a_save())
    with pytest.raises(AdvreplError, match="mira is who the model speaks as"):
        told.context.with_player(told.save, "mira", "")


@pytest.mark.parametrize("text", ["", ":", " : a thief", "\u200d", "a\x1b[31m"])
def test_a_player_has_a_name(text: str) -> None:
    with pytest.raises(AdvreplError, match="does not begin with a name"):
        player(text)
    assert player(" Ann  Lee : a thief: small ") == ("Ann Lee", "a thief: small")
    assert player("می\u200cنا") == ("می\u200cنا", "") and player("👩\u200d🚀: a pilot") == ("👩\u200d🚀", "a pilot")
    with pytest.raises(
        AdvreplError, match=r"'xxxxxxxxxxxxxxxxxxxx'… is too long for a name: use at most 60 characters"
    ):
        player("x" * 61)


def test_lore_that_has_no_room_is_named() -> None:
    told = Told(a_save(character_book={"entries": [{"constant": True, "content": "w " * 50}]}), 100)
    assert told.save.scenario.lore == "" and told.context.notes[-1] == (
        "of 1 lore entries that always apply 1 have no room ('w w w w w w w w w w w w w w w '): give a larger --ctx"
    )


def test_a_book_that_the_player_adds_applies_from_then_on() -> None:
    told = Told(a_save())
    book, _ = parse_book({"entries": {"0": {"key": ["inn"], "content": "The inn is shut.", "uid": 0}}}, "world.json")
    assert "lore 1.0" not in told.say("To the inn!")
    told.save = told.context.with_book(told.save, book)
    assert told.say("To the inn!")["lore 1.0"] == "The inn is shut."
    assert len(told.context.lore(told.save).entries) == 4


def test_an_adventure_takes_notes_and_lore_too() -> None:
    told = Told(msgspec.structs.replace(a_save(), scenario=START, character=None))
    told.save = told.context.with_note(told.save, "{{char}} is in a hurry.", 2)
    assert told.say("Start!") == {NOTE: "Narrator is in a hurry."}


def test_a_turn_can_be_planned_without_being_added() -> None:
    told = Told(a_save())
    brought = told.context.for_turn(told.save, told.story, "The river!")
    assert "lore 0.1" in brought.injections and len(told.story) == 0
    planned = WithTurn(told.story, Turn(None, "user", "The river!"))
    assert len(planned) == 1 and [turn.text for turn in planned.path_turns()] == ["The river!"]
    assert planned.path_turns(1) == []


def test_what_a_book_asks_for_in_vain_is_told_once_when_the_story_begins() -> None:
    deep = {"keys": ["x"], "content": "c", "extensions": {"position": 4}}
    save = a_save(character_book={"entries": [deep, deep]})
    told = Told(save)
    (note,) = told.context.notes
    assert note.startswith("lorebook: entries that ask for a place of their own (2 at a depth): ")
    told.context.with_book(told.save, parse_book([], "none.json")[0])
    assert told.context.notes == [note]
    begun = msgspec.structs.replace(save, turns=[Turn(None, "user", "Hello.")], head=0)
    assert StoryContext(begun, count, 1000).notes == []


@pytest.mark.parametrize(("names_it", "told"), [("{{outlet::rumours}}", True), ("", False)])
def test_lore_for_an_outlet_is_told_only_where_something_names_it(names_it: str, told: bool) -> None:
    entry = {"keys": ["inn"], "content": "They whisper.", "extensions": {"position": 7, "outlet_name": "rumours"}}
    story = Told(a_save(description=f"A ferry. {names_it}", character_book={"entries": [entry]}))
    assert ("They whisper." in story.say("To the inn!").values()) == told


@pytest.mark.parametrize(
    ("rules", "told"),
    [
        ({"characterFilter": {"isExclude": False, "names": ["Sabine"], "tags": []}}, False),
        ({"characterFilter": {"isExclude": False, "names": ["Mira"], "tags": []}}, True),
        ({"characterFilter": {"isExclude": True, "names": ["Mira"], "tags": []}}, False),
        ({"characterFilter": {"isExclude": False, "names": [], "tags": ["sea"]}}, True),
        ({"triggers": ["continue"]}, False),
        ({"key": ["ferries"]}, False),
        ({"key": ["ferries"], "matchCharacterDescription": True}, True),
        ({"key": ["patience"], "matchCreatorNotes": True}, True),
    ],
)
def test_lore_is_told_to_whom_it_is_meant(rules: dict[str, Any], told: bool) -> None:
    book, _ = parse_book({"entries": {"0": {"uid": 0, "key": ["inn"], "content": "Shut.", **rules}}}, "world.json")
    story = Told(a_save(tags=["Sea"], character_book=None, creator_notes="She needs patience."))
    story.save = story.context.with_book(story.save, book)
    assert ("Shut." in story.say("To the inn!").values()) == told


HAIR = "{{pick::red::black::blond::white::grey::green::blue}}"


def lore_of(*entries: dict[str, Any]) -> Told:
    return Told(a_save(character_book={"entries": list(entries)}))


def test_dice_and_counters_in_lore_are_new_whenever_it_is_told() -> None:
    told = lore_of({"keys": ["owl"], "content": "{{roll:1000000}} {{incvar::n}} " + HAIR})
    texts = []
    for _ in range(5):
        again = told.context.for_turn(told.save, told.story, "The owl.").injections["lore 0.0"]
        texts.append(told.say("The owl.")["lore 0.0"].split())
        assert again == " ".join(texts[-1])  # the same turn, planned once more
        told.story.add(Turn(told.story.head, "model", "Hm."))
    assert [count for _, count, _ in texts] == ["1", "2", "3", "4", "5"]
    assert len({roll for roll, _, _ in texts}) == 5 and len({hair for _, _, hair in texts}) == 1


def test_each_entry_picks_for_itself() -> None:
    told = lore_of(*({"keys": [], "constant": True, "content": f"{name} has {HAIR} hair."} for name in "ABCDEFGH"))
    hair = [line.split()[2] for line in told.save.scenario.lore.split("\n")]
    assert len(hair) == 8 and len(set(hair)) > 2
    assert told.reloaded().save.scenario.lore == told.save.scenario.lore


def test_lore_that_always_applies_and_rolls_is_told_before_the_turns() -> None:
    told = lore_of({"keys": [], "constant": True, "content": "The wind is {{roll:1000000}}."})
    assert told.save.scenario.lore == ""
    first, second = told.say("Hello."), told.say("And now?")
    assert first["lore 0.0"] != second["lore 0.0"]


def test_lore_near_the_end_of_the_prompt_is_told_again_as_often_as_it_asks() -> None:
    deep = {"keys": [], "constant": True, "content": "Be brief.", "extensions": {"position": 4, "depth": 2, "role": 1}}
    far = {"keys": [], "constant": True, "content": "It is old.", "extensions": {"position": 4, "depth": 99}}
    told = lore_of(deep, far, {"keys": [], "constant": True, "content": "@@role assistant\nI am Mira."})
    assert told.save.scenario.lore == "It is old."
    brought = told.context.for_turn(told.save, told.story, "Hello.")
    assert brought.injection_roles == {"lore 0.0": "user", "lore 0.2": "assistant"}
    said = []
    for _ in range(5):
        said.append([source for source in told.say("Hello.") if source.startswith("lore")])
        told.story.add(Turn(told.story.head, "model", "Hm."))
    assert said == [["lore 0.2", "lore 0.0"], *[["lore 0.0"]] * 3, ["lore 0.2", "lore 0.0"]]


def test_another_context_has_room_for_more_of_the_lore_in_the_head() -> None:
    entries = [{"keys": [], "constant": True, "content": f"{n}: " + "It is so. " * 20} for n in range(9)]
    saved = Told(a_save(character_book={"entries": entries}), 400).save
    story = msgspec.structs.replace(saved, turns=[Turn(None, "model", "Hm.")])
    wide = StoryContext(story, count, 4000)
    assert saved.scenario.lore.count("\n") < wide.reopened(story).scenario.lore.count("\n") == 8
    assert wide.notes == ["the lore that always applies was put together anew: the whole prompt is read once"]
    again = StoryContext(story, count, 400)
    assert again.reopened(story).scenario.lore == saved.scenario.lore and len(again.notes) == 1


def test_lore_knows_the_context_and_the_note() -> None:
    told = lore_of({"keys": ["owl"], "content": "{{maxContext}} {{authorsNote}} {{lastMessageId}} {{input}}"})
    told.save = told.context.with_note(told.save, "It rains.", 3)
    assert told.say("The owl?")["lore 0.0"] == "1000 It rains. 0 The owl?"


def test_macros_that_nobody_knows_are_named_when_the_story_begins() -> None:
    told = lore_of({"keys": ["owl"], "content": "{{strange}} {{char}}"})
    assert "lorebook: macros that nobody knows stay as they are: {{strange}}" in told.context.notes


def test_greetings_have_the_numbers_of_the_card_with_its_empty_ones() -> None:
    contents = "@@is_greeting 4\n{{greeting::2}}", "@@is_greeting 1\nb"
    book = {"entries": [{"keys": ["owl"], "content": content} for content in contents]}
    told = Told(a_save(first_mes="", alternate_greetings=["", "Go.", "Go.", "Stay."], character_book=book))
    assert told.save.scenario.opening == "Go." and told.save.scenario.greetings == ("Go.", "Stay.")
    told.story.say("model", "Stay.")
    assert [text for source, text in told.say("The owl?").items() if source.startswith("lore")] == ["Go."]
