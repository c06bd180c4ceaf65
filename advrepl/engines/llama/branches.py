"""Branches of llama.cpp's cache, so that replies can be generated before they are asked for.

Only one branch lies in the cache at a time, in the cells where it would lie had it been asked for; the others wait in
memory, swapped out. In other cells attention adds up in another order and rounds differently [measured: KL 2e-3 nats,
half of the replies come out otherwise]. So a reply is the same, word for word, whether it was prefetched or not.
Does not decide what is generated, nor when (prefetch.py).
"""

from collections.abc import Generator, Iterator, Sequence
from typing import Any

from advrepl import AdvreplError
from advrepl.engines.base import PrefillProgress, Stats
from advrepl.engines.generation import SequenceState
from advrepl.engines.kv.reuse import ReusePlan, common_prefix
from advrepl.engines.kv.snapshots import Snapshots
from advrepl.engines.kv.tails import LEAST
from advrepl.engines.llama.engine import LlamaEngine
from advrepl.engines.llama.memory import SEQ_PREFETCH, SEQ_REFRESH, SEQ_STORY
from advrepl.engines.llama.model import LlamaModel
from advrepl.prompt.segments import Window


class BranchingEngine(LlamaEngine):
    """Play a model in llama.cpp, and branch off its sequence; the methods are those of base.Branching."""

    def __init__(self, model: LlamaModel, *, shift: bool = True, exact: bool = False) -> None:
        super().__init__(model, shift=shift, exact=exact)
        self.branches, self.spare = model.branches, model.spare
        # A recurrent state cannot be cut back into a line, so each change of it would be read from its beginning.
        self.reads_along = model.abilities.cuts
        self._missing: list[int] = []  # tokens of the coming window
        self._resident: LlamaBranch | None = None  # the branch whose tokens are in the cache
        # The engine's own tokens from some position on, while those of the resident branch are in their cells.
        self._swapped_out: tuple[int, Any] | None = None

    @property
    def own_in_cache(self) -> int:
        """Return how many of the engine's own tokens are in the cache now; the others are swapped out."""
        return self._swapped_out[0] if self._swapped_out else len(self.sequence.cached)

    def prepare(self, window: Window) -> int:
        """Make the cache fit a window that comes next; return how many tokens `prime` has to prefill for it."""
        self.sequence.stats = Stats()
        wanted = self.follow(window)
        self._missing = wanted[len(self.sequence.cached) : self.sequence.chunk_ends[1]]
        return len(self._missing)

    def branch(self) -> "LlamaBranch":
        """Return a branch that begins where the engine is."""
        return LlamaBranch(self, self.sequence.copy(SEQ_PREFETCH))

    def prime(self, branch: "LlamaBranch") -> Iterator[str]:
        """Prefill what the prepared window lacks."""
        return branch.prefill(self._missing)

    def branch_unshifted(self) -> "LlamaBranch":
        """Return a branch of the tokens that were never moved."""
        self.model.copy(SEQ_STORY, SEQ_REFRESH)
        branch = LlamaBranch(self, self.sequence.copy(SEQ_REFRESH))
        if self.sequence.unshifted is not None:
            branch.truncate(self.sequence.unshifted)
        return branch

    def refresh(self, branch: "LlamaBranch") -> Iterator[str]:
        """Prefill an unshifted branch with all that the engine has cached."""
        cached = self.sequence.cached
        branch.truncate(common_prefix(branch.cached, cached))
        return branch.prefill(cached[len(branch.cached) :])

    def refresh_left(self, branch: "LlamaBranch") -> int:
        """Return how many tokens are still to be prefilled for that."""
        return len(self.sequence.cached) - len(branch.cached)

    def adopt_refreshed(self, branch: "LlamaBranch") -> None:
        """Replace the engine's moved tokens by the same tokens as the branch has computed them."""
        self.settle()
        self.model.copy(SEQ_REFRESH, SEQ_STORY)
        self.sequence.unshifted, self.sequence.missing = None, branch.sequence.missing

    def enter(self, branch: "LlamaBranch") -> None:
        """Put this branch into the cache in place of any other one; raises AdvreplError if that fails."""
        if branch is self._resident or branch.seq_id == SEQ_REFRESH:
            return
        self.settle()
        self.model.copy(SEQ_STORY, SEQ_PREFETCH)
        self.make_room(branch.n_shared, branch.sequence.snapshots)
        if branch.swapped is not None and not self.model.swap_in(SEQ_PREFETCH, branch.n_shared, branch.swapped):
            self._evict_resident()
            raise AdvreplError("llama.cpp could not take up what was written ahead: /retry writes it again")
        self._resident, branch.swapped = branch, None

    def make_room(self, start: int, snapshots: Snapshots) -> None:
        """Swap the engine's own tokens out from position `start` on, where the resident branch has other ones.

        `snapshots`: of the branch, which has one for that place where the cache has a recurrent part.
        """
        if self._swapped_out and start < self._swapped_out[0]:
            self._swap_own_in()
        if not self._swapped_out and start < len(self.sequence.cached):
            snapshot = None
            if self.model.abilities.cuts:
                self.model.remove(start, -1, SEQ_PREFETCH)
            else:
                snapshot = snapshots.data(start)
                self.model.go_back(start, snapshot, SEQ_PREFETCH)
            if self.model.k_shift_pending:  # keys that are swapped out would never be rotated
                self._apply_k_shift()
            self._swapped_out = start, self.model.swap_out(SEQ_STORY, start, snapshot)

    def settle(self) -> None:
        """Take any branch out of the cache."""
        if branch := self._resident:
            branch.swapped = self.model.swap_out(SEQ_PREFETCH, branch.n_shared) if branch.n_own else None
            self._evict_resident()

    def serve(self, branch: "LlamaBranch") -> bool:
        """Decode what the branch waits for, in this thread; False if that was cancelled."""
        done = self.model.decode_inline(branch.waiting, len(branch.cached), branch.seq_id)
        if done:
            branch.served()
        return done

    def clear_cancel(self) -> None:
        """Allow decoding again after a `cancel`."""
        self.model.abort(False)

    def take(self, branch: "LlamaBranch") -> None:
        """Go on from where this branch is, as if the engine itself had come there."""
        if len(self.sequence.cached) - branch.n_shared >= LEAST:  # another take is read now
            self.settle()
            self._put_aside(ReusePlan(branch.n_shared))
        self.enter(branch)
        sequence, self._resident, self._swapped_out = branch.detach(), None, None
        self.model.copy(SEQ_PREFETCH, SEQ_STORY)
        self.model.remove(-1, -1, SEQ_PREFETCH)
        if self.sequence.unshifted is None and sequence.unshifted is not None:  # it was refreshed since
            sequence.unshifted = branch.n_shared
        sequence.seq_id = SEQ_STORY
        self.sequence = sequence

    def drop(self, branch: "LlamaBranch") -> None:
        """Forget a branch and what it has cached."""
        branch.swapped = None
        if branch is self._resident:
            self._evict_resident()
        if branch.seq_id == SEQ_REFRESH:
            self.model.remove(-1, -1, SEQ_REFRESH)

    def _evict_resident(self) -> None:
        """Remove what the resident branch has in the cache; what is not swapped out by then is lost."""
        self._resident = None
        self.model.remove(-1, -1, SEQ_PREFETCH)
        self._swap_own_in()

    def _swap_own_in(self) -> None:
        if self._swapped_out:
            start, cells = self._swapped_out
            self._swapped_out = None
            if not self.model.swap_in(SEQ_STORY, start, cells):
                self.sequence.cut(start)  # then it is prefilled anew


class LlamaBranch(LlamaEngine):
    """Generate from a copy of an engine's sequence; decode when served, or after the engine went on with it."""

    def __init__(self, engine: BranchingEngine, sequence: SequenceState) -> None:
        super().__init__(engine.model, shift=False, exact=engine.exact)  # cells that are shared cannot be moved
        self._engine, self.sequence = engine, sequence
        self.n_shared = len(sequence.cached)  # so many tokens at its front are the engine's own
        self.swapped: Any = None  # the cells behind them, while others lie in the cache
        self.waiting: Sequence[int] = ()
        self._requested: Sequence[int] | None = None  # what is to be decoded, until it is
        self._detached = False

    @property
    def cached(self) -> Sequence[int]:
        """Return its tokens in the cache, position by position."""
        return self.sequence.cached

    @property
    def seq_id(self) -> int:
        """Return SEQ_PREFETCH or SEQ_REFRESH."""
        return self.sequence.seq_id

    @property
    def n_own(self) -> int:
        """Return how many of its tokens it does not share with the engine."""
        return len(self.sequence.cached) - self.n_shared

    @property
    def at_end(self) -> bool:
        """Tell whether what it waits for, or wrote last, lies behind all that could stay in a longer line."""
        ends = self.sequence.chunk_ends
        return len(self.sequence.cached) + len(self.waiting) > (ends[-1] if ends else 0)

    @property
    def in_last_word(self) -> bool:
        """Tell whether what it waits for reaches into the last word of a line, which may be half of one."""
        return len(self.sequence.cached) + len(self.waiting) > self.sequence.last_word

    def truncate(self, length: int) -> None:
        """Keep no more than the first `length` tokens."""
        self.waiting = ()  # it was to come behind what is gone
        self._reuse(ReusePlan(length))

    def prefill(self, tokens: Sequence[int]) -> Iterator[str]:
        """Add tokens, chunk by chunk; yields "" where it waits."""
        yield from self._prefill(tokens, None)

    def served(self) -> None:
        """Note that what it waits for has been decoded."""
        self._decoded(self.waiting)
        self.waiting = ()

    def detach(self) -> SequenceState:
        """Decode by itself from now on, if it goes on at all; return the sequence, which the engine takes over."""
        self._detached = True
        return self.sequence

    def _begin(self) -> None:
        if self._detached:
            super()._begin()

    def _prefill(self, tokens: Sequence[int], on_prefill: PrefillProgress | None) -> Generator[str, None, bool]:
        def told(done: int, total: int) -> None:
            if on_prefill and self._detached:  # else nobody waits, and the line would stand where the player types
                on_prefill(done, total)

        return super()._prefill(tokens, told)

    def _reuse(self, plan: ReusePlan) -> None:
        super()._reuse(plan)
        kept = len(self.sequence.cached)
        if kept < self.n_shared and not self._detached:
            self.n_shared = kept
            if self.seq_id == SEQ_PREFETCH:
                self._engine.make_room(kept, self.sequence.snapshots)

    def _decode(self, tokens: Sequence[int]) -> bool | None:
        if self._requested is not tokens and not self._detached:
            self._requested = self.waiting = tokens
        if self._requested is tokens:
            if self.waiting and not self._detached:
                return None
            served, self._requested, self.waiting = not self.waiting, None, ()
            if served:
                return True
        return super()._decode(tokens)
