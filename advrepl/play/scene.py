"""An adventure as it stands: all the state there is, what can be asked of it, and what can be changed in it.

Writes no replies (game.py) and works out the next one without changing anything.
"""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import msgspec

from advrepl import AdvreplError
from advrepl.engines.base import Engine, Feeding
from advrepl.play.writer import Task
from advrepl.prompt import options as menu
from advrepl.prompt.formats import Format
from advrepl.prompt.segments import Segment, Window
from advrepl.prompt.window import build
from advrepl.sampling.params import Sampling
from advrepl.story import saves
from advrepl.story.context import Backdrop, Due
from advrepl.story.saves import Save, SaveFile
from advrepl.story.scenario import Scenario
from advrepl.story.tree import Next, Story, Telling, Turn

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


class Scene:
    """A story, the engine that writes it and the file it is kept in."""

    def __init__(self, engine: Engine, format: Format, save: Save, file: SaveFile) -> None:
        self.engine, self.format, self.file = engine, format, file
        self._save = save
        self.sampling = Sampling(**save.sampling)
        self.story = Story(save.turns, save.head)
        self.option_count = save.scenario.options
        self.backdrop = self._backdrop()
        self.feeding: Feeding | None = None  # set by the terminal to show progress
        self._first = save.first
        self._seed = random.getrandbits(31)  # for a story without one
        self._cancelled = False

    # --- what can be asked

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

    def chosen(self, line: str) -> str:
        """What a line says: the text of the option for its number, else itself."""
        word, offered = line.strip().rstrip(".)"), self.options()
        return offered[int(word) - 1] if word.isdecimal() and 0 < int(word) <= len(offered) else line.strip()

    def options(self) -> tuple[str, ...]:
        """The choices on offer now."""
        last = self.story.last
        return menu.split(last.text)[1] if last and last.role == "model" and self.option_count else ()

    def window(self, story: Telling | None = None, start: int = 0) -> Window:
        """What the model would be shown now, or of another story; of no turn before `start`."""
        return self._build(self.story if story is None else story, start)

    def move(self, said: str) -> Move:
        """What would follow if the player said this; the story stays as it is."""
        due = self.backdrop.due(self.story, said)
        turn = Turn(self.story.head, "user", said, before=due.before)
        return Move(turn, due, self._build(Next(self.story, turn)))

    def evicted(self) -> int:
        """Turns that the model no longer sees; the example dialogues go before them."""
        return max(self._first - len(self.scenario.dialogues), 0)

    def task(self, story: Telling, window: Window, seed: int, kept: str = "") -> Task:
        """What the writer is asked for, to answer the story's last turn or to go on from `kept`."""
        recent = story.told(max(window.evicted - len(self.scenario.dialogues), len(story) - 3 * LOOK_BACK, 0))
        if kept:
            recent = recent[:-1]
        return Task(
            window,
            lambda text: self.format.spelled(self.scenario, text),
            replace(self.sampling, max_tokens=self._longest()),
            seed,
            self.format.stops(self.scenario),
            self.option_count,
            tuple(turn.text for turn in recent if turn.role == "model")[-LOOK_BACK:],
            kept,
            self.feeding,
            lambda: self._cancelled,
        )

    def seed(self, turns: int) -> int:
        """The seed of a reply written when there are so many turns: it follows from the story's own, and differs
        between takes of one turn.
        """
        base = self._seed if self.sampling.seed is None else self.sampling.seed
        return (base + 0x85EBCA6B * turns) & 0x7FFFFFFF

    def check(self) -> None:
        """Raise if the context has no room for the system text and a turn."""
        self._build(Story())

    # --- what can be changed

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
        save.sampling = self.sampling.to_save()
        save.scenario = msgspec.structs.replace(save.scenario, options=self.option_count)
        save.model = saves.ModelRef(self.engine.name, self.engine.fingerprint, save.model.spec)
        save.format = self.format.name
        self.file.write(save)

    def become(self, name: str, persona: str) -> None:
        """Give the player a name and a persona; a greeting that was not answered yet calls him by it."""
        greeted = self._greeted()
        with self.changing():
            self.backdrop.become(name, persona)
            if greeted is not None:
                self._begin_with(self.scenario.greetings[greeted])

    # --- how

    def _backdrop(self) -> Backdrop:
        return Backdrop(self._save, lambda text: self.engine.count(Segment("", text)), self.engine.n_ctx)

    def _build(self, story: Telling, start: int = 0) -> Window:
        budget = self.engine.n_ctx - self._reserve()
        return build(self.format, self.scenario, story, self.engine.count, budget, max(self._first, start))

    def _greeted(self) -> int | None:
        """Which greeting the story stands at, if it has not gone on from there."""
        return self.backdrop.greeting(self.story) if len(self.story) == 1 else None

    def _begin_with(self, greeting: str) -> None:
        taken = [index for index in self.story.children(None) if self.story.turns[index].text == greeting]
        if taken:
            self.story.goto(taken[0])
        else:
            self.story.add(Turn(None, "model", greeting))

    def _reserve(self) -> int:
        """Tokens kept free for a reply; in a small context replies are shorter, so that there is a past to reply to."""
        return self._longest() + self.option_count * menu.LINE_TOKENS + SPARE_TOKENS

    def _longest(self) -> int:
        wanted = LONGEST.get(self.scenario.length, self.sampling.max_tokens)
        return min(self.sampling.max_tokens, wanted, self.engine.n_ctx // LONGEST_SHARE)
