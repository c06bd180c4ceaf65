"""Changes of a tree: other words for an old turn, turns that go, and the futures that are remembered."""

from hypothesis import given
from hypothesis import strategies as st

from advrepl.story import editing, saves
from advrepl.story.outline import stretches
from advrepl.story.scenario import START
from advrepl.story.tree import Story, Turn
from tests.story.test_tree import told

STEPS = st.lists(st.tuples(st.booleans(), st.integers(0, 50)), max_size=40)


def grown(steps: list[tuple[bool, int]]) -> Story:
    """A tree as players make them: here and there the story goes on from an older turn."""
    story = Story()
    story.say("user", "0")
    for jump, where in steps:
        if jump:
            story.goto(where % len(story.turns))
        story.say("user", str(len(story.turns)))
    return story


def save_of(story: Story, **fields: object) -> saves.Save:
    return saves.Save(
        saves.SCHEMA, "", "", saves.ModelRef(), "", {}, START, story.turns, story.head, futures=story.futures,
        **fields,  # type: ignore[arg-type]
    )  # fmt: skip


def test_an_edit_copies_what_follows_and_leaves_the_old_words_their_future() -> None:
    story = told()
    for turn in editing.edit(story, 1, "A barn."):
        story.add(turn)
    assert [turn.text for turn in story.path_turns()] == ["Start!", "A barn.", "go inside", "A hall."]
    story.goto(story.future(1))
    assert [turn.text for turn in story.path_turns()] == ["Start!", "A house.", "go inside", "A hall."]


def test_a_take_is_read_with_what_was_read_last_behind_it() -> None:
    story = told()
    story.add(Turn(1, "user", "go away"))
    assert story.future(1) == 4
    story.goto(3)
    assert story.future(1) == 3 and story.futures == {1: 2}
    assert Story(story.turns, 1, story.futures).future(1) == 3
    assert Story(story.turns, 1, {1: 0, 9: 9, -1: 3}).future(1) == 4, "what does not fit is passed over"


def test_a_branch_goes_with_all_that_follows_it() -> None:
    story = told()
    story.add(Turn(1, "user", "go away"))
    save = editing.without(save_of(story, branches={"in": 3, "out": 4}, branch="out"), story, 2)
    assert [(turn.parent, turn.text) for turn in save.turns] == [(None, "Start!"), (0, "A house."), (1, "go away")]
    assert (save.head, save.branches, save.deleted) == (2, {"out": 2}, 2)
    save = editing.without(save_of(story), story, 4)
    assert save.head == 3, "the other take's future"


@given(STEPS, st.integers(0, 50))
def test_what_is_left_of_a_tree_is_as_it_was(steps: list[tuple[bool, int]], which: int) -> None:
    story = grown(steps)
    index = which % len(story.turns)
    if index == 0:
        return
    save = editing.without(save_of(story), story, index)
    left = Story(save.turns, save.head, save.futures)
    gone = {str(turn) for turn in editing.subtree(story, index)}

    def ways(tree: Story) -> set[tuple[str, ...]]:
        """Each turn by all the words on the way to it; a turn's words are its old number."""
        found = set()
        for turn in range(len(tree.turns)):
            tree.goto(turn)
            found.add(tuple(each.text for each in tree.path_turns()))
        return found

    assert ways(left) == {way for way in ways(story) if not gone & set(way)}


@given(STEPS)
def test_every_turn_is_in_one_stretch(steps: list[tuple[bool, int]]) -> None:
    story = grown(steps)
    found = list(stretches(story))
    assert sum(each.count for each in found) == len(story.turns)
    assert sum(each.count for each in found if each.on_path) == len(story.path)
    assert all(each.depth == 0 for each in found if each.on_path)
    assert len({each.first for each in found}) == len(found)


@given(STEPS)
def test_futures_survive_a_save(steps: list[tuple[bool, int]]) -> None:
    story = grown(steps)
    save = saves.parse(saves.encode(save_of(story)), "x")
    again = Story(save.turns, save.head, save.futures)
    assert again.futures == story.futures
    assert [again.future(turn) for turn in range(len(story.turns))] == [
        story.future(turn) for turn in range(len(story.turns))
    ]
