"""Play a Hugging Face folder with transformers: models that llama.cpp cannot run, GPT-Neo above all, and others slower.

The same protocol as llama.cpp's engine (llama/engine.py). There are no grammars, and nothing in the cache is moved:
what follows turns that slid out of the window is prefilled anew. torch is behind model.py, cache.py and sampler.py.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from advrepl.engines.generation import Pick, SequenceEngine
from advrepl.engines.hf.model import HfModel
from advrepl.engines.hf.sampler import Sampler
from advrepl.engines.kv.reuse import ReusePlan
from advrepl.sampling.params import Sampling


class HfEngine(SequenceEngine[HfModel]):
    """Play a model in transformers: an Engine without grammars, whose cached tokens are never moved."""

    def _decode(self, tokens: Sequence[int]) -> bool:
        done = not self.model.aborted and self.model.decode(tokens)
        if done:
            self.sequence.cached += tokens
            self.sequence.stats.decoded += len(tokens)
        return done

    def _reuse(self, plan: ReusePlan) -> None:
        self.sequence.cut(plan.keep)
        self.model.truncate(plan.keep)

    @contextmanager
    def _sampler(self, sampling: Sampling, grammar: str | None, prompt: Sequence[int]) -> Iterator[Pick]:
        sampler = Sampler(self.model.vocab, sampling, prompt)
        yield lambda: sampler.pick(self.model.logits())
