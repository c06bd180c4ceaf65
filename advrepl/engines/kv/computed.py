"""Number the tokens of a cache as they are computed, so that what was put away of them is found again.

A token keeps its number while it is kept or moved; one that is computed again gets another one. Pure.
"""

from collections.abc import Iterable, Sequence
from itertools import count
from typing import NamedTuple

_UNUSED = count(1)


class Run(NamedTuple):
    """Stand for tokens with numbers that follow each other."""

    block: int  # numbers are pairs: those of different blocks have nothing to do with each other
    first: int
    length: int


def fresh(length: int) -> tuple[Run, ...]:
    """Return numbers that nothing has had yet."""
    return (Run(next(_UNUSED), 0, length),) if length > 0 else ()


def part(runs: Iterable[Run], start: int, end: int) -> tuple[Run, ...]:
    """Return the numbers from position `start` to before `end`, or fewer if there are not so many."""
    found, at = list[Run](), 0
    for block, first, length in runs:
        low, high = max(start - at, 0), min(end - at, length)
        if low < high:
            found.append(Run(block, first + low, high - low))
        at += length
    return tuple(found)


def total(runs: Sequence[Run]) -> int:
    """Return how many tokens are numbered."""
    return sum(run.length for run in runs)
