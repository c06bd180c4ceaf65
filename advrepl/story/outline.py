"""A story's tree as lines: a line for each stretch between two forks, the path that is read in the middle.

Pure. Costs what the tree costs, once; only the lines that are asked for are made.
"""

from collections.abc import Iterator
from itertools import islice

from msgspec import Struct

from advrepl.story.tree import Story


class Stretch(Struct, frozen=True):
    """Turns that follow each other without a fork between them."""

    first: int  # indices into Story.turns
    last: int
    count: int
    depth: int  # forks off the path that is read
    on_path: bool
    takes: int  # of the first turn, itself among them
    way: int  # characters of turns from the path that is read to the end of this


def stretches(story: Story, root: int | None = None) -> Iterator[Stretch]:
    """Yield the stretches from a turn on, or of the whole tree, in the order in which they are drawn.

    At a fork the take that was read last comes last, at the depth of what is before it; the others are one deeper.
    """
    path = set(story.path)
    starts = story.children(None) if root is None else [root]
    waiting = _ordered(story, None if root is None else story.turns[root].parent, starts, 0, 0)
    while waiting:
        first, depth, way = waiting.pop()
        turn, count = first, 1
        on_path = first in path
        way += 0 if on_path else len(story.turns[first].text)
        while len(following := story.children(turn)) == 1 and (following[0] in path) == on_path:
            turn, count = following[0], count + 1
            way += 0 if on_path else len(story.turns[turn].text)
        yield Stretch(first, turn, count, depth, on_path, len(story.siblings(first)), way)
        waiting += _ordered(story, turn, following, depth, way)


def _ordered(story: Story, parent: int | None, takes: list[int], depth: int, way: int) -> list[tuple[int, int, int]]:
    """What follows a fork as a stack: the one that was read last at its bottom."""
    if not takes:
        return []
    main = story.following(parent)
    main = takes[-1] if main not in takes else main
    others = [(take, depth + 1, way) for take in reversed(takes) if take != main]
    return [(main, depth, way), *others]


def around(found: list[Stretch], at: int, most: int) -> tuple[list[Stretch], int, int]:
    """Return at most so many stretches around one, and how many there are before and behind them."""
    start = max(min(at - most // 2, len(found) - most), 0)
    kept = list(islice(found, start, start + most))
    return kept, start, len(found) - start - len(kept)
