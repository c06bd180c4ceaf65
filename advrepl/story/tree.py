"""A story as a tree of turns that only grows.

Retry, undo, edit, continue and branch are all "add a turn" and "move the head"; nothing is ever removed.
Does not know how turns are spelled for a model or kept on disk.
"""

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, Protocol

import msgspec
from msgspec import Struct

from advrepl.lore import entries, timing

Role = Literal["user", "model"]
_NOTHING: dict[str, Any] = {}


class Change(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """What a turn changes of what the player has, and where he is (carried.py)."""

    taken: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()
    place: str = ""  # where he is from then on; empty: where he was


class Turn(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """Something said or done, by the player ("user") or by the model, and how it was made."""

    parent: int | None  # index into Story.turns; None for the first turn of a story
    role: Role
    text: str
    seed: int | None = None
    stop: str = ""
    seconds: float | None = None
    # What the model is told before this turn, by its source: the lore and notes that were due when it was added.
    injections: dict[str, str] = {}  # never changed in place
    injection_roles: dict[str, entries.Role] = {}  # who says one of these, where it is not the program
    lore_state: timing.LoreState | None = None  # what the story remembers of its lore from this turn on; None: nothing
    thoughts: str = ""  # what the model thought before it said this; no prompt shows it
    change: Change | None = None  # of what is carried, as the model says; None: it was not asked
    correction: Change | None = None  # and as the player says, which comes after
    # What a reply was written with, so that it can be written again (play/replay.py):
    sampling: int | None = None  # place in Save.samplings
    prompt: str = ""  # the digest of its prompt
    start: int = 0  # the first block of that prompt

    def __post_init__(self) -> None:
        """Let all that are told nothing share one empty dictionary: two of their own would be half of a turn."""
        for name in ("injections", "injection_roles"):
            if not getattr(self, name):
                msgspec.structs.force_setattr(self, name, _NOTHING)


def counted(turns: int) -> str:
    """Return a number of turns in words."""
    return "1 turn" if turns == 1 else f"{turns} turns"


class TurnPath(Protocol):
    """The turns from the beginning of a story to one of its turns, whether or not they are kept as a list."""

    def __len__(self) -> int: ...
    def path_turns(self, start: int = 0) -> list[Turn]:
        """Return the turns from position `start` on; costs those that are returned, not those before."""


class Story:
    """All turns and the path that is being read: from a first turn to the head, which is the last one of it."""

    def __init__(
        self, turns: Iterable[Turn] = (), head: int | None = None, futures: Mapping[int, int] | None = None
    ) -> None:
        """`futures`: as the attribute has it; what does not fit the turns is passed over."""
        self.turns = list(turns)
        self.path: list[int] = []  # from the first turn to the head; kept, so that a turn costs the same at any length
        self.futures: dict[int, int] = {}  # a turn -> the one that was read last behind it, if that is not the newest
        # Of turns that are followed by others than the one right behind them alone, which nearly all are.
        self._children: dict[int | None, list[int]] = {}
        # What was worked out of all turns from the first to this one (carried.py); forgotten where one has changed.
        self.worked_out: dict[int, Any] = {}
        for index, turn in enumerate(self.turns):
            self._note_child(turn.parent, index)
        for index, following in (futures or {}).items():
            if following in self._following(index)[:-1]:
                self.futures[index] = following
        self.goto(head)

    def __len__(self) -> int:
        return len(self.path)

    @property
    def head(self) -> int | None:
        """The index of the last turn of the path; None: before the first turn."""
        return self.path[-1] if self.path else None

    @property
    def last(self) -> Turn | None:
        """The last turn of the path."""
        return self.turns[self.path[-1]] if self.path else None

    def add(self, turn: Turn) -> int:
        """Append a turn, move the head to it and return its index. Its parent is nearly always the head."""
        if turn.parent != self.head:
            self.goto(turn.parent)
        self.path.append(len(self.turns))
        self._note_child(turn.parent, self.path[-1])
        self.turns.append(turn)
        self._read(len(self.path) - 1)
        return self.path[-1]

    def say(self, role: Role, text: str) -> int:
        """Append a turn to the head."""
        return self.add(Turn(self.head, role, text))

    def goto(self, head: int | None) -> None:
        """Move the head to any turn, or before the first one (None). Costs the way to the path that is left."""
        way: list[int] = []
        while head is not None:
            if self.reads(head):
                break
            way.append(head)
            head = self.turns[head].parent
        kept = 0 if head is None else bisect_left(self.path, head) + 1
        self.path[kept:] = reversed(way)
        self._read(kept)

    def _note_child(self, parent: int | None, index: int) -> None:
        """Note that the turn that comes to `index` follows this one."""
        if parent in self._children:
            self._children[parent].append(index)
        elif parent is None or parent + 1 != index:
            self._children[parent] = [*self._following(parent, index), index]

    def _following(self, index: int | None, count: int | None = None) -> Sequence[int]:
        """Return the turns that follow this one, oldest first, of the first `count` turns."""
        if index in self._children:
            return self._children[index]
        behind = -1 if index is None else index + 1
        there = 0 < behind < (len(self.turns) if count is None else count) and self.turns[behind].parent == index
        return (behind,) if there else ()

    def _read(self, start: int) -> None:
        """Remember the path from a place on as what was read last."""
        for place in range(max(start, 1), len(self.path)):
            index, following = self.path[place - 1 : place + 1]
            if following == self._following(index)[-1]:
                self.futures.pop(index, None)
            else:
                self.futures[index] = following

    def take_back(self, count: int, head: int | None) -> None:
        """Leave the first `count` turns and this head: for turns that were added while a change was tried in vain."""
        self.goto(head)
        for turn in reversed(self.turns[count:]):
            if turn.parent in self._children:
                self._children[turn.parent].pop()
        del self.turns[count:]
        self._forget(count)

    def mark(self, index: int, **fields: Any) -> None:
        """Take note of something about a turn besides its words."""
        self.turns[index] = msgspec.structs.replace(self.turns[index], **fields)
        self._forget(index)

    def _forget(self, index: int) -> None:
        self.worked_out = {at: known for at, known in self.worked_out.items() if at < index}

    def reads(self, index: int) -> bool:
        """Tell whether a turn is on the path."""
        place = bisect_left(self.path, index)  # sorted, as parents come before their children
        return self.path[place : place + 1] == [index]

    def path_turns(self, start: int = 0) -> list[Turn]:
        """Return the turns of the path from position `start` on."""
        return [self.turns[index] for index in self.path[start:]]

    def path_to(self, index: int) -> list[int]:
        """Return the turns from the first one to this one, which need not be read now."""
        way, at = list[int](), index
        while (parent := self.turns[at].parent) is not None:
            way.append(at)
            at = parent
        return [at, *reversed(way)]

    def children(self, index: int | None) -> list[int]:
        """Return the turns that follow this one, oldest first; None: those that a story begins with."""
        return list(self._following(index))

    def following(self, index: int | None) -> int | None:
        """Return the turn that was read last behind this one; None: none follows."""
        following = self._following(index)
        return self.futures.get(-1 if index is None else index, following[-1]) if following else None

    def future(self, index: int | None) -> int | None:
        """Return the last turn of what was read last behind this one, which may be the turn itself."""
        while (following := self.following(index)) is not None:
            index = following
        return index

    def siblings(self, index: int) -> list[int]:
        """Return all takes of this turn, itself among them, oldest first."""
        return self.children(self.turns[index].parent)


class WithoutLastTurn(Struct, frozen=True):
    """The path of a story without its last turn."""

    story: Story

    def __len__(self) -> int:
        return len(self.story) - 1

    def path_turns(self, start: int = 0) -> list[Turn]:
        """Return the turns from position `start` on."""
        return self.story.path_turns(start)[:-1]


class OtherPath(Struct, frozen=True):
    """A path of a story that is not read now."""

    turns: list[Turn]

    def __len__(self) -> int:
        return len(self.turns)

    def path_turns(self, start: int = 0) -> list[Turn]:
        """Return the turns from position `start` on."""
        return self.turns[start:]


class WithTurn(Struct, frozen=True):
    """The path of a story as it would be with one more turn, which is not added."""

    story: TurnPath
    turn: Turn

    def __len__(self) -> int:
        return len(self.story) + 1

    def path_turns(self, start: int = 0) -> list[Turn]:
        """Return the turns from position `start` on."""
        return [*self.story.path_turns(start), self.turn][max(start - len(self.story), 0) :]


class WithLastTurn(Struct, frozen=True):
    """The path of a story with another turn in place of its last one."""

    story: TurnPath
    turn: Turn

    def __len__(self) -> int:
        return len(self.story)

    def path_turns(self, start: int = 0) -> list[Turn]:
        """Return the turns from position `start` on."""
        turns = self.story.path_turns(start)
        return [*turns[:-1], self.turn] if turns else []
