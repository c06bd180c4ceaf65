"""What the game needs of an engine: count tokens, write text for a window. The seam between story and model.

Does not import any engine; models.py chooses one. The loop that both engines share is in generation.py.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Annotated, Literal, Protocol, TypeVar, runtime_checkable

import msgspec
from msgspec import Struct

from advrepl.prompt.segments import Segment, Window
from advrepl.sampling.params import Sampling
from advrepl.story.context import LARGER_CTX

PrefillProgress = Callable[[int, int], None]  # tokens prefilled, tokens to prefill
LoadProgress = Callable[[float], bool | None]  # told the share that is loaded, 0 to 1; False gives the loading up

DEFAULT_CTX = 4096  # tokens, where the model was trained on as many


def more_room(name: str, n_ctx: int, most: int) -> str:
    """Return what to do for a larger context than `n_ctx` tokens, where the model takes so many at the most."""
    return LARGER_CTX if n_ctx < most else f"choose a model with a longer context: {name} takes {most} tokens at most"


PositiveCount = Annotated[int, msgspec.Meta(ge=1, le=4096)]


class Tuning(msgspec.Struct, frozen=True, omit_defaults=True):
    """Hold what differs from machine to machine; None: a default that is good on most.

    `advrepl tune` finds the values, and tuned.json keeps them under these names: a new name needs a migration in
    tuning/store.py.
    """

    threads: PositiveCount | None = None  # to generate; llama.cpp's n_threads
    threads_batch: PositiveCount | None = None  # to prefill; None: as many as `threads`
    repack: bool | None = None  # lay the weights out anew for this CPU: twice the memory
    flash_attn: bool | None = None  # fused attention
    batch: PositiveCount | None = None  # tokens that are decoded in one go
    load: Literal["mmap", "copy"] | None = None  # copy: into memory of our own
    gpu_layers: int | None = None


UNTUNED = Tuning()


class LoadOptions(Struct, frozen=True):
    """Hold what the player may choose about loading; None: left to the tuning, or found out by the engine."""

    ctx: int | None = None  # tokens
    threads: int | None = None
    gpu_layers: int | None = None
    kv: str | None = None  # the type of the cache: "f16" or "q8_0"
    branches: int = 0  # sequences besides the story's, where there is room for them
    tuning: Tuning = UNTUNED

    @property
    def layers(self) -> int | None:
        """Return how many layers go to the GPU; None: all."""
        return self.tuning.gpu_layers if self.gpu_layers is None else self.gpu_layers


class Stats(Struct):
    """Count what one reply cost. Tokens, unless the name says otherwise."""

    prompt: int = 0  # of the window
    reused: int = 0  # of these, not computed again
    shifted: int = 0  # reused after being moved
    generated: int = 0
    decoded: int = 0  # in all, whatever for
    whole: int = 0  # how often the prompt was read from its beginning, or at a slide from behind its head
    stop: str = ""  # "end", "stop", "length", "context", "interrupted"

    @property
    def prefilled(self) -> int:
        """Return how many tokens of the prompt were computed."""
        return self.prompt - self.reused


class Engine(Protocol):
    """Continue text with a model. One caller at a time; `cancel` may come from a signal handler or another thread."""

    name: str
    fingerprint: str
    n_ctx: int  # tokens
    more_room: str  # what to do for a larger context, in words that end a sentence (`more_room`)
    n_params: int  # how many weights the model has
    template: str | None  # its own chat template, if it carries one
    text_borders: tuple[str, str]  # what the template calls bos_token and eos_token
    format_hint: str | None  # the prompt format that its file names
    slide_to: float  # to which share of the room turns slide out at once: less where what stays is read again

    @property
    def grammars(self) -> bool:
        """Tell whether it can be held to a grammar; a server may turn out to have none."""

    @property
    def shifted(self) -> bool:
        """Tell whether the cache holds tokens that were moved, and that so still know of turns that are gone."""

    @property
    def stats(self) -> Stats:
        """Return the cost of the last call of `generate`; complete once that is exhausted or closed."""

    def count(self, segment: Segment) -> int:
        """Return how many tokens the segment takes by itself."""

    def sizes(self, segments: Sequence[Segment]) -> list[int]:
        """Return how many tokens each segment of a prompt takes where it stands: they add up to the prompt's."""

    def is_forgeable(self, mark: str) -> bool:
        """Tell whether foreign text that holds the mark is the same tokens as the mark itself."""

    def generate(
        self,
        window: Window,
        sampling: Sampling,
        *,
        stop: Iterable[str] = (),
        grammar: str | None = None,
        on_prefill: PrefillProgress | None = None,
    ) -> Iterator[str]:
        """Write what follows the window, in whole characters, until an end token, a stop text or `max_tokens`.

        An empty piece says nothing: a branch (see Branching) yields one where it waits to be served. `grammar` is
        GBNF, None for free text; `on_prefill` is called in the thread that iterates. Raises AdvreplError where the
        window does not fit the context, or the model cannot go on.
        """

    def forget_moved(self) -> None:
        """Give up what makes it `shifted`, to prefill it again: for words that are to be as if they had never been."""

    def cancel(self) -> None:
        """End the reply that is being written, also while its prompt is being prefilled."""

    def close(self) -> None:
        """Give the model's memory back; nothing may be asked for after that."""


@runtime_checkable
class Caching(Protocol):
    """What an engine has besides that knows what is in its cache."""

    can_shift: bool  # may cached tokens be moved? Else what stays of a window is read again when turns slide out.

    def missing(self, window: Window) -> int:
        """Return how many tokens are to be read before the player's words in a window; changes nothing."""


@runtime_checkable
class OnServer(Protocol):
    """What an engine has besides where its model is on a server."""

    tell: Callable[[str], None]  # told in one line what is waited for, and what the server cannot do

    def described(self) -> dict[str, str]:
        """Return what there is to know of the server, as rows of /context."""

    def follow(self, window: Window) -> None:
        """Take it that the server was asked for this window last, so that what it holds of it may be moved."""


class Branch(Engine, Protocol):
    """Continue text from a copy of an engine's state, and decode only when served."""

    waiting: Sequence[int]  # tokens it wants decoded; none: it can go on by itself

    @property
    def cached(self) -> Sequence[int]:
        """Return its tokens in the cache, position by position, those that it shares with the engine among them."""

    @property
    def n_own(self) -> int:
        """Return how many of its tokens it does not share with the engine."""

    @property
    def at_end(self) -> bool:
        """Tell whether what it waits for, or wrote last, lies behind all that could stay in a longer line."""

    @property
    def in_last_word(self) -> bool:
        """Tell whether what it waits for reaches into the last word of a line, which may be half of one."""


B = TypeVar("B", bound=Branch)


class Branching(Engine, Protocol[B]):
    """Branch off a story's state, so that replies can be generated before they are asked for.

    To be called by one thread at a time, and not while the engine itself generates; `cancel` alone may come from
    anywhere. A branch is made by `branch`, is put into the cache by `enter`, runs until it wants tokens decoded
    (`waiting`), gets them by `serve`, and ends by `take` or `drop`.
    """

    branches: int  # the most that may be there at a time; 0: it cannot branch
    reads_along: bool  # can a branch follow a line that is being typed?
    spare: int  # tokens that fit the cache besides those of the engine: what a refresh may take

    def prepare(self, window: Window) -> int:
        """Make the cache fit a window that comes next; return how many tokens `prime` has to prefill for it."""

    def branch(self) -> B:
        """Return a branch that begins where the engine is; it calls no `on_prefill` before it is taken."""

    def prime(self, branch: B) -> Iterator[str]:
        """Prefill what the prepared window lacks; the branch can be taken however far that has come."""

    def branch_unshifted(self) -> B:
        """Return a branch of the tokens at the engine's front that were never moved; there may be one at a time."""

    def refresh(self, branch: B) -> Iterator[str]:
        """Prefill an unshifted branch with all that the engine has cached, for `adopt_refreshed`."""

    def refresh_left(self, branch: B) -> int:
        """Return how many tokens are still to be prefilled for that."""

    def adopt_refreshed(self, branch: B) -> None:
        """Replace the engine's moved tokens by the same tokens as a refreshed branch has computed them."""

    def enter(self, branch: B) -> None:
        """Put this branch into the cache in place of any other one: before it does anything, and is served."""

    def settle(self) -> None:
        """Take any branch out of the cache, so that it holds what the engine has cached and nothing else."""

    def serve(self, branch: B) -> bool:
        """Decode what the branch waits for, in this thread; False if that was cancelled, and then it still waits."""

    def clear_cancel(self) -> None:
        """Allow decoding again after a `cancel`."""

    def take(self, branch: B) -> None:
        """Go on from where this branch is, as if the engine itself had come there; it decodes for itself from now."""

    def drop(self, branch: B) -> None:
        """Forget a branch and what it has cached."""


def until_stop(pieces: Iterable[str], stops: Iterable[str]) -> Iterator[str]:
    """Pass text on until one of the stop texts appears, also across pieces; what could be the start of one waits.

    A stop text ends the iteration and is not passed on. Empty pieces, with which a branch waits, are passed on.
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
    """Return the length of the longest end of the text that is the beginning of a stop text."""
    longest = min(len(text), max(map(len, stops), default=0))
    for length in range(longest, 0, -1):
        if any(stop.startswith(text[-length:]) for stop in stops):
            return length
    return 0
