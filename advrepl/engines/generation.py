"""The one generation loop: follow a window, feed what is missing of it, sample until something ends the reply.

Does not know llama.cpp or transformers: an engine gives `_decode`, `_reuse` and `_sampler`. What is reused of the cache
is decided in kv/reuse.py, what is shown to the model in prompt/window.py.
"""

import codecs
from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from itertools import chain, islice
from typing import Generic, Protocol, TypeVar

from advrepl import AdvreplError
from advrepl.engines.base import Feeding, Stats, until_stop
from advrepl.engines.kv import file as kv_file
from advrepl.engines.kv.file import Shown
from advrepl.engines.kv.reuse import Plan, plan_reuse
from advrepl.engines.kv.tokens import Memo
from advrepl.prompt.segments import Segment, Window
from advrepl.sampling.params import Sampling

NOTHING = Shown(b"", (), 0)


class Vocabulary(Protocol):
    """A model's tokens."""

    bos: int
    eos: int

    def encode(self, segment: Segment, first: bool) -> tuple[int, ...]:
        """Return a segment's tokens; `first`: it stands at the beginning of a prompt."""

    def opening(self, tokens: Sequence[int]) -> tuple[int, ...]:
        """Return what must stand before the first tokens of a prompt."""

    def ends(self, token: int) -> bool:
        """Tell whether a token ends a text."""

    def piece(self, token: int) -> bytes:
        """Return the bytes that a token spells."""

    def special(self, token: int) -> str:
        """Return a control token as templates write it; "" if there is none."""


class Model(Protocol):
    """A model in memory with its cache."""

    name: str
    fingerprint: str
    n_ctx: int
    template: str | None
    format_hint: str | None
    chunk: int  # tokens that are fed in one go

    @property
    def aborted(self) -> bool:
        """Tell whether what is being decoded is to end."""

    @property
    def vocab(self) -> Vocabulary:
        """Return the model's tokens."""

    def abort(self, now: bool) -> None:
        """Let what is being decoded, and all that follows, end; or take that back."""

    def close(self) -> None:
        """Give the memory back."""


@dataclass(slots=True)
class SequenceState:
    """One sequence of a cache and what is known of it; it follows the story from window to window."""

    token_cache: Memo
    seq_id: int = 0
    cached: list[int] = field(default_factory=list)  # its tokens, position by position
    unshifted: int | None = None  # so many tokens at its front were never moved; None: none was
    shown: Shown = NOTHING  # the window that `cached` was built for
    stats: Stats = field(default_factory=Stats)

    def copy(self, seq_id: int) -> "SequenceState":
        token_cache, cached = self.token_cache.copy(), list(self.cached)
        return replace(self, token_cache=token_cache, seq_id=seq_id, cached=cached, stats=Stats())


M = TypeVar("M", bound=Model)
Pick = Callable[[], int]  # chooses the token that follows the last decoded one


class SequenceEngine(ABC, Generic[M]):
    """An engine with one sequence in its model's cache, which follows the windows it is asked to continue."""

    grammars = False
    can_shift = False  # may cached tokens be moved?

    def __init__(self, model: M) -> None:
        self.model = model
        vocab = model.vocab
        self.name, self.fingerprint = model.name, model.fingerprint
        self.n_ctx, self.template, self.format_hint = model.n_ctx, model.template, model.format_hint
        self.text_borders = (vocab.special(vocab.bos), vocab.special(vocab.eos))
        self.sequence = SequenceState(Memo(vocab.encode))

    @property
    def stats(self) -> Stats:
        return self.sequence.stats

    @property
    def shifted(self) -> bool:
        unshifted = self.sequence.unshifted
        return unshifted is not None and len(self.sequence.cached) > unshifted

    def count(self, segment: Segment) -> int:
        return len(self.sequence.token_cache.tokens(segment))

    def cancel(self) -> None:
        self.model.abort(True)

    def close(self) -> None:
        self.model.close()

    def generate(
        self,
        window: Window,
        sampling: Sampling,
        *,
        stop: Iterable[str] = (),
        grammar: str | None = None,
        feeding: Feeding | None = None,
    ) -> Iterator[str]:
        if grammar is not None and not self.grammars:
            raise ValueError("this engine has no grammars")
        sequence = self.sequence
        sequence.stats = stats = Stats(stop="end")
        self._begin()
        wanted = self.follow(window)
        if len(wanted) >= self.n_ctx:
            raise AdvreplError(f"{len(wanted)} tokens do not fit the context of {self.n_ctx}: give a larger --ctx")
        sequence.token_cache.begin(window.segments[-1])
        if not (yield from self._prefill(wanted[len(sequence.cached) :], feeding)):
            stats.stop = "interrupted"
            return
        with self._sampler(sampling, grammar, wanted) as pick:
            whole = until_stop(self._sample(pick, sampling.max_tokens), stop)
            stats.stop = "stop"  # until the pieces end by themselves
            yield from whole

    def follow(self, window: Window) -> list[int]:
        """Make the cache hold as much of the window as it can, and return all its tokens; the rest is to be fed."""
        sequence = self.sequence
        parts = [sequence.token_cache.tokens(part, first=not index) for index, part in enumerate(window.segments)]
        wanted = [*self.model.vocab.opening(parts[0]), *chain.from_iterable(parts)]
        n_head = len(window.prompt.head)
        head = len(wanted) - sum(map(len, parts[n_head:]))
        sizes = map(len, parts[n_head:])
        blocks = tuple(sum(islice(sizes, len(block))) for block in window.prompt.blocks)
        shown = Shown(kv_file.name(window.prompt.head, first=True), blocks, window.evicted)
        plan = plan_reuse(sequence.cached, wanted, head, self._evicted(shown))
        stats = sequence.stats
        stats.prompt, stats.reused, stats.shifted = len(wanted), plan.reused, plan.moved
        self._reuse(plan)
        sequence.shown = shown
        return wanted

    def _evicted(self, shown: Shown) -> int:
        """The tokens of the turns that left the window since the last one, if nothing else changed before them."""
        last = self.sequence.shown
        gone = shown.evicted - last.evicted
        if not self.can_shift or last.head != shown.head or not 0 < gone < len(last.blocks):
            return 0
        return sum(last.blocks[:gone])

    def _prefill(self, tokens: Sequence[int], feeding: Feeding | None) -> Generator[str, None, bool]:
        """Add tokens to the cache, chunk by chunk; False if the player stopped it."""
        done = 0
        while done < len(tokens):
            if feeding:
                feeding(done, len(tokens))
            chunk = tokens[done : done + self._chunk()]
            while (decoded := self._decode(chunk)) is None:
                yield ""
            if not decoded:
                return False
            done += len(chunk)
        if feeding:
            feeding(len(tokens), len(tokens))
        return True

    def _sample(self, pick: Pick, limit: int) -> Iterator[str]:
        """Choose and decode token after token. No generator for each: what is made anew for a token is dear here."""
        sequence, vocab, decode = self.sequence, self.model.vocab, self._decode
        stats, sampled = sequence.stats, sequence.token_cache.sampled
        room = self.n_ctx - len(sequence.cached)
        most, utf8 = min(limit, room), codecs.getincrementaldecoder("utf-8")("replace")
        while True:
            token = pick()
            if vocab.ends(token):
                stats.stop = "end"
                break
            piece = vocab.piece(token)
            sampled.append((token, piece))
            stats.generated += 1
            if text := utf8.decode(piece):
                yield text
            if stats.generated >= most:
                stats.stop = "length" if limit <= room else "context"
                break
            tokens = [token]
            while (decoded := decode(tokens)) is None:
                yield ""
            if not decoded:
                stats.stop = "interrupted"
                break
        if rest := utf8.decode(b"", final=True):
            yield rest

    def _begin(self) -> None:
        """Take back a cancel of the reply before."""
        self.model.abort(False)

    def _chunk(self) -> int:
        """How many tokens are fed next."""
        return self.model.chunk

    # --- what the engines give

    @abstractmethod
    def _decode(self, tokens: Sequence[int]) -> bool | None:
        """Add tokens to the cache; False if the player stopped it. None: it has to wait, and is asked again."""

    @abstractmethod
    def _reuse(self, plan: Plan) -> None:
        """Make the cache hold what the plan keeps and moves, and nothing else."""

    @abstractmethod
    def _sampler(self, sampling: Sampling, grammar: str | None, prompt: Sequence[int]) -> AbstractContextManager[Pick]:
        """What chooses the tokens of one reply to the prompt."""
