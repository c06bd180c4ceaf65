"""What stands between the turns: when it is due, and what of it is still shown."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from advrepl.story.injections import LORE_DEPTH, NOTE, due, shown
from advrepl.story.scenario import START, Reminder, Scenario
from advrepl.story.tree import Story, Turn

RAIN = Reminder("It rains.", 4)


def with_note(note: Reminder | None) -> Scenario:
    return msgspec.structs.replace(START, reminders={NOTE: note} if note else {})


def test_a_note_is_due_at_once_and_again_before_it_is_too_far_away() -> None:
    scenario, story = with_note(RAIN), Story()
    noted = []
    for _ in range(6):
        before = due(scenario, {}, story.told())
        noted.append(bool(before))
        story.add(Turn(story.head, "user", "on", before=before))
        story.say("model", "You go on.")
    assert noted == [True, False, True, False, True, False]


@given(st.integers(1, 12), st.integers(1, 60))
def test_a_note_always_stands_among_the_last_turns(depth: int, moves: int) -> None:
    scenario, story = with_note(Reminder("x", depth)), Story()
    for _ in range(moves):
        story.add(Turn(story.head, "user", "on", before=due(scenario, {}, story.told())))
        assert any(NOTE in turn.before for turn in story.told()[-depth:])
        story.say("model", "You go on.")


def test_a_changed_note_is_due_at_once_and_the_old_one_is_no_longer_shown() -> None:
    story = Story()
    story.add(Turn(None, "user", "on", before={NOTE: RAIN.text, "lore 0.1": "A bridge."}))
    assert shown(with_note(RAIN), story.told()[0]) == ("It rains.", "A bridge.")
    sun = with_note(Reminder("The sun is out.", 4))
    assert shown(sun, story.told()[0]) == ("A bridge.",) == shown(with_note(None), story.told()[0])
    assert due(sun, {}, story.told()) == {NOTE: "The sun is out."}


def test_lore_is_told_again_only_when_it_has_become_distant() -> None:
    story = Story()
    story.add(Turn(None, "user", "bridge", before={"lore 1": "It is old."}))
    for _ in range(LORE_DEPTH - 1):
        assert due(START, {"lore 1": "It is old.", "lore 2": "New."}, story.told()) == {"lore 2": "New."}
        story.say("model", "…")
    assert due(START, {"lore 1": "It is old."}, story.told()) == {"lore 1": "It is old."}
