"""Write the options of a reply, one after the other under a small grammar, each unlike those before it.

Does not write the prose before them (writer.py).
"""

from collections.abc import Generator, Iterator
from itertools import chain

from msgspec.structs import replace

from advrepl.play.reply import EngineCalls, Piece, ReplyTask, whole
from advrepl.prompt import actions, bans, languages, things
from advrepl.prompt import options as menu
from advrepl.prompt.languages import Language
from advrepl.sampling.params import Sampling

OPTION_TEMPERATURE = 0.7
STATEMENT_BIAS = -4.0  # a model that is sure still says "You …"
# What an option with a verb is not about: the game itself, the narrator, what the player does to himself.
WITH_VERB = {**dict.fromkeys(actions.OUTSIDE, -100.0), "you": -3.0, "yourself": -3.0}
VERB_MENUS = 3  # menus whose verbs a new one does without
SEEN_MENUS = 6  # menus whose options are not offered again


class OfferWriter:
    """Writes the options behind the prose of one reply."""

    def __init__(self, calls: EngineCalls, task: ReplyTask, stops: tuple[str, ...], prose: str, marker: str) -> None:
        """`marker`: what the list's first line begins with."""
        self._calls, self._task, self._stops, self._prose, self._marker = calls, task, stops, prose, marker
        self._story = "\n".join(
            (*(menu.parted(text, task.option_count)[0] for text in task.earlier[-1:]), prose)
        )  # as it is told now
        # What the reply names may have left the player's hands in it.
        self._held = None if task.held is None else things.unnamed(task.held, prose)
        self._language = languages.told_in(task.language, prose, *reversed(task.earlier))

    def write(self) -> Iterator[Piece | str]:
        """Yield each option when it is whole; PAUSE among them on a branch."""
        done: list[str] = []
        for _ in range(self._task.option_count):
            option = (yield from self._option(done)) if self._calls.grammars else ""
            if self._calls.stats.stop == "interrupted":
                return
            if not self._calls.grammars:  # a server may turn out to have none
                yield from self._unconstrained()
                return
            if option:
                done.append(option)
                yield option

    def _option(self, done: list[str]) -> Generator[Piece, None, str]:
        """One more option, unlike those there are and, if that can be had, unlike those of the last replies.

        Empty where the model has none, and the language no written ones.
        """
        task = self._task
        menus = [menu.parted(text, task.option_count)[1] for text in task.earlier[-SEEN_MENUS if task.verbs else -1 :]]
        before = [*done, *chain.from_iterable(menus)]
        prefix = menu.join(self._prose, done, self._marker) + menu.line_start(self._marker, len(done))
        sampling = _for_options(task.sampling, self._language, bool(task.verbs))
        tries = [([], before), (before, before), (done, done)]
        if task.verbs:  # of which there are many, and with which lines begin that are alike otherwise
            recent = [*done, *chain.from_iterable(menus[-VERB_MENUS:])]
            tries = [(recent, before), (before, before), (before, before)]
        for avoid, others in tries:
            grammar = menu.grammar(avoid, task.verbs, self._story, self._held, others)
            pieces = self._calls.generate(prefix, sampling, menu.LINE_TOKENS, grammar, ("\n", *self._stops))
            option = self._tidied((yield from whole(pieces)))
            if not self._calls.grammars:
                return ""
            banned = bans.first_in(option, task.bans)
            if banned is not None:
                kept_out = bans.kept_out(" " + option, banned + 1)
                sampling = replace(sampling, logit_bias=sampling.logit_bias | kept_out)
            elif option and not menu.among(option, others) and not self._lacks(option):
                return option
            elif task.verbs:  # a model that comes back to one thing does so with any verb
                worn = {f" {thing}{ending}": -100.0 for thing in actions.named(option) for ending in ("", "s")}
                sampling = replace(sampling, logit_bias={**sampling.logit_bias, **worn})
        spares = (spare for others in (before, done) for spare in self._spare() if not menu.among(spare, others))
        return next(spares, "")

    def _lacks(self, option: str) -> bool:
        """Tell whether an option needs a thing that is not there."""
        told = "\n".join((*self._task.earlier, self._prose))
        return self._held is not None and actions.lacks(option, self._held, told)

    def _tidied(self, line: str) -> str:
        cut = self._calls.stats.stop == "length"
        option = menu.tidy(line, self._language, cut)
        return actions.without_echo(option) if self._task.verbs else option

    def _spare(self) -> Iterator[str]:
        return (spare for spare in self._language.spare if not bans.contains(spare, self._task.bans))

    def _unconstrained(self) -> Iterator[Piece | str]:
        """For engines without grammars: read the model's own list leniently, try once more, then give up."""
        limit = self._task.option_count * menu.LINE_TOKENS
        for _ in range(2):
            prefix = self._prose + menu.line_start(self._marker, 0)
            text = yield from whole(self._calls.generate(prefix, self._task.sampling, limit, None, self._stops))
            said = menu.line_start(self._marker, 0) + text
            lines = "\n".join(line for line in said.split("\n") if not bans.contains(line, self._task.bans))
            if found := menu.parse(lines, self._task.option_count, self._language):
                yield from found
                return


def _for_options(sampling: Sampling, language: Language, with_verbs: bool) -> Sampling:
    """A little cooler than prose, and leaning towards things to do."""
    temperature = min(sampling.temperature, OPTION_TEMPERATURE)
    if with_verbs:  # the verb is another one, and a penalty on what ends a line makes lines that do not end
        sampling = replace(sampling, repeat_penalty=1.0, dry_multiplier=0.0)
    words = WITH_VERB if with_verbs else dict.fromkeys(language.statements, STATEMENT_BIAS)
    bias = {**{" " + word: value for word, value in words.items()}, **sampling.logit_bias}
    return replace(sampling, temperature=temperature, logit_bias=bias)
