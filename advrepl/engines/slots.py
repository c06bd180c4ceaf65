"""What is prefetched: a job for each reply that may be asked for, and how far a branch came with it.

Does not decide what is served when (prefetch.py).
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Generic, TypeVar

from msgspec import Struct, field

from advrepl import AdvreplError
from advrepl.engines.base import Branch, Engine

E = TypeVar("E")


class PrefetchJob(Struct, Generic[E], frozen=True):
    """Describe a reply that may be asked for under this key, and how an engine writes it."""

    key: object
    write: Callable[[Engine], Iterator[E]]
    later: bool = False  # only when all others are there


class Taken(Struct, Generic[E], frozen=True):
    """Hold a prefetched reply: what there was of it when it was asked for, and what is still to come."""

    done: Sequence[E]
    events: Iterator[E]


class Slot(Struct, Generic[E], eq=False):
    """Hold a branch and what it does, as far as it came."""

    branch: Branch
    events: Iterator[E]
    job: PrefetchJob[E] | None = None  # None: it prefills for the story itself
    done: list[E] = field(default_factory=list)
    steps: int = 0  # how often it was served, from the end of its prompt on
    decoded: int = 0  # tokens, for what it does
    over: bool = False
    broken: bool = False

    def advance(self) -> None:
        """Go on until it waits to be served, or ends."""
        try:
            for event in self.events:
                if self.branch.waiting:
                    return
                self.done.append(event)
        except AdvreplError:
            self.broken = True  # it will be told when the same is asked for in earnest
        self.over = True

    def close(self) -> None:
        """Let the generator of the events end, if it is one."""
        getattr(self.events, "close", lambda: None)()
