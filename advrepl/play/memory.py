"""What of a turn is kept in mind when it slides out: the model chooses one of its sentences, while the player reads.

It is asked behind the prompt that is there, under a grammar that has these sentences and nothing else, so that it costs
the question's own tokens and cannot invent anything. What it chose is told from the reply after the next one on
(story/quotes.py): replies that are written ahead by then stay as they are.
"""

import json
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import msgspec

from advrepl import AdvreplError, scripts
from advrepl.engines.base import Engine
from advrepl.engines.slots import PrefetchJob, Slot
from advrepl.play.candidates import WriterEvent
from advrepl.play.planner import SHORTEST_LINE, Planner
from advrepl.play.reply import PAUSE, Piece
from advrepl.play.state import GameState
from advrepl.prompt import options as menu
from advrepl.prompt.segments import Segment, Window
from advrepl.sampling.params import Sampling
from advrepl.story import quotes
from advrepl.story.quotes import Quote

if TYPE_CHECKING:
    from advrepl.play.game import Game

ASKED_AT_ONCE = 2  # turns that are asked about while the player reads one reply
LEAST_WORDS, MOST_CHARACTERS = 4, 240  # of a sentence that can be chosen
QUESTION = "(OOC: Which sentence of this is most important later?)\n"
SUMMARY = "(OOC: Tell in a few sentences what has happened so far, and nothing else.)"
GREEDY = Sampling(temperature=0.0, repeat_penalty=1.0, max_tokens=96, seed=0)
SUMMARIZING = Sampling(temperature=0.0, max_tokens=128, seed=0)


def sentences(prose: str) -> list[tuple[int, int]]:
    """Return where the sentences stand that can be chosen, as they are told and without the blanks between them."""
    found, start = [], 0
    while start < len(prose):
        end = scripts.first_sentence_end(prose, start)
        span = prose[start:end]
        first = start + len(span) - len(span.lstrip())
        if len(span.split()) >= LEAST_WORDS and len(span.strip()) <= MOST_CHARACTERS and "\n" not in span.strip():
            found.append((first, first + len(span.strip())))
        start = end
    return found


def longest(prose: str, spans: Iterable[tuple[int, int]], engine: Engine) -> int:
    """Return how much room an answer is to have, in tokens: it is one of these, and over once it can be only one."""
    return max(engine.count(Segment("", prose[slice(*span)])) for span in spans)


def grammar(texts: Iterable[str]) -> str:
    """Return the grammar of these texts and nothing else."""
    return "root ::= " + " | ".join(json.dumps(text, ensure_ascii=False) for text in dict.fromkeys(texts))


class Memory:
    """The questions of one game, and the answers that are not told yet."""

    def __init__(self) -> None:
        self._chosen: list[Quote] = []

    def questions(self, planner: Planner, engine: Engine) -> list[PrefetchJob[WriterEvent]]:
        """Return jobs for the turns that are out of sight and of which nothing is kept; none where that is off."""
        save, story = planner.state.save, planner.state.story
        if not save.recap or not engine.grammars:
            return []
        window = planner.player_turn(SHORTEST_LINE).window
        known = {quote.turn for quote in (*save.quotes, *self._chosen)}
        seen_from = max(window.evicted - len(save.scenario.dialogues), 0)
        jobs = list[PrefetchJob[WriterEvent]]()
        for index in story.path[:seen_from]:
            if story.turns[index].role == "model" and index not in known and len(jobs) < ASKED_AT_ONCE:
                prose = menu.parted(story.turns[index].text, save.scenario.options)[0]
                spans = sentences(prose) if story.turns[index].text.startswith(prose) else []
                if len(spans) < 2:
                    self._chosen.append(Quote(index, *(spans[0] if spans else (0, 0))))
                elif asked := planner.asked(QUESTION + prose, longest(prose, spans, engine)):
                    jobs.append(_job(index, prose, spans, asked))
        return jobs

    def collect(self, slots: Iterable[Slot[Any]]) -> None:
        """Take the answers that are there."""
        known = {quote.turn for quote in self._chosen}
        for slot in slots:
            key = slot.job.key if slot.job else None
            if isinstance(key, Question) and slot.over and key.turn not in known:
                said = "".join(event.text for event in slot.done if isinstance(event, Piece))
                spans = [span for span in key.spans if key.prose[slice(*span)] == said]
                self._chosen.append(Quote(key.turn, *(spans[0] if spans else (0, 0))))
                known.add(key.turn)

    def keep(self, state: GameState) -> None:
        """Let the story have what was chosen; the next reply is told."""
        known = {quote.turn for quote in state.save.quotes}
        new = [quote for quote in self._chosen if quote.turn not in known and quote.turn < len(state.story.turns)]
        self._chosen.clear()
        if new and quotes.fits(new, state.story) is None:
            state.replace(quotes=(*state.save.quotes, *new))


class Question(msgspec.Struct, frozen=True):
    """What is asked about a turn, as the key of a job."""

    turn: int
    prose: str
    spans: tuple[tuple[int, int], ...]


def _job(index: int, prose: str, spans: list[tuple[int, int]], window: Window) -> PrefetchJob[WriterEvent]:
    texts = [prose[start:end] for start, end in spans]
    return PrefetchJob(Question(index, prose, tuple(spans)), lambda engine: _answer(engine, window, texts), True)


def _answer(engine: Engine, window: Window, texts: list[str]) -> Iterator[WriterEvent]:
    """Write the answer until it can be only one of the texts; that one, whole."""
    said = ""
    for piece in engine.generate(window, GREEDY, grammar=grammar(texts)):
        if not piece:
            yield PAUSE
            continue
        said += piece
        left = [text for text in dict.fromkeys(texts) if text.startswith(said)]
        if len(left) == 1:
            yield Piece(left[0])
            return


def summary(game: "Game") -> str:
    """Return what the model tells of the story so far, in its own words; raises AdvreplError where it tells nothing."""
    asked = game.planner.asked(SUMMARY, SUMMARIZING.max_tokens)
    if not asked:
        raise AdvreplError(f"the context has no room to ask for a summary: {game.engine.more_room}")
    said = game.ask(asked, SUMMARIZING).strip()
    if game.engine.stats.stop == "interrupted":
        raise AdvreplError("stopped: no summary is kept")
    whole = said[: scripts.last_sentence_end(said, len(said))].strip() or said
    if not whole:
        raise AdvreplError("the model has no summary: `/recap edit TEXT` keeps one of your own")
    return whole


# --- what the player changes


def pin(state: GameState, wanted: str) -> Quote:
    """Keep a line for good: the newest place of the path that says this, or the sentence around it.

    Raises AdvreplError where none does.
    """
    story = state.story
    for index in reversed(story.path):
        said = story.turns[index].text
        at = said.casefold().find(wanted.casefold())
        if at >= 0 and len(said.casefold()) == len(said):
            spans = [span for span in sentences(said) if span[0] <= at < span[1]]
            quote = Quote(index, *(spans[0] if spans else (at, at + len(wanted))), pinned=True)
            others = tuple(each for each in state.save.quotes if (each.turn, each.start) != (quote.turn, quote.start))
            state.replace(quotes=(*others, quote))
            return quote
    raise AdvreplError(f"no turn of this story says {wanted[:40]!r}: only its own words can be kept")


def forget(state: GameState, quote: Quote) -> None:
    """Keep nothing of this line; the model is not asked about its turn again."""
    others = tuple(each for each in state.save.quotes if each != quote)
    state.replace(quotes=(*others, _nothing_of(quote)))


def _nothing_of(quote: Quote) -> Quote:
    return msgspec.structs.replace(quote, start=0, end=0, pinned=False)
