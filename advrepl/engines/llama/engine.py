"""Run a GGUF in llama.cpp: keep its cache, move what slides, put the cache away and take it back.

The generation loop is in generation.py, the C interface behind model.py, vocab.py and sampler.py.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import msgspec

from advrepl.engines.generation import Pick, SequenceEngine
from advrepl.engines.kv import computed
from advrepl.engines.kv.computed import Run
from advrepl.engines.kv.file import KvKey, KvSnapshot, StoredPiece
from advrepl.engines.kv.reuse import ReusePlan, moved_gaps, seen_whole
from advrepl.engines.kv.snapshots import EVERY, SnapshotKind, Snapshots
from advrepl.engines.kv.tails import LEAST, Tail, Tails
from advrepl.engines.llama.model import SHORT_BATCH, LlamaModel
from advrepl.engines.llama.sampler import Sampler
from advrepl.prompt.segments import Window
from advrepl.sampling.params import Sampling


class LlamaEngine(SequenceEngine[LlamaModel]):
    """Play a model in llama.cpp: an Engine and a KvPersistent; `shift`: move what slides, where the model allows it.

    `exact`: as SequenceEngine has it.
    """

    grammars = True

    def __init__(self, model: LlamaModel, *, shift: bool = True, exact: bool = False) -> None:
        super().__init__(model, exact=exact)
        self.can_shift, self.parts_lines = shift and model.can_shift and not exact, model.abilities.cuts
        self._intact = True  # does the cache hold the cached tokens and no part of others?
        types = " and ".join(dict.fromkeys(model.cache_types)) + ("" if model.flash_attn else ", values transposed")
        self.key = KvKey(self.fingerprint, types, model.library)
        self.parts, self.window = model.abilities.cuts, model.abilities.window
        self._stored: Sequence[StoredPiece] = ()  # what `cached` stands for, before it is in the cache
        self.tails = Tails()  # of branches of the story that were left

    def _decode(self, tokens: Sequence[int]) -> bool | None:
        sequence = self.sequence
        self._intact = False  # should this be interrupted
        done = not self.model.aborted and self.model.decode(tokens, len(sequence.cached), sequence.seq_id)
        self._intact = True
        if done:
            self._decoded(tokens)
        return done

    def _decoded(self, tokens: Sequence[int]) -> None:
        """Note what the cache holds now, and keep a copy of its recurrent part where one may be needed."""
        sequence = self.sequence
        sequence.cached += tokens
        sequence.stats.decoded += len(tokens)
        if self.model.abilities.snapshots:
            at = len(sequence.cached)
            if at in sequence.borders:
                self._keep(SnapshotKind.HEAD if at == sequence.borders[0] else SnapshotKind.BORDER)
            elif at - sequence.snapshots.last(at) >= EVERY and len(tokens) == 1:
                self._keep(SnapshotKind.PASSING)

    def _keep(self, kind: SnapshotKind) -> None:
        sequence = self.sequence
        sequence.snapshots.add(len(sequence.cached), kind, self.model.snapshot(sequence.seq_id))

    def _chunk(self) -> int:
        if self.model.k_shift_pending:  # decoding that moves keys cannot be stopped
            return SHORT_BATCH
        if self.model.abilities.snapshots:
            left = (border - len(self.sequence.cached) for border in self.sequence.borders)
            return min((tokens for tokens in left if 0 < tokens < self.model.chunk), default=self.model.chunk)
        return self.model.chunk

    @contextmanager
    def _sampler(self, sampling: Sampling, grammar: str | None, prompt: Sequence[int]) -> Iterator[Pick]:
        with Sampler(self.model, sampling, grammar, prompt) as sampler:
            yield sampler.pick

    def _reuse(self, plan: ReusePlan) -> None:
        sequence, model = self.sequence, self.model
        seq_id, cached = sequence.seq_id, sequence.cached
        block = cached[plan.source : plan.source + plan.moved]
        runs = computed.part(sequence.number(), plan.source, plan.source + plan.moved) if plan.moved else ()
        sequence.cut(plan.keep)  # true at every moment, should this be interrupted
        if self._stored:
            self._put_back(plan, block)
            return
        if model.abilities.snapshots:
            self._go_back(len(cached))
            return
        sequence.missing = moved_gaps(sequence.missing, plan)
        if plan.moved:
            model.remove(plan.source + plan.moved, -1, seq_id)
            model.remove(plan.keep, plan.source, seq_id)
            model.move(plan.source, plan.source + plan.moved, plan.source - plan.start, seq_id)
            if not plan.joint or self._decode_before(plan.joint, plan.start):
                sequence.runs = (*sequence.number(), *runs)
                sequence.cached += block
            sequence.unshifted = plan.keep if sequence.unshifted is None else min(sequence.unshifted, plan.keep)
        elif plan.keep < len(cached) or model.abilities.cuts or not plan.keep:
            model.remove(plan.keep if model.abilities.cuts else 0, -1, seq_id)
        self._leave_out_unseen()
        if not self.shifted:
            sequence.unshifted = None

    def _decode_before(self, tokens: Sequence[int], start: int) -> bool:
        """Decode tokens into the gap before position `start`; if that is cancelled, nothing is left behind them."""
        seq_id = self.sequence.seq_id
        with self.model.aside(start, seq_id):
            done = bool(self._decode(tokens))
        if not done:
            self.model.remove(len(self.sequence.cached), -1, seq_id)
        return done

    def _leave_out_unseen(self) -> None:
        """Let everything be read again behind which attention would miss something."""
        sequence, model = self.sequence, self.model
        length = len(sequence.cached)
        low, high = model.extent(sequence.seq_id)
        gaps = [*sequence.missing, (0, max(low, 0)), (high + 1, length)]
        keep = seen_whole(length, gaps, model.abilities.window)
        if keep < length:
            model.remove(keep, -1, sequence.seq_id)
            sequence.cut(keep)
            sequence.missing = moved_gaps(sequence.missing, ReusePlan(keep))

    def _go_back(self, length: int) -> None:
        """Go on from a copy of the recurrent part, unless all of the `length` tokens are still cached."""
        sequence, model = self.sequence, self.model
        keep = len(sequence.cached)
        if keep and keep == length and self._intact:
            if keep - sequence.snapshots.last(keep) >= EVERY:
                self._keep(SnapshotKind.BORDER)
            return
        keep = sequence.snapshots.last(keep)
        if not keep or not model.go_back(keep, sequence.snapshots.data(keep), sequence.seq_id):
            keep = 0
            model.remove(0, -1, sequence.seq_id)
        sequence.cut(keep)
        self._intact = True
        sequence.snapshots.cut(keep)

    # --- branches of the story that were left

    def forget_moved(self) -> None:
        """Give up the tokens that were moved, also those that were put aside (base.Engine)."""
        self.tails.forget_moved()
        super().forget_moved()

    def _reusable(self, wanted: Sequence[int]) -> int:
        sequence = self.sequence
        held = super()._reusable(wanted)
        if self.model.abilities.snapshots and held < len(sequence.cached):
            held = sequence.snapshots.last(held)
        return self.tails.held(wanted, held)

    def _put_aside(self, plan: ReusePlan) -> None:
        sequence, model, end = self.sequence, self.model, len(self.sequence.cached)
        there = self._intact and not self._stored and self.own_in_cache == end
        if plan.moved or end - plan.keep < LEAST or not (there and self.tails.limit and model.abilities.kept):
            return
        start = 0 if model.abilities.snapshots else plan.keep  # a recurrent state stands for all tokens before it
        copies = sequence.snapshots.worth_storing()
        if model.abilities.snapshots and not copies:
            return
        size = model.state_size() * (end - start) // end + sum(len(copy) for _, _, copy in copies)
        if not self.tails.make_room(size):
            return
        if model.k_shift_pending:
            self._apply_k_shift()
        cells, runs = model.copy_tail(start), computed.part(sequence.number(), start, end)
        missing = tuple((max(low, start), high) for low, high in sequence.missing if high > start)
        self.tails.add(Tail(list(sequence.cached), start, cells, runs, sequence.unshifted, missing, copies))

    def _take_back(self, wanted: Sequence[int]) -> None:
        reach = 0
        while len(self.sequence.cached) >= reach and (found := self.tails.find(wanted, len(self.sequence.cached))):
            reach = found[1]
            self._put_behind(*found)

    def _put_behind(self, tail: Tail, reach: int) -> None:
        """Put a tail into the cache again; nothing of it where llama.cpp does not take it."""
        sequence, model, start = self.sequence, self.model, tail.start
        before = computed.part(sequence.number(), 0, start)
        model.remove(start, -1, sequence.seq_id)
        sequence.cut(start)
        sequence.snapshots.cut(start)
        sequence.missing = moved_gaps(sequence.missing, ReusePlan(start))
        if not model.swap_in(sequence.seq_id, start, list(tail.cells)):
            model.remove(start, -1, sequence.seq_id)
            self.tails.remove(tail)
            return
        sequence.cached, sequence.runs = list(tail.tokens), (*before, *tail.runs)
        known = [each for each in (sequence.unshifted, tail.unshifted) if each is not None]
        sequence.unshifted = min(known, default=None)
        sequence.missing += tail.missing
        if tail.copies:
            sequence.snapshots = Snapshots.of(tail.copies)
        self.tails.used(tail, reach)
        self._reuse(ReusePlan(reach))

    # --- the cache file

    def snapshot(self, window: Window) -> KvSnapshot | None:
        """Return what the cache holds (KvPersistent)."""
        sequence = self.sequence
        if not sequence.cached or not self.model.abilities.kept:
            return None
        if self.model.k_shift_pending:
            self._apply_k_shift()
        segments = sequence.token_cache.stores(window.segments)
        copies, tokens = sequence.snapshots.worth_storing(), list(sequence.cached)
        if self.exact and self.parts:  # what was sampled is decoded again
            tokens = tokens[: (sequence.chunks or [0])[-1]]
            if not tokens:
                return None
        return KvSnapshot(self.key, tokens, segments, sequence.shape, sequence.unshifted, copies, list(sequence.chunks))

    def _apply_k_shift(self) -> None:
        """Let moved keys be rotated, by decoding the last token once more."""
        end = len(self.sequence.cached) - 1
        self.model.remove(end, -1)
        self.model.decode(self.sequence.cached[end:], end)

    def state_size(self) -> int:
        """Return how many bytes `copy_state` needs (KvPersistent)."""
        return self.model.state_size()

    def copy_state(self, snapshot: KvSnapshot, memory: Callable[[int], memoryview]) -> memoryview | None:
        """Copy the cache if it still is as in the snapshot, from any thread (KvPersistent)."""
        tokens = snapshot.tokens
        return self.model.copy_state(memory, lambda: len(tokens) if self.sequence.cached == tokens else -1)

    def front(self, blocks: int) -> KvSnapshot | None:
        """Return what the cache holds of the head and so many blocks (KvPersistent)."""
        sequence = self.sequence
        if self.shifted or not self.model.abilities.kept or blocks >= len(sequence.borders) - 1:
            return None
        length, copies = sequence.borders[blocks], sequence.snapshots
        if length > len(sequence.cached) or (self.model.abilities.snapshots and copies.last(length) != length):
            return None
        shape = msgspec.structs.replace(sequence.shape, blocks=sequence.shape.blocks[:blocks])
        listed = [(length, int(SnapshotKind.HEAD), copies.data(length))] if self.model.abilities.snapshots else []
        return KvSnapshot(self.key, sequence.cached[:length], {}, shape, None, listed)

    def copy_front(self, snapshot: KvSnapshot, memory: Callable[[int], memoryview]) -> memoryview | None:
        """Copy that much of the cache (KvPersistent)."""
        tokens, copy = snapshot.tokens, snapshot.copies[0][2] if snapshot.copies else None
        there = lambda: self.sequence.cached[: len(tokens)] == tokens  # noqa: E731
        return self.model.copy_front(memory, len(tokens), there, copy)

    def restore(self, snapshot: KvSnapshot, state: memoryview) -> bool:
        """Take the cache back (KvPersistent)."""
        sequence = self.sequence
        fits = self.model.restore_state(state, len(snapshot.tokens))
        sequence.cut(0)
        sequence.unshifted, sequence.missing = None, ()
        sequence.snapshots = Snapshots.of(snapshot.copies if fits else ())
        if fits:
            sequence.cached, sequence.unshifted = list(snapshot.tokens), snapshot.unshifted
            sequence.shape, sequence.chunks = snapshot.shape, list(snapshot.chunks)
            sequence.token_cache.stored = snapshot.segments
        return fits

    # --- in parts, where tokens are cells that can be cut and moved

    @property
    def own_in_cache(self) -> int:
        """Return how many of the engine's own tokens are in the cache now."""
        return len(self.sequence.cached)

    def computed(self) -> tuple[Run, ...]:
        """Return the numbers of the cached tokens (KvPersistent)."""
        return self.sequence.number()

    def copy_part(
        self, snapshot: KvSnapshot, start: int, end: int, memory: Callable[[int], memoryview]
    ) -> memoryview | None:
        """Copy some cells (KvPersistent)."""
        tokens = snapshot.tokens[:end]
        there = lambda: end <= self.own_in_cache and self.sequence.cached[:end] == tokens  # noqa: E731
        return self.model.copy_part(memory, start, end, there)

    def restore_parts(
        self, snapshot: KvSnapshot, pieces: Sequence[StoredPiece], window: Callable[[], Window] | None
    ) -> list[StoredPiece]:
        """Take back what fits (KvPersistent)."""
        sequence, tokens = self.sequence, list(snapshot.tokens)
        self.model.remove(0, -1)
        sequence.runs, sequence.missing, sequence.snapshots = (), (), Snapshots()
        sequence.cached, sequence.unshifted, sequence.shape = tokens, snapshot.unshifted, snapshot.shape
        sequence.token_cache.stored, sequence.chunks = snapshot.segments, list(snapshot.chunks)
        self._stored, self._held = pieces, list[StoredPiece]()
        if window and len(tokens) >= self.n_ctx:
            self.follow(window())
        else:
            self._reuse(ReusePlan(min(len(tokens), self.n_ctx - 1)))
        if not sequence.cached:
            sequence.token_cache.stored = {}
        return self._held

    def _put_back(self, plan: ReusePlan, block: list[int]) -> None:
        """Bring the stored cells that the plan keeps and moves into the cache, as far as they fit."""
        sequence, pieces = self.sequence, self._stored
        if plan.joint:  # it would have to be read first
            plan = ReusePlan(plan.keep)
        tokens = sequence.cached + (block if plan.moved else [])
        self._stored, at, gap = (), 0, False
        if plan.moved and (sequence.unshifted is None or sequence.unshifted > plan.keep):
            sequence.unshifted = plan.keep
        for stored in (*parts_of(pieces, 0, plan.keep), *parts_of(pieces, plan.source, plan.source + plan.moved)):
            start, end = stored.piece.start, stored.piece.start + stored.piece.length
            if self.exact and (start != stored.block[0] or gap):  # the rest of a block leaves a gap between the cells
                break
            gap = end != stored.block[1]
            if start != at and not self.model.can_shift:
                break
            if not self.model.restore_part(stored.state, stored.block, start, end, at):
                break
            self._held.append(stored)
            at += stored.piece.length
        sequence.cached, sequence.runs = tokens, ()
        sequence.cut(at)
        sequence.runs = computed.fresh(at)
        if not self.shifted:
            sequence.unshifted = None


def parts_of(pieces: Sequence[StoredPiece], start: int, end: int) -> list[StoredPiece]:
    """Return the pieces from position `start` to before `end` of all that they make up."""
    found, at = list[StoredPiece](), 0
    for stored in pieces:
        low, high = max(start - at, 0), min(end - at, stored.piece.length)
        if low < high:
            found.append(stored.part(low, high))
        at += stored.piece.length
    return found
