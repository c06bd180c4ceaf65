"""What a reply changes of what the player has and of where he is: the model is asked, while the player reads.

It is asked behind the prompt that is there, under a grammar that has nothing to take but what is named in the player's
line and the reply, nothing to lose but what is held, and no place but one that is named (prompt/handling.py). So it
costs the question's own tokens, and what comes of it (story/carried.py) may be wrong but never impossible. In English.
"""

import json
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from advrepl import AdvreplError
from advrepl.engines.base import Engine
from advrepl.engines.slots import PrefetchJob, Slot
from advrepl.play.candidates import WriterEvent
from advrepl.play.memory import GREEDY
from advrepl.play.planner import Planner
from advrepl.play.reply import PAUSE, Piece
from advrepl.play.state import GameState
from advrepl.prompt import actions, handling
from advrepl.prompt import options as menu
from advrepl.prompt.segments import Window
from advrepl.story import carried
from advrepl.story.carried import Carried
from advrepl.story.tree import Change

if TYPE_CHECKING:
    from advrepl.play.game import Game

LOOK_BACK = 4  # turns in which a reply is still asked about if there was no time for it before
MOST = 3  # things that come or go in one reply
NONE, JOINT = "none", ", "
QUESTION = (
    "(OOC: What has just changed? + is what the user has now, - what he no longer has, @ where he is. "
    "Choose of: {choices}, none.)"
)


@dataclass(frozen=True)
class Question:
    """What is asked about a turn, as the key of a job."""

    turn: int  # index into Story.turns
    text: str  # the turn's
    choices: tuple[str, ...] = field(compare=False)  # as "+key"


def choices(line: str, reply: str, before: Carried) -> tuple[str, ...]:
    """Return what may have changed: "+" and a thing, "-" and a thing that is held, "@" and a place."""
    new = [thing for thing in handling.taken(line, reply) if not any(_same(thing, other) for other in before.things)]
    lost = handling.lost(before.things, line, reply)
    places = [place for place in handling.places(line, reply) if place != before.place.casefold()]
    return (*(f"+{thing}" for thing in new), *(f"-{thing}" for thing in lost), *(f"@{place}" for place in places))


def grammar(choices: Iterable[str]) -> str:
    """Return the grammar of the answers: a few things and a place at most, or none."""
    found = list(choices)
    thing = _either(choice for choice in found if choice[0] != "@")
    place = _either(choice for choice in found if choice[0] == "@")
    joint, answers = json.dumps(JOINT), [json.dumps(NONE), *([place] if place else [])]
    if thing:
        answers.append(f"{thing} ({joint} {thing}){{0,{MOST - 1}}}" + (f" ({joint} {place})?" if place else ""))
    return "root ::= " + " | ".join(answers)


def read(answer: str, choices: Iterable[str]) -> Change:
    """Return what an answer says; what cannot be chosen counts for nothing."""
    said = [each for each in dict.fromkeys(answer.split(JOINT)) if each in choices]
    by_sign = {sign: tuple(each[1:] for each in said if each[0] == sign) for sign in "+-@"}
    return Change(by_sign["+"], by_sign["-"], "".join(by_sign["@"][:1]))


class Inventory:
    """The questions of one game, and the answers that its turns do not have yet."""

    def __init__(self) -> None:
        self._answers: list[tuple[Question, Change]] = []
        self._head: int | None = None
        self._asked: set[Question] = set()  # at this head: what was planned stays so, and what was written ahead too

    def questions(self, planner: Planner, engine: Engine) -> list[PrefetchJob[WriterEvent]]:
        """Return jobs for the last replies, if they were not asked about before; none where that is off."""
        if planner.state.story.head != self._head:
            self._head, self._asked = planner.state.story.head, set()
        jobs = list[PrefetchJob[WriterEvent]]()
        for question, asked in self._open(planner, engine):
            self._asked.add(question)
            jobs.append(_job(question, asked))
        return jobs

    def collect(self, slots: Iterable[Slot[Any]]) -> None:
        """Take the answers that are there."""
        for slot in slots:
            key = slot.job.key if slot.job else None
            if isinstance(key, Question) and slot.over and not slot.broken:
                said = "".join(event.text for event in slot.done if isinstance(event, Piece))
                self._answers.append((key, read(said, key.choices)))

    def keep(self, state: GameState) -> None:
        """Let the turns have the answers."""
        turns = state.story.turns
        for question, change in self._answers:
            at = question.turn
            if at < len(turns) and turns[at].text == question.text and turns[at].change is None:
                state.mark(at, change=change)
        self._answers.clear()

    def catch_up(self, game: "Game") -> None:
        """Ask now what was not asked, where nothing is asked while the player reads, and let the turns have it all."""
        if not game.prefetcher:
            with suppress(AdvreplError):
                for question, asked in self._open(game.planner, game.engine):
                    said = game.ask(asked, GREEDY, grammar=grammar(question.choices))
                    self._answers.append((question, read(said, question.choices)))
        self.keep(game.state)

    def _open(self, planner: Planner, engine: Engine) -> Iterator[tuple[Question, Window]]:
        """What there is to ask about the last replies; that nothing can have changed is an answer."""
        state, story, path = planner.state, planner.state.story, planner.state.story.path
        if carried.mode(state.save) == carried.OFF or not engine.grammars:
            return
        known = {question for question, _ in self._answers} - self._asked
        for place in range(max(len(path) - LOOK_BACK, 0), len(path)):
            turn, before = story.turns[path[place]], story.turns[path[place - 1]] if place else None
            prose = menu.parted(turn.text, state.option_count)[0]
            if turn.role != "model" or not actions.is_english(prose):
                continue
            line = before.text if before and before.role == "user" else ""
            had = carried.led_to(story, path[place - 1] if place else None).carried
            question = Question(path[place], turn.text, choices(line, prose, had))
            if question in known or (turn.change is not None and question not in self._asked):
                continue
            if not question.choices:
                self._answers.append((question, carried.NOTHING))
            elif asked := planner.asked(QUESTION.format(choices=JOINT.join(question.choices)), GREEDY.max_tokens):
                yield question, asked


def _job(question: Question, window: Window) -> PrefetchJob[WriterEvent]:
    return PrefetchJob(question, lambda engine: _answer(engine, window, grammar(question.choices)), True)


def _answer(engine: Engine, window: Window, allowed: str) -> Iterator[WriterEvent]:
    for piece in engine.generate(window, GREEDY, grammar=allowed):
        yield Piece(piece) if piece else PAUSE


def _same(one: str, other: str) -> bool:
    """Are these one thing, though one of them may be many, or be called by another word besides?"""
    return one.casefold().split()[-1].removesuffix("s") == other.casefold().split()[-1].removesuffix("s")


def _either(texts: Iterable[str]) -> str:
    spelled = " | ".join(json.dumps(text, ensure_ascii=False) for text in texts)
    return f"({spelled})" if spelled else ""


# --- what the player says


def correct(state: GameState, change: Change) -> Carried:
    """Let this be so from the last turn on; returns what is carried then.

    Raises AdvreplError for what cannot be: something is there already, or is not.
    """
    if state.story.head is None:
        raise AdvreplError("nothing has been said yet")
    has = {thing.casefold() for thing in carried.led_to(state.story, state.story.head).carried.things}
    for thing in change.taken:
        if thing.casefold() in has:
            raise AdvreplError(f"you have {thing!r} already: /inventory -{thing} puts it down")
    for thing in change.lost:
        if thing.casefold() not in has:
            raise AdvreplError(f"you have no {thing!r}: /inventory shows what you have")
    head = state.story.turns[state.story.head]
    state.mark(state.story.head, correction=carried.corrected(head.correction, change))
    return carried.led_to(state.story, state.story.head).carried
