"""Write one reply: free prose first, then the options under a grammar, with an eye on repetitions.

Does not know about saves, commands or the terminal; game.py gives it a window and keeps what it wrote.
"""

from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import chain

from advrepl.engines.base import Engine, PrefillProgress, Stats
from advrepl.prompt import options as menu
from advrepl.prompt.actions import OUTSIDE
from advrepl.prompt.repeats import RUN, SUSPICIOUS, Repeats
from advrepl.prompt.segments import Segment, Window
from advrepl.sampling.params import Sampling

TRIES = 4  # other continuations sampled for a repetition, before the reply ends with the sentence it is in
NUDGE_TOKENS = 2  # written with the repeated word forbidden, to leave the rut
OPTION_TEMPERATURE = 0.7
STATEMENT_BIAS = -4.0  # a model that is sure still says "You …"
# What an option with a verb is not about: the game itself, the narrator, what the player does to himself.
WITH_VERB = {**dict.fromkeys(OUTSIDE, -100.0), "you": -3.0, "yourself": -3.0}
VERB_MENUS = 3  # menus whose verbs a new one does without
SEEN_MENUS = 6  # menus whose options are not offered again
# From this share of max_tokens on the prose ends with its sentence, so that it is rarely cut in the middle of one.
SOFT_END = 0.75

# For a model that has nothing to say: at least a sentence or two.
PROSE = r"""root ::= [A-Z] [^\n<>|]{30,300} [.!?]"""
PROSE_ON = r"""root ::= " " [^\n<>|]{30,300} [.!?]"""
# Should a model offer the same thing three times, even when held to other first letters or verbs.
SPARE = (
    "Look around carefully.",
    "Wait and see what happens.",
    "Turn back the way you came.",
    "Call out loudly.",
    "Search your pockets.",
    "Hide and listen.",
    "Move on quickly.",
    "Think about what brought you here.",
    "Climb higher to see more.",
    "Knock and wait for an answer.",
    "Feel your way along the wall.",
    "Follow the nearest sound.",
    "Sneak closer without a sound.",
    "Rest for a moment.",
    "Inspect the ground for traces.",
    "Light something to see by.",
)


@dataclass(frozen=True, slots=True)
class Piece:
    """Some more prose. All pieces of a reply together are its prose."""

    text: str


# Yielded where the engine, a branch that writes ahead, waits to be served.
PAUSE = Piece("")


@dataclass(frozen=True, slots=True)
class Option:
    """An option that is ready, `number` counting from 1."""

    number: int
    text: str


@dataclass(frozen=True, slots=True)
class Written:
    """A whole reply: what was read, what can be chosen, and the text that goes into the story."""

    prose: str
    options: tuple[str, ...]
    text: str
    stats: Stats


@dataclass(frozen=True)
class ReplyTask:
    """What to write: the window to continue and how. Equal tasks are answered in the same words."""

    window: Window
    spelled: Callable[[str], str] = field(compare=False)  # the text of a reply -> as the format spells it
    sampling: Sampling
    seed: int
    stops: tuple[str, ...] = ()
    option_count: int = 0
    earlier: tuple[str, ...] = ()  # the last replies, oldest first
    prefix: str = ""  # prose that is there already and goes on
    beginning: str = ""  # what a reply that has no prefix begins with
    verbs: tuple[str, ...] = ()  # what options begin with; none: with any word
    think: int = 0  # tokens that the model may think first, if it does


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
        self._engine, self._task, self._on_prefill, self._cancelled = engine, task, on_prefill, cancelled
        self._text = task.prefix or task.beginning  # the prose so far
        self._begun = 0 if task.prefix else len(task.beginning)  # how much of it is for a reply to begin with
        self._released = len(task.prefix)  # how much of it was handed out
        self._marker = "-"  # of the list of options
        self._stats = Stats()
        self._calls = 0

    def write(self) -> Iterator[Piece | Option | Written]:
        """Yield the prose as it comes, then the options, then the whole; PAUSE among them on a branch."""
        yield from self._prose()
        stop, options = self._stats.stop, list[str]()
        if self._task.option_count and stop != "interrupted":
            for option in self._options():
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

    # --- prose

    def _prose(self) -> Iterator[Piece]:
        """Passes over the engine until the prose is done: one, unless it repeats itself or stays empty."""
        sampling, repeats, empty = self._task.sampling, 0, 0
        while True:
            grammar = (PROSE_ON if self._begun else PROSE) if empty > 1 and self._engine.grammars else None
            word = yield from self._pass(sampling, repeats < TRIES, grammar)
            if word:
                repeats += 1
                other = replace(sampling, logit_bias={**sampling.logit_bias, word: -100.0})
                yield from self._pass(other, False, None, NUDGE_TOKENS)
                if self._stats.stop == "length":
                    continue
            self._text = self._text.rstrip()
            if len(self._text) > self._begun or self._stats.stop == "interrupted" or empty > 2:
                break
            empty += 1
        if len(self._text) == self._begun:
            self._text = ""
        broken_off = self._stats.stop == "length" and self._task.option_count and not menu.ends_sentence(self._text)
        if broken_off or (not self._text and self._stats.stop != "interrupted"):
            self._text += "…"
        if self._stats.stop != "interrupted":
            self._text += menu.open_quote(self._text)
        yield from self._release(len(self._text))

    def _pass(
        self, sampling: Sampling, guard: bool, grammar: str | None, limit: int = 0
    ) -> Generator[Piece, None, str]:
        """Write until the prose ends, or for `limit` tokens; `stats.stop` says why it ended.

        Where it begins to say again what was said before, return the next word of that instead, cut off.
        """
        repeats = Repeats(menu.split(text)[0] for text in self._task.earlier)
        repeats.read(self._text)
        left = limit or max(sampling.max_tokens - self._stats.generated, NUDGE_TOKENS)
        soft = left - int(sampling.max_tokens * (1 - SOFT_END)) if guard else 0
        pieces = self._generate(self._text, sampling, left, grammar)
        count = -1
        for piece in pieces:
            if not piece:
                yield PAUSE
                continue
            count += 1
            self._text = self._text + piece if self._text else piece.lstrip()
            if self._cut_list():
                pieces.close()
                self._stats.stop = "end"
                return ""
            run = repeats.read(self._text) if guard else 0
            if run >= RUN:
                pieces.close()
                return self._cut_repetition()
            if run < SUSPICIOUS:
                yield from self._release(self._safe())
            if not limit and count >= soft and menu.ends_sentence(self._text) and not menu.open_quote(self._text):
                break
        pieces.close()
        return ""

    def _cut_list(self) -> bool:
        """The model has begun its list: the prose ends before it, and its marker is the style of the options."""
        found = menu.list_start(self._text, self._released) if self._task.option_count else None
        if found:
            self._marker = found[1]
            self._text = self._text[: found.start()].rstrip()
        return found is not None

    def _cut_repetition(self) -> str:
        word = self._text[self._released :].split()[0]
        self._text = self._text[: self._released]
        self._begun = min(self._begun, self._released)
        return " " + word

    def _safe(self) -> int:
        """How much of the text can be shown: not the white space at its end, nor what may turn out to be the list."""
        end = menu.may_be_list(self._text, self._released) if self._task.option_count else len(self._text)
        return len(self._text[:end].rstrip())

    def _release(self, end: int) -> Iterator[Piece]:
        if end > self._released:
            yield Piece(self._text[self._released : end])
            self._released = end

    # --- options

    def _options(self) -> Iterator[Piece | str]:
        if not self._engine.grammars:
            yield from self._unconstrained()
            return
        done: list[str] = []
        for _ in range(self._task.option_count):
            option = yield from self._option(done)
            if self._stats.stop == "interrupted":
                return
            done.append(option)
            yield option

    def _option(self, done: list[str]) -> Generator[Piece, None, str]:
        """One more option, unlike those there are and, if that can be had, unlike those of the last replies."""
        menus = [menu.split(text)[1] for text in self._task.earlier[-SEEN_MENUS if self._task.verbs else -1 :]]
        before = [*done, *chain.from_iterable(menus)]
        prefix = menu.join(self._text, done, self._marker) + menu.line_start(self._marker, len(done))
        sampling = _for_options(self._task.sampling, bool(self._task.verbs))
        tries = [([], before), (before, before), (done, done)]
        if self._task.verbs:  # of which there are many, and with which lines begin that are alike otherwise
            recent = [*done, *chain.from_iterable(menus[-VERB_MENUS:])]
            tries = [(recent, before), (before, before), (before, before)]
        for avoid, others in tries:
            pieces = self._generate(prefix, sampling, menu.LINE_TOKENS, menu.grammar(avoid, self._task.verbs), "\n")
            option = menu.tidy((yield from _whole(pieces)))
            if option and not menu.among(option, others):
                return option
        spares = (spare for others in (before, done) for spare in SPARE if not menu.among(spare, others))
        return next(spares)

    def _unconstrained(self) -> Iterator[Piece | str]:
        """For engines without grammars: read the model's own list leniently, try once more, then give up."""
        limit = self._task.option_count * menu.LINE_TOKENS
        for _ in range(2):
            prefix = self._text + menu.line_start(self._marker, 0)
            text = yield from _whole(self._generate(prefix, self._task.sampling, limit, None))
            if found := menu.parse(menu.line_start(self._marker, 0) + text, self._task.option_count):
                yield from found
                return

    def _generate(
        self, prefix: str, sampling: Sampling, limit: int, grammar: str | None, *stops: str
    ) -> Generator[str, None, None]:
        """One call of the engine, going on from `prefix`; each has a seed of its own, and its cost is added up."""
        first, total = self._calls == 0, self._stats
        if self._cancelled():
            total.stop = "interrupted"
            return
        seed = (self._task.seed + 0x9E3779B1 * self._calls) & 0xFFFFFFFF
        self._calls += 1
        try:
            yield from self._engine.generate(
                continued(self._task.window, self._task.spelled(prefix)) if prefix else self._task.window,
                replace(sampling, seed=seed, max_tokens=limit),
                stop=(*stops, *self._task.stops),
                grammar=grammar,
                on_prefill=self._on_prefill,
            )
        finally:
            stats = self._engine.stats
            if first:
                total.prompt, total.reused, total.shifted = stats.prompt, stats.reused, stats.shifted
            total.generated += stats.generated
            total.stop = stats.stop


def _whole(pieces: Iterable[str]) -> Generator[Piece, None, str]:
    """All pieces as one text."""
    text = ""
    for piece in pieces:
        text += piece
        if not piece:
            yield PAUSE
    return text


def _for_options(sampling: Sampling, with_verbs: bool) -> Sampling:
    """A little cooler than prose, and leaning towards things to do."""
    temperature = min(sampling.temperature, OPTION_TEMPERATURE)
    if with_verbs:  # the verb is another one, and a penalty on what ends a line makes lines that do not end
        sampling = replace(sampling, repeat_penalty=1.0, dry_multiplier=0.0)
    words = WITH_VERB if with_verbs else dict.fromkeys(menu.STATEMENTS, STATEMENT_BIAS)
    bias = {**{" " + word: value for word, value in words.items()}, **sampling.logit_bias}
    return replace(sampling, temperature=temperature, logit_bias=bias)


def continued(window: Window, prefix: str) -> Window:
    """Return the window with a reply that begins with `prefix` as its end."""
    prompt = window.prompt
    if prompt.cue:
        *before, cue = prompt.cue
        begun = Segment(cue.mark, prefix)
        return replace(window, prompt=replace(prompt, cue=(*before, begun)))
    *before, last = prompt.blocks[-1]
    begun = Segment(last.mark, prefix)
    return replace(window, prompt=replace(prompt, blocks=(*prompt.blocks[:-1], (*before, begun))))
