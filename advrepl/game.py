"""An adventure being played on an engine: all the state there is.

Does not print or read anything: the terminal passes lines in and shows the events that come out.
"""

import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import msgspec

from advrepl import AdvreplError
from advrepl.engines.base import Engine, Feeding, Sampling, Stats
from advrepl.engines.keeper import Keeper
from advrepl.events import Event, Note, Reply, Slid
from advrepl.prompt import options as menu
from advrepl.prompt.formats import Format
from advrepl.prompt.segments import Segment, Window
from advrepl.prompt.window import build, told
from advrepl.story import saves
from advrepl.story.backdrop import Backdrop, Due
from advrepl.story.saves import Save, SaveFile
from advrepl.story.scenario import Scenario
from advrepl.story.tree import Next, Story, Telling, Turn
from advrepl.writer import Piece, Task, Writer, Written

LOOK_BACK = 4  # replies that a new one must not repeat
LONGEST_SHARE = 4  # a reply takes at most this part of the context
LONGEST = {"short": 60, "medium": 120}  # tokens of a reply that is wanted so long
SPARE_TOKENS = 8  # for the joints between prose and options


@dataclass(frozen=True, slots=True)
class Move:
    """A turn of the player as it would be: nothing of it has happened yet."""

    turn: Turn
    due: Due
    window: Window


class Game:
    """A story, the engine that writes it and the file it is kept in."""

    def __init__(self, engine: Engine, format: Format, save: Save, file: SaveFile) -> None:
        self.engine, self.format, self.file = engine, format, file
        self._save = save
        self.sampling = msgspec.convert(save.sampling, Sampling)
        self.story = Story(save.turns, save.head)
        self.option_count = save.scenario.options
        self.backdrop = self._backdrop()
        self.read_in_full = 0  # replies for which the whole prompt was fed
        self.feeding: Feeding | None = None  # set by the terminal to show progress
        self.keeper: Keeper | None = None  # set by the session where the engine's cache can be put away
        self.last: Reply | None = None
        self._first = save.first
        self._asked = time.perf_counter()  # when the player's line was complete
        self._seed = random.getrandbits(31)  # for a story without one
        self._cancelled = False

    # --- what the player does; each returns events as they happen

    def open(self) -> Iterator[Event]:
        """Begin a new story: its written opening, or the model's answer to the first words."""
        self._asks()
        scenario = self.scenario
        if scenario.start:
            self.story.say("user", scenario.start)
        if scenario.opening and (self.format.name != "metharme" or not scenario.start):
            self.story.say("model", scenario.opening)
            prose, options = menu.split(scenario.opening)
            self.save()
            self.last = Reply(prose, options, self._stats(None, 0))
            yield Piece(prose)
            yield self.last
        else:
            yield from self._reply(self.window())

    def greet(self, number: int) -> Iterator[Event]:
        """Let the character greet in other words, before the player has said any; counted from 1."""
        greetings = self.scenario.greetings
        if self._greeted() is None:
            raise AdvreplError("greetings can be chosen before your first words; `advrepl play` begins a new story")
        if not 0 < number <= len(greetings):
            raise AdvreplError(f"there are {len(greetings)} greetings, so 1 to {len(greetings)}, not {number}")
        self._asks()
        self._begin_with(greetings[number - 1])
        self.save()
        self.last = Reply(greetings[number - 1], (), self._stats(None, 0))
        yield Piece(self.last.text)
        yield self.last

    def become(self, name: str, persona: str) -> None:
        """Give the player a name and a persona; a greeting that was not answered yet calls him by it."""
        greeted = self._greeted()
        with self.changing():
            self.backdrop.become(name, persona)
            if greeted is not None:
                self._begin_with(self.scenario.greetings[greeted])

    @property
    def scenario(self) -> Scenario:
        return self._save.scenario

    @property
    def title(self) -> str:
        return self._save.title

    @property
    def card(self) -> str:
        """The path of the card that the story began with; empty: none."""
        return self._save.card

    @property
    def waits_for_opening(self) -> bool:
        return not self.story.turns

    def act(self, line: str) -> Iterator[Event]:
        """The player's turn (a number picks an option), and the model's answer to it."""
        self._asks()
        move = self.move(self.chosen(line))
        self.story.add(move.turn)
        self.backdrop.said(move.due)
        self.save()
        yield from map(Note, move.due.news)
        yield from self._reply(move.window)

    def retry(self) -> Iterator[Event]:
        """Write the last reply again; the old one stays as a branch."""
        self._asks()
        last = self.story.last
        if last is None:
            raise AdvreplError("there is no reply to write again yet")
        if last.role == "model":
            if last.parent is None:
                others = "; /greeting offers others" if len(self.scenario.greetings) > 1 else ""
                raise AdvreplError(f"the story opens with these words, and nothing comes before them{others}")
            self.story.goto(last.parent)
        yield from self._reply(self.window())

    def go_on(self) -> Iterator[Event]:
        """Let the model write more of its last reply."""
        self._asks()
        last = self.story.last
        if last is None:
            raise AdvreplError("there is no reply to continue yet")
        if last.role == "user":
            yield from self._reply(self.window())
        else:
            yield from self._reply(self.window(), kept=menu.split(last.text)[0])

    def undo(self) -> str:
        """Take the last exchange back (it stays as a branch); returns what the player had said."""
        path = self.story.path
        said = next((i for i in range(len(path) - 1, -1, -1) if self.story.turns[path[i]].role == "user"), None)
        if said is None or said == 0:
            raise AdvreplError("this is where the story begins; there is nothing to take back")
        text = self.story.turns[path[said]].text
        self.story.goto(path[said - 1])
        self.save()
        return text

    def chosen(self, line: str) -> str:
        """What a line says: the text of the option for its number, else itself."""
        word, offered = line.strip().rstrip(".)"), self.options()
        return offered[int(word) - 1] if word.isdecimal() and 0 < int(word) <= len(offered) else line.strip()

    # --- what can be asked

    def options(self) -> tuple[str, ...]:
        """The choices on offer now."""
        last = self.story.last
        return menu.split(last.text)[1] if last and last.role == "model" and self.option_count else ()

    def window(self) -> Window:
        """What the model would be shown now."""
        return self._build(self.story)

    def move(self, said: str) -> Move:
        """What would follow if the player said this; the story stays as it is."""
        due = self.backdrop.due(self.story, said)
        turn = Turn(self.story.head, "user", said, before=due.before)
        return Move(turn, due, self._build(Next(self.story, turn)))

    def evicted(self) -> int:
        """Turns that the model no longer sees; the example dialogues go before them."""
        return max(self._first - len(self.scenario.dialogues), 0)

    def check(self) -> None:
        """Raise if the context has no room for the system text and a turn."""
        self._build(Story())

    @contextmanager
    def changing(self) -> Iterator[None]:
        """Save what is changed meanwhile, unless it leaves no room for the story in the context."""
        save = self._save
        before, head = (self.sampling, self.option_count), self.story.head
        fields = {name: getattr(save, name) for name in ("scenario", "books")}
        try:
            yield
            self.check()
            self.window()
        except AdvreplError:
            self.sampling, self.option_count = before
            self.story.goto(head)
            for name, value in fields.items():
                setattr(save, name, value)
            self.backdrop = self._backdrop()
            raise
        if self.story.turns:
            self.save()

    def save(self) -> None:
        save = self._save
        save.turns, save.head, save.first = self.story.turns, self.story.head, self._first
        save.sampling = msgspec.to_builtins(self.sampling)
        save.scenario = msgspec.structs.replace(save.scenario, options=self.option_count)
        save.model = saves.ModelRef(self.engine.name, self.engine.fingerprint, save.model.spec)
        save.format = self.format.name
        self.file.write(save)

    def keep(self) -> str:
        """Put away what the model has read, so that resuming need not read it again; a line if that is not possible."""
        if not self.keeper:
            return ""
        try:
            return self.keeper.keep(self.window())
        except AdvreplError:  # there is no room for the next turn: then there is no window to keep
            return ""

    def cancel(self) -> None:
        """End the reply that is being written; what there is of it is kept."""
        self._cancelled = True  # heard between two calls of the engine, which each begin afresh
        self.engine.cancel()

    def close(self) -> None:
        try:
            self.save()
            self.keep()
        finally:
            if self.keeper:
                self.keeper.close()
            self.file.close()
            self.engine.close()

    # --- one reply

    def _backdrop(self) -> Backdrop:
        return Backdrop(self._save, lambda text: self.engine.count(Segment("", text)), self.engine.n_ctx)

    def _build(self, story: Telling) -> Window:
        budget = self.engine.n_ctx - self._reserve()
        return build(self.format, self.scenario, story, self.engine.count, budget, self._first)

    def _greeted(self) -> int | None:
        """Which greeting the story stands at, if it has not gone on from there."""
        first, greetings = self.story.last, self.scenario.greetings
        return greetings.index(first.text) if len(self.story) == 1 and first and first.text in greetings else None

    def _begin_with(self, greeting: str) -> None:
        taken = [index for index in self.story.children(None) if self.story.turns[index].text == greeting]
        if taken:
            self.story.goto(taken[0])
        else:
            self.story.add(Turn(None, "model", greeting))

    def _asks(self) -> None:
        self._asked, self._cancelled = time.perf_counter(), False

    def _reserve(self) -> int:
        """Tokens kept free for a reply; in a small context replies are shorter, so that there is a past to reply to."""
        return self._longest() + self.option_count * menu.LINE_TOKENS + SPARE_TOKENS

    def _reply(self, window: Window, kept: str = "") -> Iterator[Event]:
        """Write an answer to the head, or a longer version of it that begins with `kept`, and save it."""
        before = self.evicted()
        self._first = window.evicted
        if self.evicted() > before:
            yield Slid(self.evicted(), self.story.told(self.evicted())[0].text)
        last = self.story.last
        parent = last.parent if kept and last else self.story.head
        seed = self._next_seed()
        shown, first, written = [kept], 0.0, None
        try:
            for event in Writer(self.engine, self._task(window, seed, kept)).write():
                first = first or time.perf_counter() - self._asked
                if isinstance(event, Written):
                    written = event
                    break
                shown.append(event.text if isinstance(event, Piece) else "")
                yield event
        finally:
            # Whatever ended the reply, the words that were shown are kept.
            text, stop = (written.text, written.stats.stop) if written else ("".join(shown), "interrupted")
            if text.strip() and text != kept:
                seconds = round(time.perf_counter() - self._asked, 3)
                self.story.add(Turn(parent, "model", text, seed, stop, seconds))
                self.save()
        if written:
            self._take_note(window, written)
            self.last = Reply(written.prose, written.options, self._stats(written, first))
            yield self.last
            if self.keeper and self.keeper.due:
                self.keeper.keep_aside(self.window())

    def _take_note(self, window: Window, written: Written) -> None:
        """Let the engine know the reply's tokens while it remembers how it was sampled."""
        turns, dialogues = told(self.scenario, self.story, self._first)
        self.engine.count(self.format.spell(self.scenario, turns, dialogues).blocks[-1][-1])
        head = sum(map(self.engine.count, window.prompt.head))
        self.read_in_full += written.stats.reused < min(head, written.stats.prompt)

    def _longest(self) -> int:
        wanted = LONGEST.get(self.scenario.length, self.sampling.max_tokens)
        return min(self.sampling.max_tokens, wanted, self.engine.n_ctx // LONGEST_SHARE)

    def _task(self, window: Window, seed: int, kept: str) -> Task:
        recent = self.story.told(max(self.evicted(), len(self.story) - 3 * LOOK_BACK))
        if kept:
            recent = recent[:-1]
        return Task(
            window,
            lambda text: self.format.spelled(self.scenario, text),
            msgspec.structs.replace(self.sampling, max_tokens=self._longest()),
            seed,
            self.format.stops(self.scenario),
            self.option_count,
            tuple(turn.text for turn in recent if turn.role == "model")[-LOOK_BACK:],
            kept,
            self.feeding,
            lambda: self._cancelled,
        )

    def _next_seed(self) -> int:
        """A seed for each reply that follows from the story's own, and differs between takes of one turn."""
        base = self._seed if self.sampling.seed is None else self.sampling.seed
        return (base + 0x85EBCA6B * len(self.story.turns)) & 0x7FFFFFFF

    def _stats(self, written: Written | None, first: float) -> dict[str, Any]:
        cost = written.stats if written else Stats(stop="written")
        return {
            "prompt": cost.prompt,
            "reused": cost.reused,
            "shifted": cost.shifted,
            "evicted": self.evicted(),
            "generated": cost.generated,
            "first_ms": round(first * 1000, 1),
            "seconds": round(time.perf_counter() - self._asked, 2),
            "ahead": False,
            "stop": cost.stop,
        }
