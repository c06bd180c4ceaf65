"""Show a game's events at a terminal: prose wrapped as it is written, options with a hanging indent, dim notices.

Reads nothing and knows no commands. Only ever adds lines: what was shown stays in the terminal's scrollback.
"""

import os
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TextIO

from advrepl import AdvreplError
from advrepl.play.events import Event, Note, Picture, Reply, Slid
from advrepl.play.writer import Choice, Piece
from advrepl.terminal import pictures
from advrepl.terminal.text import StreamWrapper, clip, max_cells, one_line, visible, wrap

PATIENCE = 1.0  # seconds without a word, after which a progress line says what is going on
BOLD, DIM, RED, PLAIN = "\x1b[1m", "\x1b[2m", "\x1b[31m", "\x1b[0m"
FEW_WORDS = 20  # columns: the least that is shown of the text with which the model's memory begins


@dataclass(frozen=True, slots=True)
class Abilities:
    """What a terminal can be asked for."""

    style: bool  # bold, dim and colour
    cursor: bool  # going back in a line

    @classmethod
    def of(cls, environment: dict[str, str]) -> "Abilities":
        cursor = environment.get("TERM", "").lower() not in ("", "dumb", "unknown")
        return cls(style=cursor and not environment.get("NO_COLOR"), cursor=cursor)


class Screen:
    """The terminal's normal screen, written from top to bottom."""

    def __init__(self, out: TextIO, abilities: Abilities) -> None:
        self._out, self._can = out, abilities
        self._prose: StreamWrapper | None = None  # while prose is being written
        self._blank = False  # is the last line empty?
        self._choices = 0  # of this reply, shown so far
        self._progress = Progress(self)

    @property
    def width(self) -> int:
        try:
            columns = os.get_terminal_size(self._out.fileno()).columns
        except (OSError, ValueError):  # not a terminal, as in tests
            columns = 0
        return columns or 80

    @property
    def in_line(self) -> bool:
        return self._prose is not None

    @property
    def erases(self) -> bool:
        return self._can.cursor

    def feeding(self, done: int, total: int) -> None:
        """To be told how far the prompt is fed."""
        self._progress.step(done, total)

    def show(self, event: Event) -> None:
        self._progress.end()
        match event:
            case Piece(text):
                self._piece(visible(text))
            case Choice(number, text):
                self._choice(number, text)
            case Reply(_, options, _):
                for number, text in list(enumerate(options, 1))[self._choices :]:
                    self._choice(number, text)
                self.end()
            case Slid(turns, first):
                self._slid(turns, first)
            case Picture(_, data):
                self.picture(data)
            case Note(text):
                self.lines(text)

    def end(self) -> None:
        """A reply is over, whole or not: what was held back is shown, and the next thing begins a new paragraph."""
        self._progress.end()
        if self._prose:
            self._write(self._prose.end() + "\n")
        self._prose, self._choices = None, 0

    def entered(self) -> None:
        """The player's line stands there now, written by the line editor."""
        self._blank = False

    def heading(self, text: str) -> None:
        self._line(one_line(text), BOLD)

    def said(self, text: str) -> None:
        """What the player has said, where it was not typed in these words."""
        for line in visible(text).split("\n"):
            self._line(f"> {line}", DIM, indent=2)

    def notice(self, text: str) -> None:
        self._line(one_line(text), DIM)

    def error(self, text: str) -> None:
        self.end()
        self._line(one_line(text), RED)

    def lines(self, text: str) -> None:
        """Text of several lines, in a paragraph of its own; a table's second column hangs."""
        self.paragraph()
        for line in visible(text).split("\n"):
            self._line(line.rstrip(), indent=4)

    def picture(self, data: bytes) -> None:
        """Draw it as well as this terminal can; raises AdvreplError where that is not possible."""
        if not self._can.style:
            raise AdvreplError("this terminal shows no colours, and so no pictures")
        drawn = pictures.drawn(data, pictures.Canvas.of(os.environ, self._out))
        self.paragraph()
        self._write(drawn)

    # --- a reply

    def _piece(self, text: str) -> None:
        if self._prose is None:
            self.paragraph()
            self._prose, text = StreamWrapper(self.width), text.lstrip()
        self._prose.width = self.width
        self._write(self._prose.feed(text))

    def _choice(self, number: int, text: str) -> None:
        if not self._choices:
            self.end()
            self.paragraph()
        self._choices += 1
        mark = f"{number}. "
        self._line(mark + one_line(text), indent=len(mark))

    def _slid(self, turns: int, first: str) -> None:
        before, after = "── memory now begins at “", f"” · {turns} {'turn' if turns == 1 else 'turns'} no longer seen"
        room = max(self.width - max_cells(before + after) - 1, FEW_WORDS)
        self.paragraph()
        self.notice(before + clip(one_line(first), room) + after)

    # --- writing

    def paragraph(self) -> None:
        if not self._blank:
            self._write("\n")
            self._blank = True

    def _line(self, text: str, style: str = "", indent: int = 0) -> None:
        text = wrap(text, self.width, indent)
        self._write(f"{style}{text}{PLAIN}\n" if style and self._can.style else text + "\n")

    def _write(self, text: str) -> None:
        if text:
            self._blank = False
        self._out.write(text)
        self._out.flush()

    def draw(self, text: str) -> None:
        """A line that is written over: the one before it is wiped."""
        if self._can.cursor:
            self._out.write("\r\x1b[K" + clip(text, self.width - 1))
        elif text:
            self._out.write(text + "\n")  # a terminal without a cursor gets it once
        self._out.flush()


class Progress:
    """One line that says how far the prompt is fed, once that takes long; gone before the first word comes.

    A timer shows it, since the engine may be busy with one batch for longer than that.
    """

    def __init__(self, screen: Screen) -> None:
        self._screen = screen
        self._lock = threading.Lock()
        self._timer: threading.Timer | None = None
        self._shown = False
        self._at: Sequence[int] = (0, 0)

    def step(self, done: int, total: int) -> None:
        if done >= total:
            self.end()
            return
        with self._lock:
            self._at = done, total
            if self._timer is None and not self._screen.in_line:
                self._timer = threading.Timer(PATIENCE, self._show)
                self._timer.daemon = True
                self._timer.start()
            elif self._shown and self._screen.erases:
                self._draw()

    def end(self) -> None:
        with self._lock:
            if self._timer:
                self._timer.cancel()
            if self._shown and self._screen.erases:
                self._screen.draw("")
            self._timer, self._shown = None, False

    def _show(self) -> None:
        with self._lock:
            if self._timer is not None:  # else it has just ended
                self._shown = True
                self._draw()

    def _draw(self) -> None:
        done, total = self._at
        self._screen.draw(f"reading {total} tokens: {100 * done // total}%")
