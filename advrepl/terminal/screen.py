"""Show a game's events at a terminal: prose wrapped as it is written, options with a hanging indent, dim notices.

Reads nothing and knows no commands. Only ever adds lines: what was shown stays in the terminal's scrollback.
"""

import os
from collections.abc import Iterable
from typing import TextIO

from advrepl import AdvreplError
from advrepl.play.events import Event, Note, Picture, Reply, Slid, Verbatim
from advrepl.play.reply import Option, Piece
from advrepl.play.thoughts import Thought
from advrepl.story.tree import counted
from advrepl.terminal import clipboard, pictures
from advrepl.terminal.charts import Bar
from advrepl.terminal.clipboard import Copied
from advrepl.terminal.columns import Table
from advrepl.terminal.emphasis import Emphasis, emphasized
from advrepl.terminal.layout import lay_out
from advrepl.terminal.pager import page
from advrepl.terminal.progress import PrefillLine
from advrepl.terminal.speech import Speech, spoken
from advrepl.terminal.text import StreamWrapper, clip, max_cells, one_line, visible, wrap
from advrepl.terminal.theme import THEMES, Capabilities, Theme, unstyled
from advrepl.terminal.words import YOU_CAN, words

MEASURE = 90  # columns of a line at the most: longer ones are hard to read
LEAST_QUOTE = 20  # columns of the text with which the model's memory begins


class Screen:
    """The terminal's normal screen, written from top to bottom."""

    def __init__(self, out: TextIO, capabilities: Capabilities, theme: Theme = THEMES["dark"]) -> None:
        self._out, self._can, self.theme = out, capabilities, theme
        self._prose: StreamWrapper | None = None  # while prose is being written
        self._emphasis, self._speech = Emphasis(), Speech()  # in it
        self._blank = False  # is the last line empty?
        self._choices = 0  # of this reply, shown so far
        self._thinking = False  # does a line say that the model thinks?
        self._progress = PrefillLine(self._draw_over, erases=capabilities.cursor)

    @property
    def can(self) -> Capabilities:
        """Return what the terminal can do."""
        return self._can

    @property
    def width(self) -> int:
        """Return the columns that the terminal has now."""
        try:
            columns = os.get_terminal_size(self._out.fileno()).columns
        except (OSError, ValueError):  # not a terminal, as in tests
            columns = 0
        return columns or 80

    @property
    def _height(self) -> int:
        try:
            return os.get_terminal_size(self._out.fileno()).lines
        except (OSError, ValueError):
            return 1 << 30

    @property
    def measure(self) -> int:
        """Return the columns of a line of text."""
        return min(self.width, MEASURE)

    def show_prefill(self, done: int, total: int) -> None:
        """Take how many tokens of the prompt the model has read; may be called in any thread."""
        if self._prose is None:
            self._progress.step(done, total)

    def show(self, event: Event) -> None:
        """Show an event of the game; raises AdvreplError for a picture that cannot be shown."""
        if isinstance(event, Thought):
            self._thinks(event.tokens)
            return
        self._progress.end()
        self._has_thought()
        match event:
            case Piece(text):
                self._piece(visible(text))
            case Option(number, text):
                self._choice(number, text)
            case Reply(_, options, _):
                for number, text in list(enumerate(options, 1))[self._choices :]:
                    self._choice(number, text)
                self.end()
            case Slid(turns, first):
                self._slid(turns, first)
            case Note():
                self._show_note(event)

    def end(self) -> None:
        """Tell that a reply is over, whole or not: what was held back is shown, and a new paragraph begins."""
        self._progress.end()
        self._has_thought()
        if self._prose:
            rest = self._speech.feed(self._emphasis.end()) + self._speech.end()
            self._write_prose(self._prose.feed(rest if self._can.style else "") + self._prose.end() + "\n")
        self._prose, self._choices = None, 0

    def ring(self) -> None:
        """Call the player, who may look at another window."""
        self._out.write("\a" if self._can.cursor or self._can.words else "")
        self._out.flush()

    def line_entered(self) -> None:
        """Tell that the player's line stands there now, written by the line editor."""
        self._blank = False

    def heading(self, text: str) -> None:
        """Show the title of a story, in bold."""
        self._line(one_line(text), "title")

    def player_line(self, text: str) -> None:
        """Show what the player has said, where it was not typed in these words."""
        for line in visible(text).split("\n"):
            self._line(f"> {line}", "player", indent=2)

    def notice(self, text: str) -> None:
        """Show what the program has to say by itself, dim and in one line."""
        self._line(one_line(text), "note")

    def remark(self, text: str) -> None:
        """Show a notice while a reply is waited for, or stands half written."""
        self._progress.end()
        self._has_thought()
        if self._prose:
            self._write("\n")
        self.notice(text)

    def error(self, text: str) -> None:
        """Show what went wrong, in red and in one line of its own."""
        self.end()
        self._line(one_line(text), "error")

    def _show_note(self, note: Note) -> None:
        match note:
            case Picture(_, data):
                self.picture(data)
            case Verbatim(text):
                self._verbatim(visible(text))
            case Table(text, rows):
                self.note(text) if self._can.words else self._table(rows)
            case Bar() if not self._can.words:
                self.begin_paragraph()
                self._write(note.drawn(self.measure - 1) + "\n")
            case Copied(_, content, what):
                self._copy(content, what)
            case Note(text):
                self.note(text)

    def note(self, text: str) -> None:
        """Show text of several lines that was asked for, in a paragraph of its own; a line that is wrapped hangs."""
        lines = visible(text).split("\n")
        self._asked_for("\n".join(wrap(line.rstrip(), self.measure, 4) for line in lines))

    def picture(self, data: bytes) -> None:
        """Draw a picture as well as this terminal can; raises AdvreplError where that is not possible."""
        if not self._can.style:
            raise AdvreplError("this terminal shows no colors, and so no pictures")
        drawing = pictures.draw(data, pictures.Canvas.of(os.environ, self._out))
        self.begin_paragraph()
        self._write(drawing)

    def _table(self, rows: Iterable[tuple[str, str]]) -> None:
        self._asked_for(lay_out([(visible(first), visible(second)) for first, second in rows], self.measure))

    def _copy(self, content: str, what: str) -> None:
        """Put a text on the clipboard; a terminal that is asked for it does not say whether it has done so."""
        asked = clipboard.put(content)
        self._out.write(asked if self._can.cursor else "")
        self.notice(f"{what} is copied" + (", if your terminal allows it" if asked else ""))

    def _verbatim(self, text: str) -> None:
        """Leave the lines as they are: whoever copies them from the screen gets the text itself."""
        self._asked_for(text)

    def _asked_for(self, text: str) -> None:
        """Show a text in a paragraph of its own; in the player's pager if it is longer than the screen."""
        if self._can.cursor and text.count("\n") + 2 > self._height and page(text + "\n"):
            return
        self.begin_paragraph()
        self._write(text + "\n")

    # --- a reply

    def _thinks(self, tokens: int) -> None:
        """Count what the model thinks, in a dim line that the reply is written over; once where no line can be."""
        if not self._thinking:
            self._progress.end()
        if self._can.cursor:
            text = f"thinking… {tokens}"
            self._draw_over(self.theme.styled("note", text) if self._can.style else text)
        elif not self._thinking:
            self._draw_over("thinking…")
        self._thinking = True

    def _has_thought(self) -> None:
        if self._thinking and self._can.cursor:
            self._draw_over("")
        self._thinking = False

    def _piece(self, text: str) -> None:
        if self._prose is None:
            self.begin_paragraph()
            self._prose, text = StreamWrapper(self.measure), text.lstrip()
        self._prose.width = self.measure
        text = self._speech.feed(self._emphasis.feed(text)) if self._can.style else text
        self._write_prose(self._prose.feed(text))

    def _choice(self, number: int, text: str) -> None:
        if not self._choices:
            self.end()
            self.begin_paragraph()
            if self._can.words:
                self._line(words(YOU_CAN))
        self._choices += 1
        mark = f"{number}."
        if self._can.style:
            self._choice_in_style(mark, spoken(emphasized(one_line(text))))
        else:
            self._line(f"{mark} {one_line(text)}", indent=len(mark) + 1)

    def _choice_in_style(self, mark: str, text: str) -> None:
        text = wrap(f"{mark} {text}", self.measure, len(mark) + 1)
        self._write_prose(text.replace(mark, self.theme.styled("option", mark), 1) + "\n")

    def _slid(self, turns: int, first: str) -> None:
        before, after = "── memory now begins at “", f"” · {counted(turns)} no longer seen"
        if self._can.words:
            before = before.removeprefix("── ")
        room = max(self.measure - max_cells(before + after) - 1, LEAST_QUOTE)
        self.begin_paragraph()
        self._line(before + clip(one_line(first), room) + after, "memory")

    # --- writing

    def begin_paragraph(self) -> None:
        """Leave one empty line, and no more."""
        if not self._blank:
            self._write("\n")
            self._blank = True

    def _line(self, text: str, kind: str = "", indent: int = 0) -> None:
        text = wrap(text if self._can.style else unstyled(kind, text), self.measure, indent)
        self._write(self.theme.styled(kind, text) + "\n" if kind and self._can.style else text + "\n")

    def _write_prose(self, text: str) -> None:
        self._write(text.translate(self.theme.marks))

    def _write(self, text: str) -> None:
        if text:
            self._blank = False
        self._out.write(text)
        self._out.flush()

    def _draw_over(self, text: str) -> None:
        """Write a line over the one that was written this way; where there is no cursor to go back, add it."""
        if self._can.cursor:
            self._out.write("\r\x1b[K" + clip(text, self.width - 1))
        elif text:
            self._out.write(text + "\n")
        self._out.flush()
