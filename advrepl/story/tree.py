"""A story as a tree of turns that only grows.

Retry, undo, edit, continue and branch are all "add a turn" and "move the head"; nothing is ever removed.
Does not know how turns are spelled for a model or kept on disk.
"""

from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, Protocol

import msgspec

Role = Literal["user", "model"]


class Turn(msgspec.Struct, frozen=True, omit_defaults=True):
    """One thing said: by the player ("user") or by the model, and how it was made."""

    parent: int | None  # index into Story.turns; None for the first turn of a story
    role: Role
    text: str
    seed: int | None = None
    stop: str = ""
    seconds: float | None = None
    # What the model is told before this turn, by its source: the lore and notes that were due when it was said.
    before: dict[str, str] = {}


class Telling(Protocol):
    """Turns in their order, however they are kept."""

    def __len__(self) -> int: ...
    def told(self, start: int = 0) -> list[Turn]: ...


class Story:
    """The turns and where the reader stands: `head` is the last turn of the path that is being read."""

    def __init__(self, turns: Iterable[Turn] = (), head: int | None = None) -> None:
        self.turns = list(turns)
        self.path: list[int] = []  # from the first turn to the head; kept, so that a turn costs the same at any length
        self.goto(head)

    def __len__(self) -> int:
        return len(self.path)

    @property
    def head(self) -> int | None:
        return self.path[-1] if self.path else None

    @property
    def last(self) -> Turn | None:
        return self.turns[self.path[-1]] if self.path else None

    def add(self, turn: Turn) -> int:
        """Append a turn and move the head to it. Its parent is nearly always the head."""
        if turn.parent != self.head:
            self.goto(turn.parent)
        self.turns.append(turn)
        self.path.append(len(self.turns) - 1)
        return self.path[-1]

    def say(self, role: Role, text: str) -> int:
        return self.add(Turn(self.head, role, text))

    def goto(self, head: int | None) -> None:
        """Move the head to any turn, or before the first one (None). Costs the way to the path that is left."""
        way: list[int] = []
        place = -1
        while head is not None:
            place = bisect_left(self.path, head)  # parents come before their children, so a path is sorted
            if self.path[place : place + 1] == [head]:
                break
            way.append(head)
            head = self.turns[head].parent
        kept = 0 if head is None else place + 1
        self.path[kept:] = reversed(way)

    def told(self, start: int = 0) -> list[Turn]:
        """The turns of the path from position `start` on."""
        return [self.turns[index] for index in self.path[start:]]

    def children(self, index: int | None) -> list[int]:
        return [i for i, turn in enumerate(self.turns) if turn.parent == index]

    def siblings(self, index: int) -> list[int]:
        """All takes of this turn, itself among them, oldest first."""
        return self.children(self.turns[index].parent)


@dataclass(frozen=True, slots=True)
class Before:
    """A story as it was before its last turn."""

    story: Story

    def __len__(self) -> int:
        return len(self.story) - 1

    def told(self, start: int = 0) -> list[Turn]:
        return self.story.told(start)[:-1]


@dataclass(frozen=True, slots=True)
class Next:
    """A story as it would be with one more turn, without adding it."""

    story: Story
    turn: Turn

    def __len__(self) -> int:
        return len(self.story) + 1

    def told(self, start: int = 0) -> list[Turn]:
        return [*self.story.told(start), self.turn][max(start - len(self.story), 0) :]
