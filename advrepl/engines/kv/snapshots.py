"""Copies of a recurrent state, by how many tokens each stands for, and which of them are worth their memory.

Such a state stands for all tokens before it, so it cannot be cut back: it goes on from a copy, and what follows that is
read again. Does not take copies (an engine does) and does not know when (llama/engine.py).
"""

from collections.abc import Iterable
from enum import IntEnum
from typing import Any

EVERY = 8  # tokens between two copies while a reply is written: no more than these are read again
ROOM = 256 << 20  # bytes for copies at the borders of turns, and as many for those within replies
STORED, STORED_ROOM = (2, 24), 32 << 20  # so many are put away, at least and at most, within these bytes


class SnapshotKind(IntEnum):
    """Say where a copy was taken, and so what it is good for."""

    PASSING = 0  # within a reply: to leave out its last words
    BORDER = 1  # before or behind what a player said: retry, undo
    HEAD = 2  # behind the prompt head, with which every window begins


# How many of each kind are kept, at least and at most; between them, as many as fit ROOM.
KEPT = {SnapshotKind.PASSING: (3, 64), SnapshotKind.BORDER: (4, 64), SnapshotKind.HEAD: (1, 1)}


class Snapshots:
    """Hold copies of one sequence's state; all are of the tokens that it has cached."""

    def __init__(self) -> None:
        self._kept: dict[int, tuple[SnapshotKind, Any]] = {}

    @classmethod
    def of(cls, kept: Iterable[tuple[int, int, bytes]]) -> "Snapshots":
        """Return those that were listed by `worth_storing`."""
        snapshots = cls()
        for at, kind, data in kept:
            snapshots.add(at, SnapshotKind(kind), data)
        return snapshots

    def worth_storing(self) -> list[tuple[int, int, bytes]]:
        """List position, kind and copy of those at the head and of the newest, for what a player may ask for first."""
        first = lambda at: (self._kept[at][0] == SnapshotKind.HEAD, at)  # noqa: E731  # a slide begins at the head
        wanted = sorted(self._kept, key=first, reverse=True)
        most = max(STORED[0], min(STORED[1], STORED_ROOM // max(len(self.data(wanted[0])), 1))) if wanted else 0
        return [(at, int(self._kept[at][0]), self._kept[at][1]) for at in sorted(wanted[:most])]

    def copy(self) -> "Snapshots":
        """Return one that goes its own way; the copies themselves are shared, and never changed."""
        other = Snapshots()
        other._kept = dict(self._kept)
        return other

    def add(self, at: int, kind: SnapshotKind, data: Any) -> None:
        """Keep a copy for the first `at` tokens; of its kind the oldest goes where there is no room for all."""
        if at not in self._kept or self._kept[at][0] < kind:
            self._kept[at] = kind, data
        least, most = KEPT[kind]
        alike = [at for at in sorted(self._kept) if self._kept[at][0] == kind]
        for old in alike[: -max(least, min(most, ROOM // max(len(data), 1)))]:
            del self._kept[old]

    def last(self, keep: int) -> int:
        """Return the most tokens, at most `keep`, for which there is a copy; 0 if there is none."""
        return max((at for at in self._kept if at <= keep), default=0)

    def data(self, at: int) -> Any:
        """Return the copy for just so many tokens; raises KeyError if there is none."""
        return self._kept[at][1]

    def cut(self, keep: int) -> None:
        """Forget the copies for more than `keep` tokens."""
        self._kept = {at: kept for at, kept in self._kept.items() if at <= keep}
