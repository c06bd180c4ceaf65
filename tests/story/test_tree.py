"""Stories: the tree grows, the head moves, nothing is lost."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from advrepl.story.tree import Story, Turn


def told() -> Story:
    story = Story()
    for role, text in (("user", "Start!"), ("model", "A house."), ("user", "go inside"), ("model", "A hall.")):
        story.say(role, text)  # type: ignore[arg-type]
    return story


def test_retry_adds_a_sibling_and_keeps_the_old_take() -> None:
    story = told()
    take = story.add(Turn(2, "model", "A cellar."))
    assert [turn.text for turn in story.path_turns()] == ["Start!", "A house.", "go inside", "A cellar."]
    assert story.siblings(take) == [3, 4]
    story.goto(3)
    assert story.last == Turn(2, "model", "A hall.")


def test_before_the_first_turn_there_is_no_head() -> None:
    story = told()
    story.goto(None)
    assert story.head is None and story.last is None and story.path_turns() == []
    assert story.children(None) == [0]


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 50)), max_size=60))
def test_path_follows_the_parents_whatever_is_added_and_moved(steps: list[tuple[bool, int]]) -> None:
    story = Story()
    for jump, where in steps:
        if jump and story.turns:
            story.goto(where % len(story.turns))
        story.say("user", "x")
    kept = Story(story.turns, story.head)
    assert kept.path == story.path
    assert all(story.turns[b].parent == a for a, b in zip(story.path, story.path[1:], strict=False))


@given(st.lists(st.tuples(st.integers(-1, 60), st.booleans()), max_size=60))
def test_what_follows_a_turn_is_all_that_name_it_as_their_parent(steps: list[tuple[int, bool]]) -> None:
    story = Story()
    for place, taken_back in steps:
        count, head = len(story.turns), story.head
        story.add(Turn(min(place, count - 1) if place >= 0 and count else None, "model", "x"))
        if taken_back:
            story.take_back(count, head)
    parents = [turn.parent for turn in story.turns]
    for index in (None, *range(len(parents))):
        following = [child for child, parent in enumerate(parents) if parent == index]
        assert story.children(index) == Story(story.turns).children(index) == following


def test_turns_that_are_told_nothing_share_one_empty_dictionary() -> None:
    plain, told = Turn(None, "user", "x"), Turn(None, "user", "x", injections={"note": "It rains."})
    read = msgspec.json.decode(msgspec.json.encode([plain, told]), type=list[Turn])
    assert read == [plain, told] and b"injection_roles" not in msgspec.json.encode(told)
    assert read[0].injections is plain.injections is plain.injection_roles is told.injection_roles
