"""An adventure being played: what the player does, and the replies that are written to it.

Does not print or read anything: the terminal passes lines in and shows the events that come out.
"""

import time
from collections.abc import Iterator
from itertools import chain
from typing import Any

from advrepl import AdvreplError
from advrepl.engines.base import Engine, Stats
from advrepl.engines.kv.store import Keeper
from advrepl.engines.prefetch import Ahead
from advrepl.play.candidates import prospects
from advrepl.play.events import Event, Note, Reply, Slid
from advrepl.play.scene import Scene
from advrepl.play.writer import Choice, Piece, Task, Writer, Written
from advrepl.prompt import options as menu
from advrepl.prompt.formats import Format
from advrepl.prompt.segments import Window
from advrepl.prompt.window import told
from advrepl.story.saves import Save, SaveFile
from advrepl.story.tree import Turn


class Game(Scene):
    """A story that is being played."""

    def __init__(self, engine: Engine, format: Format, save: Save, file: SaveFile) -> None:
        super().__init__(engine, format, save, file)
        self.read_in_full = 0  # replies for which the whole prompt was fed
        self.keeper: Keeper | None = None  # set by the session where the engine's cache can be put away
        self.ahead: Ahead[Piece | Choice | Written] | None = None  # set by the session where replies are written ahead
        self.last: Reply | None = None
        self._slid = 0  # where the cache begins, when it was prepared for the next turn
        self._asked = time.perf_counter()  # when the player's line was complete

    # --- what the player does; each returns events as they happen

    def open(self) -> Iterator[Event]:
        """Begin a new story: its written opening, or the model's answer to the first words."""
        self._asks()
        scenario = self.scenario
        if scenario.start:
            self.story.say("user", scenario.start)
        if scenario.opening and not (scenario.start and self.format.writes_opening):
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
        before, last = self.story.head, self.story.last
        if last is None:
            raise AdvreplError("there is no reply to write again yet")
        if last.role == "model":
            if last.parent is None:
                others = "; /greeting offers others" if len(self.scenario.greetings) > 1 else ""
                raise AdvreplError(f"the story opens with these words, and nothing comes before them{others}")
            self.story.goto(last.parent)
        try:
            yield from self._reply(self.window(start=self._slid))
        finally:
            if self.story.last and self.story.last.role == "user":  # stopped before the first word
                self.story.goto(before)

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
        self._first = max(self._first, self._slid)
        self.save()
        return text

    def look_ahead(self) -> None:
        """Write what the player may ask for next, until `rest`: he reads, and the engine is free."""
        if not self.ahead or not self.story.turns:
            return
        try:
            window, jobs = prospects(self)
        except AdvreplError:  # no turn fits any more; it is told when the player acts
            return
        self._cancelled, self._slid = False, window.evicted
        self.ahead.plan(window, jobs)
        self.ahead.resume()

    def rest(self) -> None:
        """The engine is needed, or there is something else to do."""
        if self.ahead:
            self.ahead.pause()

    def keep(self) -> str:
        """Put away what the model has read, so that resuming need not read it again; a line if that is not possible."""
        if not self.keeper:
            return ""
        if self.ahead:
            self.ahead.settle()
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
            if self.ahead:
                self.ahead.close()
            self.save()
            self.keep()
        finally:
            if self.keeper:
                self.keeper.close()
            self.file.close()
            self.engine.close()

    # --- one reply

    def _asks(self) -> None:
        self._asked, self._cancelled = time.perf_counter(), False

    def _reply(self, window: Window, kept: str = "") -> Iterator[Event]:
        """Write an answer to the head, or a longer version of it that begins with `kept`, and save it."""
        before = self.evicted()
        self._first = window.evicted
        if self.evicted() > before:
            yield Slid(self.evicted(), self.story.told(self.evicted())[0].text)
        last = self.story.last
        parent = last.parent if kept and last else self.story.head
        seed = self.seed(len(self.story.turns))
        shown, first, written = [kept], 0.0, None
        ready, events = self._begun(self.task(self.story, window, seed, kept))
        try:
            for event in events:
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
            self.last = Reply(written.prose, written.options, self._stats(written, first, ready))
            yield self.last
            if self.keeper and self.keeper.due:
                self.keeper.keep_aside(self.window())

    def _begun(self, task: Task) -> tuple[bool, Iterator[Piece | Choice | Written]]:
        """The events of a reply, and whether words of it were there before they were asked for."""
        taken = self.ahead.take(task) if self.ahead else None
        if not taken:
            return False, Writer(self.engine, task).write()
        return any(isinstance(event, Piece) for event in taken.done), chain(taken.done, taken.events)

    def _take_note(self, window: Window, written: Written) -> None:
        """Let the engine know the reply's tokens while it remembers how it was sampled."""
        turns, dialogues = told(self.scenario, self.story, self._first)
        self.engine.count(self.format.spell(self.scenario, turns, dialogues).blocks[-1][-1])
        head = sum(map(self.engine.count, window.prompt.head))
        self.read_in_full += written.stats.reused < min(head, written.stats.prompt)

    def _stats(self, written: Written | None, first: float, ready: bool = False) -> dict[str, Any]:
        cost = written.stats if written else Stats(stop="written")
        return {
            "prompt": cost.prompt,
            "reused": cost.reused,
            "shifted": cost.shifted,
            "evicted": self.evicted(),
            "generated": cost.generated,
            "first_ms": round(first * 1000, 1),
            "seconds": round(time.perf_counter() - self._asked, 2),
            "ahead": ready,
            "stop": cost.stop,
        }
