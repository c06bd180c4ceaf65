"""Run a GGUF in llama.cpp: keep its cache, move what slides, put the cache away and take it back.

The generation loop is in generation.py, the C interface behind model.py, vocab.py and sampler.py.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from advrepl.engines.generation import Pick, SequenceEngine
from advrepl.engines.kv.file import KvKey, KvSnapshot, segments_digest
from advrepl.engines.kv.reuse import ReusePlan
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
        types = " and ".join(dict.fromkeys(model.cache_types)) + ("" if model.flash_attn else ", values transposed")
        self.key = KvKey(self.fingerprint, self.n_ctx, types, model.library)

    def _decode(self, tokens: Sequence[int]) -> bool | None:
        sequence = self.sequence
        if self.model.aborted or not self.model.decode(tokens, len(sequence.cached), sequence.seq_id):
            return False
        sequence.cached += tokens
        return True

    def _chunk(self) -> int:
        # Decoding that moves keys cannot be stopped.
        return SHORT_BATCH if self.model.k_shift_pending else self.model.chunk

    @contextmanager
    def _sampler(self, sampling: Sampling, grammar: str | None, prompt: Sequence[int]) -> Iterator[Pick]:
        with Sampler(self.model, sampling, grammar, prompt) as sampler:
            yield sampler.pick

    def _reuse(self, plan: ReusePlan) -> None:
        sequence, model = self.sequence, self.model
        seq_id, cached = sequence.seq_id, sequence.cached
        block = cached[plan.source : plan.source + plan.moved]
        sequence.cached = cached[: plan.keep]  # true at every moment, should this be interrupted
        if plan.moved:
            model.remove(plan.source + plan.moved, -1, seq_id)
            model.remove(plan.keep, plan.source, seq_id)
            model.move(plan.source, plan.source + plan.moved, plan.source - plan.keep, seq_id)
            sequence.cached = cached[: plan.keep] + block
            sequence.unshifted = plan.keep if sequence.unshifted is None else min(sequence.unshifted, plan.keep)
            return
        if not model.remove(plan.keep, -1, seq_id):
            model.remove(0, -1, seq_id)  # a recurrent model cannot go back a part of the way
            sequence.cached = []
            sequence.stats.reused = 0
        if not self.shifted:
            sequence.unshifted = None

    # --- the cache file

    def snapshot(self, window: Window) -> KvSnapshot | None:
        """Return what the cache holds (KvPersistent)."""
        sequence = self.sequence
        if not sequence.cached:
            return None
        if self.model.k_shift_pending:
            self._apply_k_shift()
        parts = [(part, not index) for index, part in enumerate(window.segments)]
        segments = {segments_digest((part,), first): sequence.token_cache.tokens(part, first) for part, first in parts}
        return KvSnapshot(self.key, list(sequence.cached), segments, sequence.shape, sequence.unshifted)

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

    def restore(self, snapshot: KvSnapshot, state: memoryview) -> bool:
        """Take the cache back (KvPersistent)."""
        sequence = self.sequence
        fits = self.model.restore_state(state, len(snapshot.tokens))
        sequence.cached, sequence.unshifted = [], None
        if fits:
            sequence.cached, sequence.unshifted = list(snapshot.tokens), snapshot.unshifted
            sequence.shape = snapshot.shape
            sequence.token_cache.stored = snapshot.segments
        return fits
