"""Run a GGUF in llama.cpp: tokenise by segment, keep the cache, feed, sample.

The C interface is behind native.py, vocabulary.py and sampler.py. What is reused of the cache is decided in kv.py, what
is shown in prompt/window.py.
"""

import codecs
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, islice

from advrepl import AdvreplError
from advrepl.engines import kvfile
from advrepl.engines.base import Feeding, Sampling, Stats, until_stop
from advrepl.engines.kv import Plan, match_sampled, plan_reuse
from advrepl.engines.kvfile import Held, Key, Shown
from advrepl.engines.native import SHORT, Loaded
from advrepl.engines.sampler import Sampler
from advrepl.engines.vocabulary import Vocabulary
from advrepl.prompt.segments import Segment, Window

REMEMBERED = 4096  # segments whose tokens are kept


class LlamaEngine:
    """A model in llama.cpp with one sequence in its cache, which follows the windows it is asked to continue."""

    grammars = True

    def __init__(self, loaded: Loaded, *, shift: bool = True) -> None:
        self._model = loaded
        self._vocab: Vocabulary = loaded.vocab
        self.name, self.fingerprint = loaded.name, loaded.fingerprint
        self.n_ctx, self.template, self.format_hint = loaded.n_ctx, loaded.template, loaded.format_hint
        self.text_borders = (self._vocab.special(self._vocab.bos), self._vocab.special(self._vocab.eos))
        self.stats = Stats()
        self._shift = shift and loaded.can_shift
        self._chunk = loaded.chunk
        self._held: list[int] = []  # the tokens in the cache, position by position
        self._shown = Shown(b"", (), 0)  # the window that _held was built for
        self._tokens: dict[tuple[Segment, bool], tuple[int, ...]] = {}
        self._spelled: dict[bytes, tuple[int, ...]] = {}  # tokens of segments as a cache file has them
        types = " and ".join(dict.fromkeys(loaded.cache_types)) + ("" if loaded.flash else ", values transposed")
        self.key = Key(self.fingerprint, self.n_ctx, types, loaded.library)
        self._cue = Segment("", "")  # what the last reply followed, and the pieces it was sampled as
        self._sampled: list[tuple[int, bytes]] = []

    def count(self, segment: Segment) -> int:
        return len(self._encode(segment))

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
        self._model.abort(False)
        self.stats = stats = Stats(stop="end")
        wanted = self._follow(window)
        if len(wanted) >= self.n_ctx:
            raise AdvreplError(f"{len(wanted)} tokens do not fit the context of {self.n_ctx}: give a larger --ctx")
        self._cue, self._sampled = window.segments[-1], []
        if not self._feed(wanted[len(self._held) :], feeding):
            stats.stop = "interrupted"
            return
        with Sampler(self._model, sampling, grammar, wanted) as sampler:
            whole = until_stop(self._sample(sampler, sampling.max_tokens), stop)
            stats.stop = "stop"  # until the pieces end by themselves
            yield from whole

    def _sample(self, sampler: Sampler, limit: int) -> Iterator[str]:
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        stats = self.stats
        while True:
            token = sampler.pick()
            if self._vocab.ends(token):
                stats.stop = "end"
                break
            piece = self._vocab.piece(token)
            self._sampled.append((token, piece))
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

    # --- the cache

    def _follow(self, window: Window) -> list[int]:
        """Make the cache hold as much of the window as it can, and return all its tokens; the rest is to be fed."""
        segments = window.segments
        parts = [self._encode(segment, first=index == 0) for index, segment in enumerate(segments)]
        wanted = [*self._vocab.opening(parts[0]), *chain.from_iterable(parts)]
        n_head = len(window.prompt.head)
        head = len(wanted) - sum(map(len, parts[n_head:]))
        sizes = map(len, parts[n_head:])
        blocks = tuple(sum(islice(sizes, len(block))) for block in window.prompt.blocks)
        shown = Shown(kvfile.name(window.prompt.head, first=True), blocks, window.evicted)
        plan = plan_reuse(self._held, wanted, head, self._evicted(shown))
        self._apply(plan)
        self._shown = shown
        self.stats.prompt, self.stats.reused, self.stats.shifted = len(wanted), plan.reused, plan.moved
        return wanted

    def _evicted(self, shown: Shown) -> int:
        """The tokens of the turns that left the window since the last one, if nothing else changed before them."""
        last, gone = self._shown, shown.evicted - self._shown.evicted
        if not self._shift or last.head != shown.head or not 0 < gone < len(last.blocks):
            return 0
        return sum(last.blocks[:gone])

    def _apply(self, plan: Plan) -> None:
        held = self._held
        block = held[plan.source : plan.source + plan.moved]
        self._held = held[: plan.keep]  # true at every moment, should this be interrupted
        if plan.moved:
            self._model.remove(plan.source + plan.moved, -1)
            self._model.remove(plan.keep, plan.source)
            self._model.move(plan.source, plan.source + plan.moved, plan.source - plan.keep)
            self._held = held[: plan.keep] + block
        elif not self._model.remove(plan.keep, -1):
            self._model.remove(0, -1)  # a recurrent model cannot go back a part of the way
            self._held = []
            self.stats.reused = 0

    def _feed(self, tokens: Sequence[int], feeding: Feeding | None) -> bool:
        done = 0
        while done < len(tokens):
            size = SHORT if self._model.turning else self._chunk  # decoding that turns keys cannot be stopped
            if feeding:
                feeding(done, len(tokens))
            if self._model.aborted or not self._decode(tokens[done : done + size]):
                return False
            done += size
        if feeding:
            feeding(len(tokens), len(tokens))
        return True

    def _decode(self, tokens: Sequence[int]) -> bool:
        """Add tokens to the cache; False if the player stopped it."""
        done = self._model.decode(tokens, len(self._held))
        if done:
            self._held += tokens
        return done

    # --- the cache file

    def held(self, window: Window) -> Held | None:
        if not self._held:
            return None
        if self._model.turning:
            self._turn()
        parts = enumerate(window.segments)
        spelled = {kvfile.name((part,), not index): self._encode(part, first=not index) for index, part in parts}
        return Held(self.key, list(self._held), spelled, self._shown)

    def _turn(self) -> None:
        """Let moved keys be turned, by decoding the last token once more."""
        last = self._held.pop()
        self._model.remove(len(self._held), -1)
        self._decode([last])

    def state_size(self) -> int:
        return self._model.state_size()

    def state(self, held: Held, memory: Callable[[int], memoryview]) -> memoryview | None:
        return self._model.copy_state(memory, lambda: len(self._held) if self._held == held.tokens else -1)

    def restore(self, held: Held, state: memoryview) -> bool:
        fits = self._model.put_state(state, len(held.tokens))
        self._held = list(held.tokens) if fits else []
        if fits:
            self._shown, self._spelled = held.shown, held.spelled
        return fits

    # --- tokens

    def _encode(self, segment: Segment, first: bool = False) -> tuple[int, ...]:
        tokens = self._tokens.pop((segment, first), None)
        if tokens is None:
            tokens = self._as_sampled(segment) or self._as_kept(segment, first) or self._vocab.encode(segment, first)
            if len(self._tokens) >= REMEMBERED:
                del self._tokens[next(iter(self._tokens))]
        self._tokens[segment, first] = tokens  # now the youngest
        return tokens

    def _as_kept(self, segment: Segment, first: bool) -> tuple[int, ...] | None:
        return self._spelled.get(kvfile.name((segment,), first)) if self._spelled else None

    def _as_sampled(self, segment: Segment) -> tuple[int, ...] | None:
        """The tokens that the model chose, if this segment is what it just wrote: they are in the cache already."""
        cue = self._cue
        if not self._sampled or segment.mark != cue.mark or not segment.text.startswith(cue.text):
            return None
        text = segment.text[len(cue.text) :].encode()
        count, covered = match_sampled(text, [piece for _, piece in self._sampled], fresh=not cue.text)
        if not count:
            return None
        rest = self._vocab.encode(Segment("", text[covered:].decode()), False)
        return (*self._encode(cue), *(token for token, _ in self._sampled[:count]), *rest)
