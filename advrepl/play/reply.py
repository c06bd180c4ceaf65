"""What a reply is asked for with and made of, and the calls of an engine that write one.

Does not know what is written in which order (writer.py, offers.py).
"""

from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass, field

from msgspec import Struct
from msgspec.structs import replace

from advrepl.engines.base import Engine, PrefillProgress, Stats
from advrepl.engines.kv.file import segments_digest
from advrepl.prompt.segments import Segment, Window
from advrepl.sampling.params import Sampling

DIGITS = 16  # of a prompt's digest


class Piece(Struct, frozen=True):
    """Some more prose. All pieces of a reply together are its prose."""

    text: str


# Yielded where the engine, a branch that writes ahead, waits to be served.
PAUSE = Piece("")


class Option(Struct, frozen=True):
    """An option that is ready, `number` counting from 1."""

    number: int
    text: str


class Written(Struct, frozen=True):
    """A whole reply: what was read, what can be chosen, and the text that goes into the story."""

    prose: str
    options: tuple[str, ...]
    text: str
    stats: Stats


# From this share of max_tokens on the prose ends with its sentence, so that it is rarely cut in the middle of one.
SOFT_END = 0.75


@dataclass(frozen=True)
class ReplyTask:
    """What to write: the window to continue and how. Equal tasks are answered in the same words."""

    window: Window
    spelled: Callable[[str], str] = field(compare=False)  # the text of a reply -> as the format spells it
    sampling: Sampling
    seed: int
    stops: tuple[str, ...] = ()  # as Format.stops has them
    option_count: int = 0
    earlier: tuple[str, ...] = ()  # the last replies, oldest first
    prefix: str = ""  # prose that is there already and goes on
    beginning: str = ""  # what a reply that has no prefix begins with
    verbs: tuple[str, ...] = ()  # what options begin with; none: with any word
    speaker: str = ""  # whose reply it is: his label at its front is left out
    language: str = ""  # the code of the story's language; empty: as its text tells
    bans: tuple[str, ...] = ()  # phrases that must not come
    think: int = 0  # tokens that the model may think first, if it does
    held: tuple[str, ...] | None = None  # what the player has; None: it is not known
    soft_end: float = SOFT_END
    least: int = 0  # words of a reply that is to be one paragraph; 0: as the model likes

    @property
    def digest(self) -> str:
        """Return what its prompt can be told by."""
        return prompt_digest(self.window)


def prompt_digest(window: Window) -> str:
    """Return what a prompt can be told by."""
    return segments_digest(window.segments).hex()[:DIGITS]


class EngineCalls:
    """Calls an engine for one task, each call with a seed of its own, and adds up what they cost."""

    def __init__(
        self, engine: Engine, task: ReplyTask, on_prefill: PrefillProgress | None, cancelled: Callable[[], bool]
    ) -> None:
        """`cancelled`: asked before each call whether the player has stopped the reply."""
        self._engine, self._task, self._on_prefill, self._cancelled = engine, task, on_prefill, cancelled
        self._count = 0
        self.stats = Stats()

    @property
    def grammars(self) -> bool:
        """Tell whether the engine can be held to a grammar, as far as it is known by now."""
        return self._engine.grammars

    def generate(
        self, prefix: str, sampling: Sampling, limit: int, grammar: str | None, stops: Iterable[str]
    ) -> Generator[str, None, None]:
        """Write on from `prefix`; an empty piece where a branch waits."""
        first, total = self._count == 0, self.stats
        if self._cancelled():
            total.stop = "interrupted"
            return
        seed = (self._task.seed + 0x9E3779B1 * self._count) & 0xFFFFFFFF
        self._count += 1
        try:
            yield from self._engine.generate(
                replace(continued(self._task.window, self._task.spelled(prefix)), goes_on=not first)
                if prefix
                else self._task.window,
                replace(sampling, seed=seed, max_tokens=limit),
                stop=stops,
                grammar=grammar,
                on_prefill=self._on_prefill,
            )
        finally:
            stats = self._engine.stats
            if first:
                total.prompt, total.reused, total.shifted = stats.prompt, stats.reused, stats.shifted
            total.generated += stats.generated
            total.decoded += stats.decoded
            total.whole += stats.whole
            total.stop = stats.stop


def whole(pieces: Iterable[str]) -> Generator[Piece, None, str]:
    """All pieces as one text."""
    text = ""
    for piece in pieces:
        text += piece
        if not piece:
            yield PAUSE
    return text


def continued(window: Window, prefix: str) -> Window:
    """Return the window with a reply that begins with `prefix` as its end."""
    prompt = window.prompt
    if prompt.cue:
        *before, cue = prompt.cue
        begun = replace(cue, text=prefix)
        return replace(window, prompt=replace(prompt, cue=(*before, begun)))
    *before, last = prompt.blocks[-1]
    begun = replace(last, text=prefix)
    return replace(window, prompt=replace(prompt, blocks=(*prompt.blocks[:-1], (*before, begun))))


def in_place_of_line(window: Window, spelled: str) -> Window:
    """Return the window for a line of the player with other words in its place, as the format spells them."""
    *blocks, (*before, line) = window.prompt.blocks
    other = Segment(line.mark, spelled, line.plain)
    return replace(window, prompt=replace(window.prompt, blocks=(*blocks, (*before, other))))
