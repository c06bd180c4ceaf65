"""The one generation loop: follow a window, prefill what is missing of it, sample until something ends the reply.

Does not know llama.cpp or transformers: an engine gives `_decode`, `_reuse` and `_sampler`. What is reused of the cache
is decided in kv/reuse.py, what is shown to the model in prompt/window.py.
"""

import codecs
from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from itertools import accumulate, chain, islice
from typing import Generic, Protocol, TypeVar

from msgspec import Struct, field
from msgspec.structs import replace

from advrepl import AdvreplError
from advrepl.engines.base import PrefillProgress, Stats, until_stop
from advrepl.engines.kv import canonical, chunks, computed
from advrepl.engines.kv.borders import Borders
from advrepl.engines.kv.computed import Run
from advrepl.engines.kv.file import WindowShape, segments_digest
from advrepl.engines.kv.reuse import ReusePlan, common_prefix, plan_reuse
from advrepl.engines.kv.snapshots import Snapshots
from advrepl.engines.kv.tokens import TokenCache
from advrepl.engines.vocabulary import Vocabulary
from advrepl.prompt.segments import Segment, Window
from advrepl.prompt.window import FULL_AFTER_EVICTION
from advrepl.sampling.params import Sampling

NO_WINDOW = WindowShape(b"", (), 0)


class EngineModel(Protocol):
    """A model in memory with its cache."""

    name: str
    fingerprint: str
    n_ctx: int
    more_room: str
    n_params: int
    template: str | None
    format_hint: str | None
    chunk: int  # tokens that are prefilled in one go

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


class SequenceState(Struct):
    """Hold what is known of one sequence of a KV cache, which follows the story from window to window."""

    token_cache: TokenCache
    seq_id: int = 0
    cached: list[int] = field(default_factory=list)  # its tokens, position by position
    runs: tuple[Run, ...] = ()  # the numbers of `cached` (kv/computed.py); tokens behind them have none yet
    unshifted: int | None = None  # so many tokens at its front were never moved; None: none was
    shape: WindowShape = NO_WINDOW  # of the window that `cached` was built for
    # Positions that layers with a sliding window have no cells for, from the first to before the last of each.
    missing: tuple[tuple[int, int], ...] = ()
    snapshots: Snapshots = field(default_factory=Snapshots)  # of its recurrent part, if it has one
    borders: tuple[int, ...] = ()  # where such copies are wanted: behind the head, each block, before the last token
    chunk_ends: tuple[int, ...] = ()  # positions over which no chunk reaches (kv/chunks.py)
    last_word: int = 0  # where that of the player's line begins, which may be half of it while he types
    planned: tuple[int, ...] = ()  # where the chunks of the window end, if that is to follow from it (kv/canonical.py)
    chunks: list[int] = field(default_factory=list)  # of these, the first ones, in which `cached` was decoded
    stats: Stats = field(default_factory=Stats)

    def copy(self, seq_id: int) -> "SequenceState":
        """Return the state of another sequence that begins as this one is."""
        return replace(
            self, token_cache=self.token_cache.copy(), seq_id=seq_id, cached=list(self.cached),
            snapshots=self.snapshots.copy(), stats=Stats(), chunks=list(self.chunks),
        )  # fmt: skip

    def cut(self, length: int) -> None:
        """Hold no more than the first `length` tokens."""
        self.cached, self.runs = self.cached[:length], computed.part(self.runs, 0, length)
        self.chunks = [end for end in self.chunks if end <= length]

    def prefilled(self) -> None:
        """Note that a chunk was decoded whole."""
        done = len(self.chunks)
        if self.planned[done : done + 1] == (len(self.cached),):
            self.chunks.append(len(self.cached))

    def number(self) -> tuple[Run, ...]:
        """Return the numbers of all cached tokens."""
        self.runs = (*self.runs, *computed.fresh(len(self.cached) - computed.total(self.runs)))
        return self.runs


M = TypeVar("M", bound=EngineModel)
Pick = Callable[[], int]  # chooses the token that follows the last decoded one


class SequenceEngine(ABC, Generic[M]):
    """Generate with one sequence of a model's cache, which follows the windows it is asked to continue.

    Has the methods of base.Engine. `sequence` and `model` are there to be looked at: who changes them makes the two
    disagree.
    """

    grammars = False
    can_shift = False  # may cached tokens be moved?
    parts_lines = False  # is a line read in parts, as it can be where it is not whole yet (kv/chunks.py)?
    slide_to = FULL_AFTER_EVICTION

    def __init__(self, model: M, *, exact: bool = False) -> None:
        """`exact`: what the model has read follows from the window alone, however that came about."""
        self.model, self.exact = model, exact
        vocab = model.vocab
        self.name, self.fingerprint = model.name, model.fingerprint
        self.n_ctx, self.n_params, self.more_room = model.n_ctx, model.n_params, model.more_room
        self.template, self.format_hint = model.template, model.format_hint
        self.text_borders = (vocab.special(vocab.bos), vocab.special(vocab.eos))
        tokens = TokenCache(vocab.encode, vocab.piece, Borders(vocab.encode, vocab.leads), keeps_sampled=not exact)
        self.sequence = SequenceState(tokens)

    @property
    def stats(self) -> Stats:
        """Return the cost of the last call of `generate`."""
        return self.sequence.stats

    @property
    def shifted(self) -> bool:
        """Tell whether the cache holds tokens that were moved."""
        unshifted = self.sequence.unshifted
        return unshifted is not None and len(self.sequence.cached) > unshifted

    def count(self, segment: Segment) -> int:
        """Return how many tokens the segment takes by itself, other than at the beginning of a prompt."""
        return self.sequence.token_cache.count(segment)

    def sizes(self, segments: Sequence[Segment]) -> list[int]:
        """Return how many tokens each segment of a prompt takes where it stands (base.Engine)."""
        return list(map(len, self.sequence.token_cache.parts(segments)))

    def is_forgeable(self, mark: str) -> bool:
        """Tell whether foreign text that holds the mark is the same tokens as the mark itself."""
        encode = self.model.vocab.encode
        return encode(Segment("", mark), False) == encode(Segment(mark, ""), False)

    def cancel(self) -> None:
        """End the reply that is being written; from any thread, or a signal handler."""
        self.model.abort(True)

    def forget_moved(self) -> None:
        """Give up the cached tokens that were moved: they know of words that are to be as if they had never been."""
        if self.shifted:
            self._reuse(ReusePlan(self.sequence.unshifted or 0))

    def close(self) -> None:
        """Give the model's memory back."""
        self.model.close()

    def generate(
        self,
        window: Window,
        sampling: Sampling,
        *,
        stop: Iterable[str] = (),
        grammar: str | None = None,
        on_prefill: PrefillProgress | None = None,
    ) -> Iterator[str]:
        """Write what follows the window (base.Engine); raises ValueError for a grammar where there are none."""
        if grammar is not None and not self.grammars:
            raise ValueError("this engine has no grammars")
        sequence = self.sequence
        sequence.stats = stats = Stats(stop="end")
        self._begin()
        wanted = self.follow(window)
        if len(wanted) >= self.n_ctx:
            raise AdvreplError(f"{len(wanted)} tokens do not fit the context of {self.n_ctx}: {self.more_room}")
        sequence.token_cache.begin(window.segments)
        if not (yield from self._prefill(wanted[len(sequence.cached) :], on_prefill)):
            stats.stop = "interrupted"
            return
        with self._sampler(sampling, grammar, wanted) as pick:
            stats.stop = "stop"  # until the pieces end by themselves
            yield from until_stop(self._sample(pick, sampling.max_tokens), stop)

    def follow(self, window: Window) -> list[int]:
        """Make the cache hold as much of the window as it can; return all its tokens, of which the rest is missing."""
        sequence = self.sequence
        parts, wanted = self._tokens(window)
        n_head = len(window.prompt.head)
        head = len(wanted) - sum(map(len, parts[n_head:]))
        sizes = map(len, parts[n_head:])
        blocks = tuple(sum(islice(sizes, len(block))) for block in window.prompt.blocks)
        shape = WindowShape(segments_digest(window.prompt.head, first=True), blocks, window.evicted, head)
        plan = plan_reuse(sequence.cached, wanted, head, self._evicted(shape), sequence.shape.head_size)
        answered = self._plan_chunks(window, parts, blocks[-1] if blocks else 0, len(wanted))
        plan = plan if plan.moved else ReusePlan(chunks.kept(sequence.chunk_ends, plan.keep, answered))
        sequence.borders = (*accumulate(blocks, initial=head), len(wanted) - 1)
        if self.exact:  # a copy that is put back may have been decoded in other chunks
            self._keep_exactly(plan.keep, goes_on=window.goes_on)
        else:
            if not shape.goes_on(sequence.shape, plan.keep):
                self._put_aside(plan)
            self._reuse(plan)
        stats, reused = sequence.stats, max(len(sequence.cached) - len(plan.joint), 0)
        shifted, kept = max(reused - plan.keep, 0), reused
        if not self.exact:
            self._take_back(wanted)
            self._keep_chunks(answered)
        reused = max(len(sequence.cached) - len(plan.joint), 0)  # less, if what was taken back misses what it must see
        lost = shape.has_slid(sequence.shape) and not shifted and reused <= kept  # neither moved nor taken back
        stats.prompt, stats.reused, stats.shifted = len(wanted), reused, min(shifted, reused)
        stats.whole = int(lost or reused < min(head, len(wanted) - 1))
        sequence.shape = shape
        return wanted

    def _plan_chunks(self, window: Window, parts: Sequence[tuple[int, ...]], block: int, length: int) -> int:
        """Note where chunks of a window end; return where the player's block of so many tokens does; 0: none is his."""
        sequence = self.sequence
        line, end = chunks.line(window.prompt, parts, length)
        sequence.chunk_ends = chunks.ends(end - block, line, end if self.parts_lines else 0, chunks.step(self.n_params))
        sequence.last_word = chunks.last_word(self.model.vocab.piece, parts[-1 - len(window.prompt.cue)], line, end)
        if self.exact:
            lengths = [length - sum(map(len, parts[1:])), *map(len, parts[1:])]
            # Without the segments that the reply goes on from.
            planned = canonical.chunk_ends(lengths[: -max(len(window.prompt.cue), 1)], self.model.chunk)
            sequence.planned = tuple(sorted({*planned, *sequence.chunk_ends[2:]}))
        return end if window.prompt.cue else 0

    def _keep_chunks(self, answered: int) -> None:
        """Give up what was taken back of a chunk; `answered`: where the player's block ends."""
        sequence = self.sequence
        if (kept := chunks.kept(sequence.chunk_ends, len(sequence.cached), answered)) < len(sequence.cached):
            self._reuse(ReusePlan(kept))

    def _keep_exactly(self, common: int, *, goes_on: bool) -> None:
        """Let the cache hold what was decoded in just the chunks that are planned, and what a reply has added."""
        sequence = self.sequence
        if goes_on and common >= (sequence.planned or (0,))[-1]:
            self._reuse(ReusePlan(common))
            return
        before = -1
        while len(sequence.cached) != before:  # until no cells are missing either
            before = canonical.kept(sequence.chunks, sequence.planned, min(common, len(sequence.cached)))
            self._reuse(ReusePlan(before))

    def missing(self, window: Window) -> int:
        """Return how many tokens are to be read before the player's words in a window (base.Caching)."""
        parts, wanted = self._tokens(window)
        return max(chunks.line(window.prompt, parts, len(wanted))[0] - self._reusable(wanted), 0)

    def _tokens(self, window: Window) -> tuple[list[tuple[int, ...]], list[int]]:
        """The tokens of a window by segment, and in a row."""
        parts = self.sequence.token_cache.parts(window.segments)
        return parts, [*self.model.vocab.opening(parts[0]), *chain.from_iterable(parts)]

    def _reusable(self, wanted: Sequence[int]) -> int:
        """Return how many of these tokens need not be read."""
        return common_prefix(self.sequence.cached, wanted)

    def _put_aside(self, plan: ReusePlan) -> None:
        """Keep a copy of what a plan drops, where the engine can put that back."""

    def _take_back(self, wanted: Sequence[int]) -> None:
        """Put such copies back that hold what comes next of these tokens."""

    def _evicted(self, shape: WindowShape) -> int:
        """Return the tokens of the blocks that left the window since the last one, if the head stayed the same."""
        last = self.sequence.shape
        gone = shape.evicted - last.evicted
        if not self.can_shift or last.head != shape.head or not 0 < gone < len(last.blocks):
            return 0
        return sum(last.blocks[:gone])

    def _prefill(self, tokens: Sequence[int], on_prefill: PrefillProgress | None) -> Generator[str, None, bool]:
        """Add tokens to the cache, chunk by chunk; False if the player stopped it."""
        done, sequence = 0, self.sequence
        while done < len(tokens):
            if on_prefill:
                on_prefill(done, len(tokens))
            at, ends = len(sequence.cached), sequence.planned if self.exact else sequence.chunk_ends
            chunk = tokens[done : done + chunks.next_end(ends, at, self._chunk()) - at]
            while (decoded := self._decode(chunk)) is None:
                yield ""
            if not decoded:
                return False
            sequence.prefilled()
            done += len(chunk)
        if on_prefill:
            on_prefill(len(tokens), len(tokens))
        return True

    def _sample(self, pick: Pick, limit: int) -> Iterator[str]:
        """Choose and decode token after token. Bytes that are no whole character, in the end or before, are left out.

        No generator for each token: after a decode nothing of Python is in the processor's caches, and whatever is
        made anew costs ten times what it costs in a tight loop [measured].
        """
        sequence, vocab, decode = self.sequence, self.model.vocab, self._decode
        stats, sampled = sequence.stats, sequence.token_cache.sampled
        room = self.n_ctx - len(sequence.cached)
        most, utf8 = min(limit, room), codecs.getincrementaldecoder("utf-8")("ignore")
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

    def _begin(self) -> None:
        """Take back a cancel of the reply before."""
        self.model.abort(False)

    def _chunk(self) -> int:
        """Return how many tokens are to be prefilled in one go now."""
        return self.model.chunk

    @abstractmethod
    def _decode(self, tokens: Sequence[int]) -> bool | None:
        """Add tokens to the cache; False if the player stopped it. None: it has to wait, and is asked again."""

    @abstractmethod
    def _reuse(self, plan: ReusePlan) -> None:
        """Make the cache hold what the plan keeps and moves, or less where it cannot, and nothing else."""

    @abstractmethod
    def _sampler(self, sampling: Sampling, grammar: str | None, prompt: Sequence[int]) -> AbstractContextManager[Pick]:
        """Give what chooses the tokens of one reply, which follows the tokens of the prompt."""
