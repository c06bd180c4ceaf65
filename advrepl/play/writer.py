"""Write one reply: free prose first, then the options (offers.py), with an eye on what it must not say: what was said
before, lines in the player's name, banned phrases.

Does not know about saves, commands or the terminal; game.py gives it a window and keeps what it wrote.
"""

from collections.abc import Callable, Generator, Iterator

from msgspec.structs import replace

from advrepl import scripts, thinking
from advrepl.engines.base import Engine, PrefillProgress
from advrepl.play.offers import OfferWriter
from advrepl.play.reply import PAUSE, EngineCalls, Option, Piece, ReplyTask, Written
from advrepl.prompt import bans, lists
from advrepl.prompt import options as menu
from advrepl.prompt.bans import BanScan
from advrepl.prompt.repeats import SUSPICIOUS, Repeats
from advrepl.prompt.speakers import Speakers
from advrepl.sampling.params import Sampling

TRIES = 4  # other continuations sampled for a repetition, before the reply ends with the sentence it is in
NUDGE_TOKENS = 2  # written with the repeated word forbidden, to leave the rut
# How often a sentence comes to a banned phrase before more of it is written anew: from its word, from its clause, from
# its beginning; after that the reply ends.
WORD_TRIES, CLAUSE_TRIES, SENTENCE_TRIES = 3, 5, 7

Bias = dict[str, float]


class Writer:
    """Writes the reply to one task."""

    def __init__(
        self,
        engine: Engine,
        task: ReplyTask,
        on_prefill: PrefillProgress | None = None,
        cancelled: Callable[[], bool] = lambda: False,
    ) -> None:
        """`cancelled`: asked before each call of the engine whether the player has stopped the reply."""
        self._task, self._calls = task, EngineCalls(engine, task, on_prefill, cancelled)
        self._stats = self._calls.stats
        beginning = "" if task.prefix or bans.contains(task.beginning, task.bans) else task.beginning
        self._text = task.prefix or beginning  # the prose so far
        self._begun = len(beginning)  # how much of it is for a reply to begin with
        self._released = len(task.prefix)  # how much of it was handed out
        self._marker = "-"  # of the list of options
        labels = tuple(stop[1:-1] for stop in task.stops if _is_label(stop))
        self._stops = tuple(stop for stop in task.stops if not _is_label(stop))
        self._speakers = Speakers(labels, task.speaker, bare=bool(task.sampling.stop_at_name))
        self._repeats = 0  # repetitions that were left
        self._banned: list[tuple[int, Bias]] = []  # places in this sentence that led to banned phrases
        self._careful = False  # are only whole sentences shown?
        self._ended = ""  # why the prose ended, where the engine does not know
        self._given_up = False  # did it always come to a banned phrase?
        self.thoughts = ""  # what the model thought in the midst of the reply

    def write(self) -> Iterator[Piece | Option | Written]:
        """Yield the prose as it comes, then the options, then the whole; PAUSE among them on a branch."""
        yield from self._prose()
        stop, options = self._stats.stop, list[str]()
        if self._task.option_count and stop != "interrupted":
            offers = OfferWriter(self._calls, self._task, self._stops, self._text, self._marker)
            for option in offers.write():
                if isinstance(option, Piece):
                    yield option
                    continue
                options.append(option)
                yield Option(len(options), option)
            self._stats.stop = stop
        # Stopped before there was a choice, or an engine that cannot make a list.
        if len(options) < min(self._task.option_count, menu.LEAST_OPTIONS):
            options = []
        text = menu.join(self._text, options, self._marker)
        yield Written(self._text, tuple(options), text, self._stats)

    def _prose(self) -> Iterator[Piece]:
        """Passes over the engine until the prose is done: one, unless it says what it must not, or stays empty."""
        yield from self._given()
        sampling, empty = self._task.sampling, 0
        while True:
            grammar = menu.prose_grammar(bool(self._begun)) if empty > 1 and self._calls.grammars else None
            rut = yield from self._pass(sampling, grammar)
            if rut and (yield from self._left(rut)):
                continue
            self._text = self._text.rstrip()
            if len(self._text) > self._begun or self._stats.stop == "interrupted" or empty > 2:
                break
            empty += 1
        if self._is_short() or self._is_unfinished():
            self._ended = ""
            yield from self._pass(sampling, menu.prose_grammar(begun=True))
        if len(self._text) == self._begun:
            self._text = self._text[: self._released]
            self._begun = len(self._text)
        if self._stats.stop != "interrupted":
            self._text += self._ending()
        yield from self._release(len(self._text))

    def _given(self) -> Iterator[Piece]:
        """Show what the reply is given to begin with before the model has read it: nothing can take that back."""
        if self._begun:
            scan = BanScan(self._task.bans)
            scan.read(self._text)
            yield from self._release(self._safe(scan.safe(self._text)))

    def _is_short(self) -> bool:
        """Tell whether the model ended the reply by itself, and too soon."""
        done = self._given_up or self._stats.stop in ("interrupted", "length")
        return not done and self._calls.grammars and 0 < len(scripts.words(self._text)) < self._task.least

    def _is_unfinished(self) -> bool:
        """Tell whether a reply of one paragraph was ended in the middle of its last sentence: before a list, say."""
        done = self._given_up or self._stats.stop in ("interrupted", "length")
        asked = self._task.least and self._calls.grammars and len(self._text) > self._begun
        return bool(asked) and not done and not scripts.ends_sentence(self._text)

    def _left(self, rut: Bias) -> Generator[Piece, None, bool]:
        """Write a few tokens under biases that lead out of a rut; tell whether the prose goes on behind them."""
        while rut:
            sampling = self._task.sampling
            other = replace(sampling, logit_bias={**sampling.logit_bias, **rut})
            rut = yield from self._pass(other, None, NUDGE_TOKENS)
        return self._stats.stop == "length" and not self._given_up

    def _ending(self) -> str:
        """What the prose lacks: a sign that it is broken off, and quotation marks."""
        nothing_written = len(self._text) == self._begun
        broken_off = self._given_up or nothing_written or (self._stats.stop == "length" and self._task.option_count > 0)
        sign = "…" if broken_off and not scripts.ends_sentence(self._text) else ""
        return sign + scripts.open_quotes(self._text + sign)

    def _pass(self, sampling: Sampling, grammar: str | None, limit: int = 0) -> Generator[Piece, None, Bias]:
        """Write until the prose ends, or for `limit` tokens; `stats.stop` says why it ended.

        Where it begins to say what it must not, cut that off, and return what keeps its first word from coming again.
        """
        ending = self._repeats >= TRIES
        guard = 0 if limit or ending else sampling.loop_guard
        watch = _Watch(self._task, self._text, self._begun, self._released, guard)
        left = limit or max(sampling.max_tokens - self._stats.generated, NUDGE_TOKENS)
        soft = 0 if ending else left - int(sampling.max_tokens * (1 - self._task.soft_end))
        pieces = self._paired(self._calls.generate(self._text, sampling, left, grammar, self._stops))
        count = -1
        for piece in pieces:
            if not piece:
                yield PAUSE
                continue
            count += 1
            self._text = self._text + piece if self._text else piece.lstrip()
            watch = self._without_thoughts(watch, guard)
            if self._is_label_at_front():
                continue
            if (cut := self._cut(watch)) is not None:
                pieces.close()
                self._stats.stop = self._ended or self._stats.stop
                return cut
            if not watch.suspicious:
                yield from self._release(self._safe(watch.scan.safe(self._text)))
            if not limit and count >= soft and self._is_whole():
                break
        pieces.close()
        if not (limit and self._stats.stop == "length"):
            self._cut_last_line()
        return {}

    def _paired(self, pieces: Generator[str, None, None]) -> Generator[str, None, None]:
        """Leave quotation marks that close nothing out of a small model's reply, of one paragraph."""
        held = ""
        try:
            for piece in pieces:
                if not piece or not self._task.least:
                    yield piece
                    continue
                added, held = scripts.paired(self._text, held + piece)
                if added:
                    yield added
        finally:
            pieces.close()

    def _is_whole(self) -> bool:
        return scripts.ends_sentence(self._text) and not scripts.open_quotes(self._text)

    # --- what it must not say

    def _cut(self, watch: "_Watch") -> Bias | None:
        """Cut off what the text must not say; return biases that lead elsewhere, or none where the prose ends here.

        None: there is nothing to cut.
        """
        if stop := self._cut_end():
            self._ended = stop
            return {}
        if (banned := watch.scan.read(self._text, self._released)) is not None:
            return self._cut_banned(banned)
        return self._cut_repetition() if watch.repeats(self._text) else None

    def _is_label_at_front(self) -> bool:
        """Take the speaker's own label off the front; tell whether all there is may still become one."""
        if self._released or self._begun:
            return False
        if not self._speakers.may_be_own(self._text):
            self._text = self._speakers.without_own(self._text)
        return self._speakers.may_be_own(self._text)

    def _without_thoughts(self, watch: "_Watch", guard: int) -> "_Watch":
        """Take out what the model thought in the midst of the reply; return what looks at the text from now on.

        Where only their end was marked they had been shown by then; they are no part of the story all the same.
        """
        found = thinking.late(self._text, self._released)
        if not found:
            return watch
        begin, end, thoughts = found
        given = max(len(self._task.prefix), self._begun)
        before, behind = self._text[: begin if begin >= 0 else given], self._text[end:]
        self._text = before + (behind.lstrip() if not before[-1:].strip() else behind)
        self._released = min(self._released, len(before))
        self.thoughts = "\n\n".join(filter(None, (self.thoughts, thoughts)))
        return _Watch(self._task, self._text, self._begun, self._released, guard)

    def _cut_end(self) -> str:
        """Where a line of another speaker or the list begins, end the prose before it, and say why it ended."""
        if (at := self._speakers.other_line(self._text, self._released)) is not None:
            self._text = self._text[:at].rstrip()
            return "stop"
        if self._task.least and "\n" in self._text:
            self._text = self._text.partition("\n")[0].rstrip()
            return "stop"
        found = lists.list_start(self._text, self._released) if self._task.option_count else None
        return self._cut_list(found) if found and found.sure else ""

    def _cut_list(self, found: lists.ListStart) -> str:
        """The prose ends before the model's own list, and its marker is the style of the options."""
        self._marker, self._text = found.marker, self._text[: found.start].rstrip()
        return "end"

    def _cut_last_line(self) -> None:
        """One line of a list, or a name alone on its line, are known for what they are once nothing follows."""
        if not (self._released or self._begun):
            self._text = self._speakers.without_own(self._text)
        if self._stats.stop == "interrupted":
            self._text = self._text[: max(self._safe(len(self._text)), self._released)]
            return
        if (mark := thinking.unfinished(self._text, self._released)) >= 0:
            self._text = self._text[:mark].rstrip()
        found = lists.list_start(self._text, self._released) if self._task.option_count else None
        if found:
            self._stats.stop = self._cut_list(found)
        elif (at := self._speakers.other_line(self._text + "\n", self._released)) is not None:
            self._text = self._text[:at].rstrip()

    def _cut_repetition(self) -> Bias:
        self._repeats += 1
        at = max(self._released, self._begun)
        before, rest = self._text[:at], self._text[at:]
        word = rest.split()[0]
        self._text = before
        # Scripts without spaces have none before the word either.
        return {word if before and rest[:1] == word[:1] and scripts.is_unspaced(word[:1]) else " " + word: -100.0}

    def _cut_banned(self, at: int) -> Bias:
        """Go back to the phrase's first word; if it comes to that again, to its clause, its sentence, or the end."""
        start = scripts.last_sentence_end(self._text, at)
        self._careful = True
        self._banned = [(place, bias) for place, bias in self._banned if place >= start]
        tries = len(self._banned)
        if tries >= SENTENCE_TRIES:
            self._text = self._text[: max(self._released, start)].rstrip()
            self._given_up, self._ended = True, "end"
            return {}
        cut = scripts.last_clause_end(self._text, at) if tries >= WORD_TRIES else scripts.word_start(self._text, at)
        cut = max(start if tries >= CLAUSE_TRIES else cut, self._released)
        bias = bans.kept_out(self._text, len(self._text) - len(self._text[cut:].lstrip()))
        for place, before in self._banned:
            bias |= before if place == cut else {}
        self._banned.append((cut, bias))
        self._text = self._text[:cut]
        self._begun = min(self._begun, len(self._text))
        return bias

    # --- what is shown

    def _safe(self, end: int) -> int:
        """How much of the text up to `end` can be shown: not what may turn out to be no prose, nor blanks at last."""
        if self._task.option_count:
            end = min(end, lists.may_be_list(self._text, self._released))
        end = min(end, self._speakers.may_be_other(self._text, self._released))
        end = min(end, thinking.may_be_late(self._text, self._released))
        if self._careful:
            end = scripts.last_sentence_end(self._text, end)
        return len(self._text[:end].rstrip())

    def _release(self, end: int) -> Iterator[Piece]:
        if end > self._released:
            yield Piece(self._text[self._released : end])
            self._released = end


def without_sign(prose: str) -> str:
    """Return prose that was broken off as the model left it: without the sign of it, and the quotes closed behind that.

    The inverse of what the writer puts there; prose without the sign stays as it is.
    """
    text, _, closed = prose.rpartition("…")
    return text if text and closed == scripts.open_quotes(f"{text}…") else prose


class _Watch:
    """What is looked for in the text of one pass."""

    def __init__(self, task: ReplyTask, text: str, begun: int, shown: int, guard: int) -> None:
        """`begun`: how much of the text was given; `guard`: how many words in a row are a repetition; 0: none are."""
        self._guard, self._repeats = guard, Repeats(menu.split(earlier)[0] for earlier in task.earlier)
        # The player may do again what he did before: only what the model adds makes it a repetition.
        self._given = self._repeats.read(text[:begun] + "\n") if begun else 0.0
        self._repeats.read(text)
        self.scan = BanScan(task.bans)
        self.scan.read(text, shown)

    def repeats(self, text: str) -> bool:
        """Take the text in, and tell whether it says again what was said before."""
        return bool(self._guard) and self._repeats.read(text) >= self._guard and self._repeats.run > self._given

    @property
    def suspicious(self) -> bool:
        """Tell whether it may be about to."""
        return bool(self._guard) and self._repeats.run >= SUSPICIOUS


def _is_label(stop: str) -> bool:
    """Whether a stop text is a speaker's label, which ends a reply however it is spelled."""
    return len(stop) > 2 and stop[0] == "\n" and stop[-1] == ":"
