"""Play a Hugging Face folder with transformers: models that llama.cpp cannot run, GPT-Neo above all, and others slower.

The same protocol as the llama.cpp engine (llama.py). There are no grammars, and nothing in the cache is moved: what
follows turns that slid out of the window is fed again. torch is behind hf_model.py, hf_cache.py and hf_sampler.py.
"""

import codecs
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain

from advrepl import AdvreplError
from advrepl.engines.base import Feeding, Stats, until_stop
from advrepl.engines.hf.model import Loaded
from advrepl.engines.hf.sampler import Sampler
from advrepl.engines.kv.reuse import plan_reuse
from advrepl.engines.kv.tokens import Memo
from advrepl.prompt.segments import Segment, Window
from advrepl.sampling.params import Sampling


class HfEngine:
    """A model in transformers with one sequence in its cache, which follows the windows it is asked to continue."""

    grammars = shifted = False

    def __init__(self, loaded: Loaded) -> None:
        self._model, self._vocab = loaded, loaded.vocab
        self.name, self.fingerprint = loaded.name, loaded.fingerprint
        self.n_ctx, self.template, self.format_hint = loaded.n_ctx, loaded.template, loaded.format_hint
        self.text_borders = (self._vocab.special(self._vocab.bos), self._vocab.special(self._vocab.eos))
        self.stats = Stats()
        self._held: list[int] = []  # the tokens in the cache, position by position
        self._memo = Memo(self._vocab.encode)

    def count(self, segment: Segment) -> int:
        return len(self._memo.tokens(segment))

    def cancel(self) -> None:
        self._model.abort(True)

    def close(self) -> None:
        self._model.close()

    def generate(
        self,
        window: Window,
        sampling: Sampling,
        *,
        stop: Iterable[str] = (),
        grammar: str | None = None,
        feeding: Feeding | None = None,
    ) -> Iterator[str]:
        if grammar is not None:
            raise ValueError("this engine has no grammars")
        self._model.abort(False)
        self.stats = stats = Stats(stop="end")
        wanted = self._follow(window)
        if len(wanted) >= self.n_ctx:
            raise AdvreplError(f"{len(wanted)} tokens do not fit the context of {self.n_ctx}: give a larger --ctx")
        self._memo.begin(window.segments[-1])
        if not self._feed(wanted[len(self._held) :], feeding):
            stats.stop = "interrupted"
            return
        whole = until_stop(self._sample(Sampler(self._vocab, sampling, wanted), sampling.max_tokens), stop)
        stats.stop = "stop"  # until the pieces end by themselves
        yield from whole

    def _sample(self, sampler: Sampler, limit: int) -> Iterator[str]:
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        stats = self.stats
        while True:
            token = sampler.pick(self._model.logits())
            if self._vocab.ends(token):
                stats.stop = "end"
                break
            piece = self._vocab.piece(token)
            self._memo.sampled.append((token, piece))
            stats.generated += 1
            if text := decoder.decode(piece):
                yield text
            if stats.generated >= limit:
                stats.stop = "length"
                break
            if len(self._held) + 1 >= self.n_ctx:
                stats.stop = "context"
                break
            if self._model.aborted or not self._decode([token]):
                stats.stop = "interrupted"
                break
        if rest := decoder.decode(b"", final=True):
            yield rest

    def _follow(self, window: Window) -> list[int]:
        """Cut the cache back to what it shares with the window, and return all the window's tokens."""
        parts = [self._memo.tokens(segment, index == 0) for index, segment in enumerate(window.segments)]
        wanted = [*self._vocab.opening(parts[0]), *chain.from_iterable(parts)]
        keep = plan_reuse(self._held, wanted).keep
        self._held = self._held[:keep]
        self._model.cut(keep)
        self.stats.prompt, self.stats.reused = len(wanted), keep
        return wanted

    def _feed(self, tokens: Sequence[int], feeding: Feeding | None) -> bool:
        for start in range(0, len(tokens), self._model.chunk):
            if feeding:
                feeding(start, len(tokens))
            if self._model.aborted or not self._decode(tokens[start : start + self._model.chunk]):
                return False
        if feeding:
            feeding(len(tokens), len(tokens))
        return True

    def _decode(self, tokens: Sequence[int]) -> bool:
        """Add tokens to the cache; False if the player stopped it."""
        done = self._model.decode(tokens)
        if done:
            self._held += tokens
        return done
