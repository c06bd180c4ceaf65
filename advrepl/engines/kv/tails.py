"""Tails: what a cache held of a branch of the story that was left, by its tokens, until that branch is read again.

A tail fits wherever the tokens before it are the same, so whatever the player has changed keeps it out. Does not copy
cells (an engine does).
"""

from collections.abc import Sequence
from typing import Any

from msgspec import Struct

from advrepl.engines.kv.computed import Run
from advrepl.engines.kv.reuse import common_prefix
from advrepl.machine import free_memory

LEAST = 16  # tokens that are worth a copy
MOST = 256  # tails: each is compared with what is wanted
MEMORY_ROOM = 512 << 20  # bytes that are left to the rest of the machine


class Tail(Struct, frozen=True, eq=False):
    """Hold the cells of a sequence from position `start` on, and what is known of them (generation.SequenceState)."""

    tokens: Sequence[int]  # of the whole sequence
    start: int
    cells: Sequence[Any]
    runs: tuple[Run, ...]  # the numbers of those tokens that have cells here
    unshifted: int | None
    missing: tuple[tuple[int, int], ...]
    copies: list[tuple[int, int, bytes]]  # of its recurrent part (Snapshots.worth_storing)

    @property
    def size(self) -> int:
        """Return how many bytes it takes."""
        return sum(map(len, self.cells)) + sum(len(copy) for _, _, copy in self.copies)

    @property
    def worth(self) -> float:
        """Return what it saves: tokens that need not be read, for each byte."""
        return (len(self.tokens) - self.start) / max(self.size, 1)

    def bears(self, other: "Tail") -> bool:
        """Tell whether another one begins within this one, and not at its beginning."""
        at = other.start
        begins = self.start < at <= len(self.tokens) and self.tokens[at - 1] == other.tokens[at - 1]
        return begins and list(self.tokens[:at]) == list(other.tokens[:at])

    def may_reach(self, wanted: Sequence[int], held: int) -> bool:
        """Tell whether more than so many of the wanted tokens may be cached with it, without a look at those before."""
        start, end = self.start, min(len(self.tokens), len(wanted) - 1)
        if not start <= held < end or self.tokens[held] != wanted[held]:
            return False
        return list(self.tokens[start:held]) == list(wanted[start:held])

    def holds(self, other: "Tail") -> bool:
        """Tell whether it has all that another one has."""
        end, start = len(other.tokens), other.start
        if not self.start <= start < end <= len(self.tokens):
            return False
        own = list(self.tokens[start:end]) == list(other.tokens[start:])
        return own and list(self.tokens[:start]) == list(other.tokens[:start])

    def reach(self, wanted: Sequence[int]) -> int:
        """Return how many of the wanted tokens are cached where this tail is put back; 0 where it does not fit."""
        start, most = self.start, len(wanted) - 1
        if list(wanted[:start]) != list(self.tokens[:start]):
            return 0
        common = min(start + common_prefix(self.tokens[start:], wanted[start:]), most)
        if not self.copies or common == len(self.tokens):
            return common
        return max((at for at, _, _ in self.copies if at <= common), default=0)


class Tails:
    """Keep the tails of one engine, those that save most for their bytes and were wanted last."""

    def __init__(self) -> None:
        self.limit = 0  # bytes for all of them
        # What each is worth, and what the last that had to go was worth when it was put here or wanted: so what is
        # never wanted again goes in the end, whatever it would save (GreedyDual-Size, Cao and Irani 1997).
        self._kept: dict[Tail, float] = {}
        self._inflation = 0.0

    @property
    def count(self) -> int:
        """Return how many are kept."""
        return len(self._kept)

    def make_room(self, size: int) -> bool:
        """Let go what has to go for so many bytes; False if there is no room for them at all."""
        held = sum(tail.size for tail in self._kept)
        room = min(self.limit, held + free_memory() - MEMORY_ROOM)
        if size > room:
            return False
        while held + size > room or len(self._kept) >= MOST:
            least = next(filter(self._bears_none, sorted(self._kept, key=lambda tail: self._kept[tail])))
            self._inflation = max(self._inflation, self._kept.pop(least))
            held -= least.size
        return True

    def _bears_none(self, tail: Tail) -> bool:
        """Tell whether no other one begins within it: without it, that could not be put back."""
        return not any(tail.bears(other) for other in self._kept)

    def add(self, tail: Tail) -> None:
        """Keep a tail; what it has of others is let go."""
        for other in list(self._kept):
            if tail.holds(other):
                del self._kept[other]
        self._kept[tail] = self._inflation + tail.worth

    def find(self, wanted: Sequence[int], held: int) -> tuple[Tail, int] | None:
        """Return the tail to put back where so many of the wanted tokens are cached, and its reach.

        None: all that fit, one behind the other, save too little.
        """
        return self._furthest(wanted, held) if self.held(wanted, held) > held else None

    def _furthest(self, wanted: Sequence[int], held: int) -> tuple[Tail, int] | None:
        reaches = ((tail, tail.reach(wanted)) for tail in self._kept if tail.may_reach(wanted, held))
        tail, reach = max(reaches, key=lambda found: found[1], default=(None, 0))
        return (tail, reach) if tail and reach > held else None

    def used(self, tail: Tail, reach: int) -> None:
        """Note that a tail was put back so far; it goes, as the cache has it, unless there is more to it."""
        del self._kept[tail]
        if len(tail.tokens) >= reach + LEAST:
            self._kept[tail] = self._inflation + tail.worth

    def remove(self, tail: Tail) -> None:
        """Let go one that could not be put back."""
        del self._kept[tail]

    def forget_moved(self) -> None:
        """Let go all that know of turns that had slid out."""
        self._kept = {tail: worth for tail, worth in self._kept.items() if tail.unshifted is None}

    def held(self, wanted: Sequence[int], held: int) -> int:
        """Return how many of the wanted tokens would be cached with all that fits; `held`: that are without.

        A tail may begin a few tokens within another one, as "way 10" does within "way 1".
        """
        reach = held
        while found := self._furthest(wanted, reach):
            reach = found[1]
        return reach if reach >= held + LEAST else held
