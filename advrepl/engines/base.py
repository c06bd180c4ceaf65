"""What the game needs of an engine: count tokens, write text for a window. The seam between story and model.

Does not import any engine; models.py chooses one.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal, Protocol, TypeVar

import msgspec

from advrepl.prompt.segments import Segment, Window
from advrepl.sampling.params import Sampling

Feeding = Callable[[int, int], None]  # tokens fed, tokens to feed
Loading = Callable[[float], bool | None]  # told the share that is loaded, 0 to 1; False gives the loading up

DEFAULT_CTX = 4096  # tokens, where the model was trained on as many


Count = Annotated[int, msgspec.Meta(ge=1, le=4096)]


class Tuning(msgspec.Struct, frozen=True, omit_defaults=True):
    """What differs from machine to machine; None: a default that is good on most. `advrepl tune` finds the values."""

    threads: Count | None = None  # to write
    feed_threads: Count | None = None  # to read the prompt
    repack: bool | None = None  # lay the weights out anew for this CPU: twice the memory
    flash: bool | None = None  # fused attention
    batch: Count | None = None  # tokens that are fed in one go
    load: Literal["mmap", "copy"] | None = None  # copy: into memory of our own
    gpu_layers: int | None = None


UNTUNED = Tuning()


@dataclass(frozen=True)
class LoadOptions:
    """What the player may choose about loading; None: left to the tuning, or found out by the engine."""

    ctx: int | None = None
    threads: int | None = None
    gpu_layers: int | None = None
    kv: str | None = None  # the type of the cache: "f16" or "q8_0"
    branches: int = 0  # sequences besides the story's, where there is room for them
    tuning: Tuning = UNTUNED

    @property
    def layers(self) -> int | None:
        """How many layers go to the GPU; None: all."""
        return self.tuning.gpu_layers if self.gpu_layers is None else self.gpu_layers


@dataclass(slots=True)
class Stats:
    """What one reply cost. Tokens, unless the name says otherwise."""

    prompt: int = 0  # what the engine was asked to hold
    reused: int = 0  # of these, not fed again
    shifted: int = 0  # reused after being moved
    generated: int = 0
    stop: str = ""  # "end", "stop", "length", "context", "interrupted"

    @property
    def fed(self) -> int:
        return self.prompt - self.reused


class Engine(Protocol):
    """A model that continues text. One caller at a time; `cancel` may come from a signal handler or another thread."""

    name: str
    fingerprint: str
    n_ctx: int
    template: str | None  # its own chat template, if it carries one
    text_borders: tuple[str, str]  # what the template calls bos_token and eos_token
    format_hint: str | None  # the prompt format that its file names
    grammars: bool  # can it be held to a grammar?

    @property
    def shifted(self) -> bool:
        """Does the cache hold tokens that were moved, and so know of turns that are gone?"""

    @property
    def stats(self) -> Stats:
        """Of the last call of generate, complete once that is exhausted or closed."""

    def count(self, segment: Segment) -> int:
        """How many tokens the segment takes."""

    def generate(
        self,
        window: Window,
        sampling: Sampling,
        *,
        stop: Iterable[str] = (),
        grammar: str | None = None,
        feeding: Feeding | None = None,
    ) -> Iterator[str]:
        """Write what follows the window, in whole characters, until an end token, a stop text or `max_tokens`.

        An empty piece says nothing: a branch (see Branching) yields one where it waits to be served.
        """

    def cancel(self) -> None:
        """End the reply that is being written, also while its prompt is being fed."""

    def close(self) -> None: ...


class Branch(Engine, Protocol):
    """A copy of an engine that writes ahead, and only when it is served."""

    waiting: Sequence[int]  # tokens it wants decoded; none: it can go on by itself

    @property
    def own(self) -> int:
        """Its tokens besides those it shares with the engine."""


B = TypeVar("B", bound=Branch)


class Branching(Engine, Protocol[B]):
    """An engine that can go several ways from where it is, so that replies are written before they are asked for.

    One thread at a time, and not while the engine itself writes.
    """

    branches: int  # the most that should be there; 0: it cannot
    spare: int  # tokens that may be fed again besides what the engine holds

    def prepare(self, window: Window) -> int:
        """Make the cache fit a window that comes next; how many tokens before its last turn can be primed."""

    def branch(self) -> B:
        """A branch that begins where the engine is; it tells of no feeding before it is taken."""

    def prime(self, branch: B) -> Iterator[str]:
        """Feed a branch what was missing; to be taken at any time."""

    def straight(self) -> B:
        """A branch that holds what was never moved of what the engine holds; one at a time."""

    def refresh(self, branch: B) -> Iterator[str]:
        """Feed a straight branch what the engine holds, for `renew`."""

    def behind(self, branch: B) -> int:
        """How many tokens are still to be fed for that."""

    def renew(self, branch: B) -> None:
        """Hold what a refreshed branch holds, instead of tokens that were moved."""

    def enter(self, branch: B) -> None:
        """Let this branch be in the cache, in the place of any other one: before it does anything, and is served."""

    def settle(self) -> None:
        """Let none be there, only what the engine holds itself."""

    def serve(self, branch: B) -> bool:
        """Decode what it waits for; False if that was cancelled, and then it still waits."""

    def proceed(self) -> None:
        """Take a cancel back."""

    def take(self, branch: B) -> None:
        """Go on from where this branch is, as if the engine itself had come there; it decodes for itself from now."""

    def drop(self, branch: B) -> None:
        """Forget a branch."""


def until_stop(pieces: Iterable[str], stops: Iterable[str]) -> Iterator[str]:
    """Pass text on until one of the stop texts appears, also across pieces; what could be the start of one waits.

    A stop text ends the iteration, is not passed on, and closes `pieces`.
    """
    stops = tuple(stop for stop in stops if stop)
    first_letters = {stop[0] for stop in stops}
    waiting = ""
    for piece in pieces:
        if not piece:
            yield piece
            continue
        waiting += piece
        if waiting and first_letters.isdisjoint(waiting):
            yield waiting
            waiting = ""
            continue
        # The one that was whole first, however the text came in pieces.
        found = [(at + len(stop), at) for stop in stops if (at := waiting.find(stop)) >= 0]
        if found:
            if start := min(found)[1]:
                yield waiting[:start]
            return
        safe = len(waiting) - held_back(waiting, stops)
        if safe:
            yield waiting[:safe]
            waiting = waiting[safe:]
    if waiting:
        yield waiting


def held_back(text: str, stops: tuple[str, ...]) -> int:
    """The length of the longest end of the text that is the beginning of a stop text."""
    longest = min(len(text), max(map(len, stops), default=0))
    for length in range(longest, 0, -1):
        if any(stop.startswith(text[-length:]) for stop in stops):
            return length
    return 0
