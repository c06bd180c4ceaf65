"""Let a model think before it replies: its thoughts are no prose, and are bounded.

Stands between an engine and the writer of a reply, who never sees a thought. Does not know how thoughts are marked
(thinking.py).
"""

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from itertools import chain

from msgspec import Struct
from msgspec.structs import replace

from advrepl import AdvreplError, thinking
from advrepl.engines.base import Engine, OnServer, PrefillProgress, Stats, until_stop
from advrepl.play.reply import PAUSE, Option, Piece, ReplyTask, Written
from advrepl.play.writer import Writer
from advrepl.prompt.segments import Block, Segment, Window
from advrepl.sampling.params import Sampling
from advrepl.scripts import words

THINK_TOKENS = 1024  # that a model may think where nobody said how long
THINK_SHARE = 4  # it takes at most this part of the context


class Thought(Struct, frozen=True):
    """So far the model has thought this, in so many tokens."""

    text: str
    tokens: int


def read_thinking(text: str) -> int:
    """Read how many tokens a model may think: a number, or `off`; raises AdvreplError."""
    if text == "off":
        return 0
    if not (text.isascii() and text.isdecimal() and int(text) < 1_000_000):
        raise AdvreplError(f"thinking is off, or a number of tokens such as 300, not {text[:20]!r}")
    return int(text)


def longest(think: int | None, n_ctx: int) -> int:
    """Return how many tokens a model may think at the most."""
    return min(THINK_TOKENS if think is None else think, n_ctx // THINK_SHARE)


def written(
    engine: Engine, task: ReplyTask, on_prefill: PrefillProgress | None, cancelled: Callable[[], bool]
) -> Iterator[Piece | Option | Thought | Written]:
    """Yield what a Writer yields on this engine, and each time that the model has thought some more, its thoughts."""
    thinker = ThinkingEngine(engine, task.window.prompt.cue, task.think)
    told, writer, late = 0, Writer(thinker, task, on_prefill, cancelled), ""
    for event in writer.write():
        if event is PAUSE and getattr(engine, "waiting", None):  # a branch, which hands on nothing while it waits
            yield event
            continue
        if thinker.tokens > told:
            told = thinker.tokens
            yield Thought(thinking.readable(thinker.thoughts), told)
        if writer.thoughts != late:  # in the midst of the reply
            late = writer.thoughts
            thoughts = "\n\n".join(filter(None, (thinking.readable(thinker.thoughts), late)))
            yield Thought(thoughts, told + len(words(late)))
        if event is not PAUSE:
            yield event


class ThinkingEngine:
    """An engine for one reply. What the model thinks is counted by itself, and stands behind the cue from then on.

    An empty piece says that the model thinks, or that a branch waits to be served.
    """

    def __init__(self, engine: Engine, cue: Block, limit: int) -> None:
        """`cue`: of the reply; empty where an earlier one goes on, which has been thought about."""
        self._engine, self._cue, self._limit = engine, cue, limit
        mark = cue[-1].mark if cue else ""
        self._form = thinking.begun(mark)  # while it thinks
        self._over = not cue or thinking.settled(mark)
        self._behind = cue  # what the reply stands behind: the cue, and what was thought
        self.thoughts = ""
        self.tokens = 0  # of the thoughts
        self.stats = Stats()
        self.name, self.fingerprint = engine.name, engine.fingerprint
        self.n_ctx, self.n_params, self.slide_to = engine.n_ctx, engine.n_params, engine.slide_to
        self.more_room = engine.more_room
        self.template, self.text_borders = engine.template, engine.text_borders
        self.format_hint = engine.format_hint

    @property
    def grammars(self) -> bool:
        """Tell what the engine tells, which a server's may learn while it writes."""
        return self._engine.grammars

    @property
    def shifted(self) -> bool:
        """Tell what the engine tells."""
        return self._engine.shifted

    def count(self, segment: Segment) -> int:
        """Return how many tokens the segment takes by itself."""
        return self._engine.count(segment)

    def sizes(self, segments: Sequence[Segment]) -> list[int]:
        """Return how many tokens each segment takes where it stands."""
        return self._engine.sizes(segments)

    def is_forgeable(self, mark: str) -> bool:
        """Tell whether foreign text that holds the mark is the same tokens as the mark itself."""
        return self._engine.is_forgeable(mark)

    def forget_moved(self) -> None:
        """Give up what makes it `shifted`."""
        self._engine.forget_moved()

    def cancel(self) -> None:
        """End what is being written."""
        self._engine.cancel()

    def close(self) -> None:
        """Leave the engine open: it is the game's."""

    def generate(
        self,
        window: Window,
        sampling: Sampling,
        *,
        stop: Iterable[str] = (),
        grammar: str | None = None,
        on_prefill: PrefillProgress | None = None,
    ) -> Iterator[str]:
        """Write what follows the window and the thoughts, as base.Engine says; before its first word, think."""
        stops, rest = tuple(stop), ""
        thinks = not self._over and window.prompt.cue == self._cue and grammar is None
        cost: list[Stats] = []  # of each call of the engine
        if thinks:
            said = ""
            if not self._form:  # it may begin to think by itself
                try:
                    said = yield from self._begins(window, sampling, stops, on_prefill)
                finally:  # also where the writer has enough
                    self.stats = self._engine.stats
            if not self._form:
                self._over = True
                return
            cost += [self.stats] if said else []
            rest = yield from self._think(window, sampling, said, on_prefill)
            if self._limit:
                _add(cost, self._engine.stats)
            self.stats = _summed(cost, 0)
            if not self._over:
                return
            stops += thinking.UNWRAPPED
        answer = self._engine.generate(
            self._after_thoughts(window, rest), sampling, stop=stops, grammar=grammar, on_prefill=on_prefill
        )
        try:
            yield from self._noted(until_stop(chain([rest], answer), stops)) if thinks else answer
        finally:
            answer.close()  # type: ignore[attr-defined]
            _add(cost, self._engine.stats)
            self.stats = _summed(cost, self._engine.stats.generated)

    def _noted(self, pieces: Iterable[str]) -> Iterator[str]:
        """Pass on the reply without a tag that it stands in; keep what white space and tag stand before it.

        What else is written of the reply goes on behind that.
        """
        said, begun = "", False
        for piece in pieces:
            if begun or not piece:
                yield piece
                continue
            said += piece
            if (tag := thinking.wrapped(said)) is None:
                continue
            *before, last = self._behind
            space = said[: tag or len(said) - len(said.lstrip())]
            self._behind, begun = (*before, replace(last, text=last.text + space)), True
            yield said[tag:]
        if said and not begun:
            yield said

    def _begins(
        self, window: Window, sampling: Sampling, stops: tuple[str, ...], on_prefill: PrefillProgress | None
    ) -> Generator[str, None, str]:
        """Write the reply, unless the model begins to think: then return the mark by which it does, and set `_form`."""
        said = ""
        # Stopped here: what an engine holds back, as it may become a stop text, would be missing behind the mark.
        there = stops if isinstance(self._engine, OnServer) else ()
        pieces = self._engine.generate(window, sampling, stop=there, on_prefill=on_prefill)
        for piece in pieces:
            if not piece:
                yield piece
                continue
            said += piece
            start = said.lstrip()
            self._form = thinking.opened(start)
            if self._form:
                pieces.close()  # type: ignore[attr-defined]
                return said
            if start and not thinking.may_open(start):
                break
        yield from until_stop(chain([said], pieces), stops)
        pieces.close()  # type: ignore[attr-defined]
        return said

    def _think(
        self, window: Window, sampling: Sampling, said: str, on_prefill: PrefillProgress | None
    ) -> Generator[str, None, str]:
        """Let the model think behind `said`, to its end or the limit; return what it said behind its thoughts."""
        assert self._form
        *before, cue = self._cue
        begun = len(said) - len(said.lstrip()) + len(self._form.begin) if said else 0
        text, (end, behind) = said, self._form.find_end(said, begun)  # a server may say much at once
        self.thoughts = text[begun : max(end, begun)]
        self.tokens = len(words(self.thoughts))
        if self._limit and end < 0:
            window = replace(window, prompt=replace(window.prompt, cue=(*before, replace(cue, text=said))))
            pieces = self._engine.generate(window, replace(sampling, max_tokens=self._limit), on_prefill=on_prefill)
            for piece in pieces:
                text += piece
                self.tokens += bool(piece)
                end, behind = self._form.find_end(text, begun)
                self.thoughts = text[begun : end if end >= 0 else len(text)]
                if end >= 0:
                    pieces.close()  # type: ignore[attr-defined]
                    break
                yield ""
        self._over = self._engine.stats.stop != "interrupted" or not self._limit
        if end >= 0:
            self._behind = (*before, replace(cue, text=text[:behind]))
            return text[behind:]
        self._behind = (*before, replace(cue, text=text), Segment(self._form.closing, ""))
        return ""

    def _after_thoughts(self, window: Window, rest: str) -> Window:
        """The window with the thoughts between the cue and what there is of the reply, at its beginning the `rest`."""
        if not window.prompt.cue or self._behind == self._cue:
            return window
        *before, last = self._behind
        told = replace(last, text=last.text + (window.prompt.cue[-1].text or rest))
        return replace(window, prompt=replace(window.prompt, cue=(*before, told)))


def _add(cost: list[Stats], last: Stats) -> None:
    """Add what the engine tells of its last call, unless it was called no more: what it had said was enough."""
    if not cost or last is not cost[-1]:
        cost.append(last)


def _summed(cost: Sequence[Stats], generated: int) -> Stats:
    """Return what calls of the engine cost together: the prompt was the first one's, thoughts are no prose."""
    first, last = (cost[0], cost[-1]) if cost else (Stats(), Stats())
    return replace(
        last,
        prompt=first.prompt,
        reused=first.reused,
        shifted=first.shifted,
        generated=generated,
        decoded=sum(each.decoded for each in cost),
        whole=sum(each.whole for each in cost),
    )
