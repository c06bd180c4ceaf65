"""A memory of spans: every line is what its turn says, and is there only where the turn is read."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from advrepl import AdvreplError
from advrepl.play.memory import sentences
from advrepl.story import editing, quotes, saves
from advrepl.story.injections import RECAP
from advrepl.story.quotes import Quote
from advrepl.story.tree import Story, Turn
from tests.story.test_editing import grown, save_of

STEPS = st.lists(st.tuples(st.booleans(), st.integers(0, 50)), max_size=30)
SPANS = st.lists(st.tuples(st.integers(0, 50), st.integers(0, 9), st.integers(0, 9), st.booleans()), max_size=30)


@given(STEPS, SPANS, st.integers(0, 50))
def test_every_line_is_a_substring_of_a_turn_on_the_path(
    steps: list[tuple[bool, int]], spans: list[tuple[int, int, int, bool]], head: int
) -> None:
    story = grown(steps)
    story = Story([Turn(turn.parent, turn.role, f"say {turn.text} ok") for turn in story.turns], story.head)
    found = tuple(
        Quote(turn % len(story.turns), min(start, end, 7), min(max(start, end), 7), pinned)
        for turn, start, end, pinned in spans
    )
    assert quotes.fits(found, story) is None
    story.goto(head % len(story.turns))
    told = [turn.text for turn in story.path_turns()]
    lines = quotes.on_path(found, story)
    assert all(quotes.text(line, story) == story.turns[line.turn].text[line.start : line.end] for line in lines)
    assert all(any(quotes.text(line, story) in text for text in told) for line in lines)
    assert {line.turn for line in lines} <= set(story.path)


def test_lines_are_told_in_batches_and_pinned_ones_at_once() -> None:
    story = Story([Turn(at - 1 if at else None, "model", f"line {at}") for at in range(10)], 9)
    found = [Quote(at, 0, 6) for at in range(6)]
    assert quotes.told(found[:3], story) == ""
    assert quotes.told(found, story) == "Earlier: line 0 … line 1 … line 2 … line 3"
    assert quotes.told([*found, Quote(8, 0, 4, pinned=True)], story).endswith("line 3 … line")
    story.goto(2)
    assert quotes.told(found, story) == "", "the others are on a path that is not read"


def test_an_edit_and_a_deletion_take_lines_along() -> None:
    turns = [
        Turn(None, "model", "A house."),
        Turn(0, "user", "in", injections={RECAP: "Earlier: A house.", "note": "x"}),
    ]
    story = Story([*turns, Turn(0, "user", "out")], 1)
    save = save_of(story, quotes=(Quote(0, 0, 7), Quote(1, 0, 2), Quote(2, 0, 3)))
    assert editing.without(save, story, 1).quotes == (Quote(0, 0, 7), Quote(1, 0, 3))
    edited = editing.edit(story, 0, "A barn.")
    assert edited[1].injections == {"note": "x"}, "nothing behind the edit quotes the old words"


def test_a_line_that_is_no_part_of_a_turn_is_damage() -> None:
    save = save_of(Story([Turn(None, "model", "A house.")], 0), quotes=(Quote(0, 2, 9),))
    with pytest.raises(AdvreplError, match=r"x is damaged: quotes\[0\] is no part of a turn"):
        saves.parse(saves.encode(save), "x")


@given(st.text(alphabet='ab. !?"\n…。', max_size=60))
def test_sentences_are_spans_in_order(prose: str) -> None:
    found = sentences(prose)
    assert all(a[1] <= b[0] for a, b in pairwise(found))
    assert all(prose[start:end].strip() == prose[start:end] != "" for start, end in found)


def test_sentences_of_prose() -> None:
    prose = 'The door is locked. "Who is there in the dark?" she asks. No.\n\nA key lies under the mat…'
    assert [prose[start:end] for start, end in sentences(prose)] == [
        "The door is locked.", '"Who is there in the dark?"', "A key lies under the mat…",
    ]  # fmt: skip
