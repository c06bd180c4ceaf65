"""Run a GGUF in llama.cpp: tokenise by segment, keep the cache, feed, sample.

The C interface is behind native.py, vocabulary.py and sampler.py. What is reused of the cache is decided in kv.py, what
is shown in prompt/window.py.
"""

import codecs
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain, islice

from advrepl import AdvreplError
from advrepl.engines.base import Feeding, Stats, until_stop
from advrepl.engines.kv import file as kv_file
from advrepl.engines.kv.file import Held, Key, Shown
from advrepl.engines.kv.reuse import Plan, plan_reuse
from advrepl.engines.kv.tokens import Memo
from advrepl.engines.llama.context import SHORT, Loaded
from advrepl.engines.llama.sampler import Sampler
from advrepl.engines.llama.vocab import Vocabulary
from advrepl.prompt.segments import Segment, Window
from advrepl.sampling.params import Sampling

NOTHING = Shown(b"", (), 0)


@dataclass(slots=True)
class Line:
    """A sequence of the cache and what is known of it; writing follows it from window to window."""

    memo: Memo
    sequence: int = 0
    held: list[int] = field(default_factory=list)  # its tokens, position by position
    straight: int | None = None  # so many tokens at its front were never moved; None: none was
    shown: Shown = NOTHING  # the window that `held` was built for
    stats: Stats = field(default_factory=Stats)

    def copy(self, sequence: int) -> "Line":
        return replace(self, memo=self.memo.copy(), sequence=sequence, held=list(self.held), stats=Stats())


class LlamaEngine:
    """A model in llama.cpp and a line in its cache, which follows the windows it is asked to continue."""

    grammars = True

    def __init__(self, loaded: Loaded, *, shift: bool = True) -> None:
        self._model = loaded
        self._vocab: Vocabulary = loaded.vocab
        self.name, self.fingerprint = loaded.name, loaded.fingerprint
        self.n_ctx, self.template, self.format_hint = loaded.n_ctx, loaded.template, loaded.format_hint
        self.text_borders = (self._vocab.special(self._vocab.bos), self._vocab.special(self._vocab.eos))
        self._shift = shift and loaded.can_shift
        self._chunk = loaded.chunk
        self._line = Line(Memo(self._vocab.encode))
        types = " and ".join(dict.fromkeys(loaded.cache_types)) + ("" if loaded.flash else ", values transposed")
        self.key = Key(self.fingerprint, self.n_ctx, types, loaded.library)

    @property
    def stats(self) -> Stats:
        return self._line.stats

    @property
    def shifted(self) -> bool:
        """Does the cache hold tokens that were moved, and so know of turns that are gone?"""
        straight = self._line.straight
        return straight is not None and len(self._line.held) > straight

    def count(self, segment: Segment) -> int:
        return len(self._line.memo.tokens(segment))

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
        line = self._line
        line.stats = stats = Stats(stop="end")
        self._begin()
        wanted = self._follow(window)
        if len(wanted) >= self.n_ctx:
            raise AdvreplError(f"{len(wanted)} tokens do not fit the context of {self.n_ctx}: give a larger --ctx")
        line.memo.begin(window.segments[-1])
        if not (yield from self._feed(wanted[len(line.held) :], feeding)):
            stats.stop = "interrupted"
            return
        with Sampler(self._model, sampling, grammar, wanted) as sampler:
            whole = until_stop(self._sample(sampler, sampling.max_tokens), stop)
            stats.stop = "stop"  # until the pieces end by themselves
            yield from whole

    def _sample(self, sampler: Sampler, limit: int) -> Iterator[str]:
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        line, stats, sampled = self._line, self._line.stats, self._line.memo.sampled
        while True:
            token = sampler.pick()
            if self._vocab.ends(token):
                stats.stop = "end"
                break
            piece = self._vocab.piece(token)
            sampled.append((token, piece))
            stats.generated += 1
            if text := decoder.decode(piece):
                yield text
            if stats.generated >= limit:
                stats.stop = "length"
                break
            if len(line.held) + 1 >= self.n_ctx:
                stats.stop = "context"
                break
            if not (yield from self._step([token])):
                stats.stop = "interrupted"
                break
        if rest := decoder.decode(b"", final=True):
            yield rest

    def _begin(self) -> None:
        self._model.abort(False)

    def _step(self, tokens: Sequence[int]) -> Generator[str, None, bool]:
        """Add tokens to the cache; False if the player stopped it."""
        yield from ()  # a branch waits here
        line = self._line
        if self._model.aborted or not self._model.decode(tokens, len(line.held), line.sequence):
            return False
        line.held += tokens
        return True

    # --- the cache

    def _follow(self, window: Window) -> list[int]:
        """Make the cache hold as much of the window as it can, and return all its tokens; the rest is to be fed."""
        segments = window.segments
        parts = [self._line.memo.tokens(segment, first=index == 0) for index, segment in enumerate(segments)]
        wanted = [*self._vocab.opening(parts[0]), *chain.from_iterable(parts)]
        n_head = len(window.prompt.head)
        head = len(wanted) - sum(map(len, parts[n_head:]))
        sizes = map(len, parts[n_head:])
        blocks = tuple(sum(islice(sizes, len(block))) for block in window.prompt.blocks)
        shown = Shown(kv_file.name(window.prompt.head, first=True), blocks, window.evicted)
        line = self._line
        plan = plan_reuse(line.held, wanted, head, self._evicted(shown))
        self._apply(plan)
        line.shown = shown
        self.stats.prompt, self.stats.reused, self.stats.shifted = len(wanted), plan.reused, plan.moved
        return wanted

    def _evicted(self, shown: Shown) -> int:
        """The tokens of the turns that left the window since the last one, if nothing else changed before them."""
        last = self._line.shown
        gone = shown.evicted - last.evicted
        if not self._shift or last.head != shown.head or not 0 < gone < len(last.blocks):
            return 0
        return sum(last.blocks[:gone])

    def _apply(self, plan: Plan) -> None:
        line, sequence = self._line, self._line.sequence
        held = line.held
        block = held[plan.source : plan.source + plan.moved]
        line.held = held[: plan.keep]  # true at every moment, should this be interrupted
        if plan.moved:
            self._model.remove(plan.source + plan.moved, -1, sequence)
            self._model.remove(plan.keep, plan.source, sequence)
            self._model.move(plan.source, plan.source + plan.moved, plan.source - plan.keep, sequence)
            line.held = held[: plan.keep] + block
            line.straight = plan.keep if line.straight is None else min(line.straight, plan.keep)
            return
        if not self._model.remove(plan.keep, -1, sequence):
            self._model.remove(0, -1, sequence)  # a recurrent model cannot go back a part of the way
            line.held = []
            self.stats.reused = 0
        if not self.shifted:
            line.straight = None

    def _feed(self, tokens: Sequence[int], feeding: Feeding | None) -> Generator[str, None, bool]:
        done = 0
        while done < len(tokens):
            size = SHORT if self._model.turning else self._chunk  # decoding that turns keys cannot be stopped
            if feeding:
                feeding(done, len(tokens))
            if not (yield from self._step(tokens[done : done + size])):
                return False
            done += size
        if feeding:
            feeding(len(tokens), len(tokens))
        return True

    # --- the cache file

    def held(self, window: Window) -> Held | None:
        line = self._line
        if not line.held:
            return None
        if self._model.turning:
            self._turn()
        parts = [(part, not index) for index, part in enumerate(window.segments)]
        spelled = {kv_file.name((part,), first): line.memo.tokens(part, first) for part, first in parts}
        return Held(self.key, list(line.held), spelled, line.shown, line.straight)

    def _turn(self) -> None:
        """Let moved keys be turned, by decoding the last token once more."""
        end = len(self._line.held) - 1
        self._model.remove(end, -1)
        self._model.decode(self._line.held[end:], end)

    def state_size(self) -> int:
        return self._model.state_size()

    def state(self, held: Held, memory: Callable[[int], memoryview]) -> memoryview | None:
        return self._model.copy_state(memory, lambda: len(held.tokens) if self._line.held == held.tokens else -1)

    def restore(self, held: Held, state: memoryview) -> bool:
        line = self._line
        fits = self._model.put_state(state, len(held.tokens))
        line.held, line.straight = [], None
        if fits:
            line.held, line.shown, line.straight = list(held.tokens), held.shown, held.straight
            line.memo.spelled = held.spelled
        return fits
