"""Run a GGUF in llama.cpp: keep its cache, move what slides, put the cache away and take it back.

The generation loop is in generation.py, the C interface behind context.py, vocab.py and sampler.py.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from advrepl.engines.generation import Pick, SequenceEngine
from advrepl.engines.kv import file as kv_file
from advrepl.engines.kv.file import Held, Key
from advrepl.engines.kv.reuse import Plan
from advrepl.engines.llama.context import SHORT, Loaded
from advrepl.engines.llama.sampler import Sampler
from advrepl.prompt.segments import Window
from advrepl.sampling.params import Sampling


class LlamaEngine(SequenceEngine[Loaded]):
    """A model in llama.cpp with one sequence in its cache, whose tokens can be moved."""

    grammars = True

    def __init__(self, model: Loaded, *, shift: bool = True) -> None:
        super().__init__(model)
        self.can_shift = shift and model.can_shift
        types = " and ".join(dict.fromkeys(model.cache_types)) + ("" if model.flash else ", values transposed")
        self.key = Key(self.fingerprint, self.n_ctx, types, model.library)

    def _decode(self, tokens: Sequence[int]) -> bool | None:
        sequence = self.sequence
        if self.model.aborted or not self.model.decode(tokens, len(sequence.cached), sequence.seq_id):
            return False
        sequence.cached += tokens
        return True

    def _chunk(self) -> int:
        return SHORT if self.model.turning else self.model.chunk  # decoding that turns keys cannot be stopped

    @contextmanager
    def _sampler(self, sampling: Sampling, grammar: str | None, prompt: Sequence[int]) -> Iterator[Pick]:
        with Sampler(self.model, sampling, grammar, prompt) as sampler:
            yield sampler.pick

    def _reuse(self, plan: Plan) -> None:
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

    def held(self, window: Window) -> Held | None:
        sequence = self.sequence
        if not sequence.cached:
            return None
        if self.model.turning:
            self._turn()
        parts = [(part, not index) for index, part in enumerate(window.segments)]
        spelled = {kv_file.name((part,), first): sequence.token_cache.tokens(part, first) for part, first in parts}
        return Held(self.key, list(sequence.cached), spelled, sequence.shown, sequence.unshifted)

    def _turn(self) -> None:
        """Let moved keys be turned, by decoding the last token once more."""
        end = len(self.sequence.cached) - 1
        self.model.remove(end, -1)
        self.model.decode(self.sequence.cached[end:], end)

    def state_size(self) -> int:
        return self.model.state_size()

    def state(self, held: Held, memory: Callable[[int], memoryview]) -> memoryview | None:
        return self.model.copy_state(memory, lambda: len(held.tokens) if self.sequence.cached == held.tokens else -1)

    def restore(self, held: Held, state: memoryview) -> bool:
        sequence = self.sequence
        fits = self.model.put_state(state, len(held.tokens))
        sequence.cached, sequence.unshifted = [], None
        if fits:
            sequence.cached, sequence.shown, sequence.unshifted = list(held.tokens), held.shown, held.straight
            sequence.token_cache.spelled = held.spelled
        return fits
