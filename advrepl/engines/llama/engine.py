"""Run a GGUF in llama.cpp: keep its cache, move what slides, put the cache away and take it back.

The generation loop is in generation.py, the C interface behind model.py, vocab.py and sampler.py.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import msgspec

from advrepl.engines.generation import Pick, SequenceEngine
from advrepl.engines.kv.file import KvKey, KvSnapshot
from advrepl.engines.kv.reuse import ReusePlan, moved_gaps, seen_whole
from advrepl.engines.kv.snapshots import EVERY, SnapshotKind, Snapshots
from advrepl.engines.llama.model import SHORT_BATCH, LlamaModel
from advrepl.engines.llama.sampler import Sampler
from advrepl.prompt.segments import Window
from advrepl.sampling.params import Sampling


class LlamaEngine(SequenceEngine[LlamaModel]):
    """Play a model in llama.cpp: an Engine and a KvPersistent; `shift`: move what slides, where the model allows it."""

    grammars = True

    def __init__(self, model: LlamaModel, *, shift: bool = True) -> None:
        super().__init__(model)
        self.can_shift = shift and model.can_shift
        self._intact = True  # does the cache hold the cached tokens and no part of others?
        types = " and ".join(dict.fromkeys(model.cache_types)) + ("" if model.flash_attn else ", values transposed")
        self.key = KvKey(self.fingerprint, self.n_ctx, types, model.library)

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
        sequence.cached = cached[: plan.keep]  # true at every moment, should this be interrupted
        if model.abilities.snapshots:
            self._go_back(len(cached))
            return
        sequence.missing = moved_gaps(sequence.missing, plan)
        if plan.moved:
            model.remove(plan.source + plan.moved, -1, seq_id)
            model.remove(plan.keep, plan.source, seq_id)
            model.move(plan.source, plan.source + plan.moved, plan.source - plan.start, seq_id)
            if not plan.joint or self._decode_before(plan.joint, plan.start):
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
        gaps = [*sequence.missing, (0, low)] if high == length - 1 else [(0, length)]
        keep = seen_whole(length, gaps, model.abilities.window)
        if keep < length:
            model.remove(keep, -1, sequence.seq_id)
            sequence.cached = sequence.cached[:keep]
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
        sequence.cached, self._intact = sequence.cached[:keep], True
        sequence.snapshots.cut(keep)

    # --- the cache file

    def snapshot(self, window: Window) -> KvSnapshot | None:
        """Return what the cache holds (KvPersistent)."""
        sequence = self.sequence
        if not sequence.cached or not self.model.abilities.kept:
            return None
        if self.model.k_shift_pending:
            self._apply_k_shift()
        segments = sequence.token_cache.stores(window.segments)
        copies = sequence.snapshots.worth_storing()
        return KvSnapshot(self.key, list(sequence.cached), segments, sequence.shape, sequence.unshifted, copies)

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
        sequence.cached, sequence.unshifted, sequence.missing = [], None, ()
        sequence.snapshots = Snapshots.of(snapshot.copies if fits else ())
        if fits:
            sequence.cached, sequence.unshifted = list(snapshot.tokens), snapshot.unshifted
            sequence.shape = snapshot.shape
            sequence.token_cache.stored = snapshot.segments
        return fits
