"""What stands between the turns: when it is due, and what of it is still shown."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from advrepl.story.injections import LORE_DEPTH, NOTE, due, shown
from advrepl.story.scenario import START, Injection, Scenario
from advrepl.story.tree import Story, Turn

RAIN = Injection("It rains.", 4)


def with_note(note: Injection | None) -> Scenario:
    return msgspec.structs.replace(START, injections={NOTE: note} if note else {})


def texts(before: dict[str, Injection]) -> dict[str, str]:
    return {source: injection.text for source, injection in before.items()}


def test_a_note_is_due_at_once_and_again_before_it_is_too_far_away() -> None:
    scenario, story = with_note(RAIN), Story()
    noted = []
    for _ in range(6):
        before = texts(due(scenario, {}, story.path_turns()))
        noted.append(bool(before))
        story.add(Turn(story.head, "user", "on", injections=before))
        story.say("model", "You go on.")
    assert noted == [True, False, True, False, True, False]


@given(st.integers(1, 12), st.integers(1, 60))
def test_a_note_always_stands_among_the_last_turns(depth: int, moves: int) -> None:
    scenario, story = with_note(Injection("x", depth)), Story()
    for _ in range(moves):
        story.add(Turn(story.head, "user", "on", injections=texts(due(scenario, {}, story.path_turns()))))
        assert any(NOTE in turn.injections for turn in story.path_turns()[-depth:])
        story.say("model", "You go on.")


def test_a_changed_note_is_due_at_once_and_the_old_one_is_no_longer_shown() -> None:
    story = Story()
    story.add(Turn(None, "user", "on", injections={NOTE: RAIN.text, "lore 0.1": "A bridge."}))
    assert shown(with_note(RAIN), story.path_turns()[0]) == (("system", "It rains."), ("system", "A bridge."))
    sun = with_note(Injection("The sun is out.", 4))
    assert (
        shown(sun, story.path_turns()[0]) == (("system", "A bridge."),) == shown(with_note(None), story.path_turns()[0])
    )
    assert due(sun, {}, story.path_turns()) == sun.injections


@pytest.mark.parametrize("depth", [1, 3, LORE_DEPTH])
def test_lore_is_told_again_only_when_it_has_become_distant(depth: int) -> None:
    story, old, new = Story(), Injection("It is old.", depth), Injection("New.", LORE_DEPTH, "assistant")
    story.add(Turn(None, "user", "bridge", injections={"lore 1": "It is old."}))
    for _ in range(depth - 1):
        assert due(START, {"lore 1": old, "lore 2": new}, story.path_turns()) == {"lore 2": new}
        story.say("model", "…")
    assert due(START, {"lore 1": old}, story.path_turns()) == {"lore 1": old}
