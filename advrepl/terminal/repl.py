"""Play at a terminal: read a line, show what comes of it, until the player leaves.

Nothing else ends the loop: errors are shown, Ctrl-C ends a reply or clears the line.
"""

import os
import shlex
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from types import FrameType
from typing import Self, TextIO

from advrepl import AdvreplError, paths
from advrepl.play.events import Event, Reply
from advrepl.play.game import Game
from advrepl.play.writer import Piece
from advrepl.prompt import options as menu
from advrepl.terminal import commands
from advrepl.terminal.commands import Quit, portrait
from advrepl.terminal.editor import Editor, LineEditor, PlainEditor
from advrepl.terminal.screen import Abilities, Screen

# Seconds after the first Ctrl-C from which on another one no longer waits for the reply to be saved.
UNHEARD = 10.0


def play(game: Game, *, opening: bool, notices: Sequence[str] = ()) -> int:
    """Play until the player leaves; returns the exit code. KeyboardInterrupt: Ctrl-C twice, and all is saved."""
    for stream in (sys.stdin, sys.stdout):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="surrogateescape" if stream is sys.stdin else "replace")
    abilities = Abilities.of(dict(os.environ))
    # With a line editor the terminal never edits lines: a Ctrl-D that it took by itself between two of them were lost.
    with Interrupts(game.cancel) as interrupts, quiet_keys(sys.stdin) if abilities.cursor else nullcontext():
        editor: Editor = PlainEditor(interrupts.reading)
        if abilities.cursor:
            editor = LineEditor(game, paths.history(), style=abilities.style)
        repl = Repl(game, Screen(sys.stdout, abilities), editor, interrupts)
        repl.greet(notices)
        repl.picture()
        try:
            if opening:
                repl.follow(game.open())
            else:
                repl.recall()
            repl.loop()
        finally:
            code = repl.leave()
    return code


class Interrupts:
    """Ctrl-C while a story is played: ends the reply that is being written, and is not heard between replies."""

    def __init__(self, cancel: Callable[[], None]) -> None:
        self._cancel = cancel
        self._writing = self._reading = False
        self._first = 0.0  # when the first one of this reply came
        self.count = 0  # during this reply

    def __enter__(self) -> Self:
        self._before = signal.signal(signal.SIGINT, self._heard)
        return self

    def __exit__(self, *_: object) -> None:
        signal.signal(signal.SIGINT, self._before)

    @contextmanager
    def writing(self) -> Iterator[None]:
        self.count, self._writing = 0, True
        try:
            yield
        finally:
            self._writing = False

    @contextmanager
    def reading(self) -> Iterator[None]:
        self._reading = True
        try:
            yield
        finally:
            self._reading = False

    def _heard(self, _signal: int, _frame: FrameType | None) -> None:
        if self._reading:
            raise KeyboardInterrupt
        if self._writing:
            self.count += 1
            if self.count == 1:
                self._first = time.monotonic()
            elif time.monotonic() - self._first > UNHEARD:
                raise KeyboardInterrupt
            self._cancel()


class Repl:
    """A game at a terminal."""

    def __init__(self, game: Game, screen: Screen, editor: Editor, interrupts: Interrupts) -> None:
        self._game, self._screen, self._editor, self._interrupts = game, screen, editor, interrupts
        game.feeding = screen.feeding

    def greet(self, notices: Sequence[str]) -> None:
        self._screen.heading(f"{self._game.title} · {self._game.engine.name}")
        self._screen.notice(f"kept in {self._game.file.path}")
        self._screen.notice("/help lists commands and keys, Ctrl-D leaves")
        for notice in notices:
            self._screen.notice(notice)

    def picture(self) -> None:
        """The character's picture, if there is one and this terminal can show it."""
        if data := portrait.opening(self._game):
            with suppress(AdvreplError):  # nobody asked for it; /portrait says what is wrong
                self._screen.picture(data)

    def recall(self) -> None:
        """Where the story stood when it was left."""
        told = self._game.story.told(max(len(self._game.story.path) - 2, 0))
        for turn in told:
            if turn.role == "user":
                self._screen.paragraph()
                self._screen.said(turn.text)
            else:
                self._screen.show(Piece(menu.split(turn.text)[0]))
                self._screen.show(Reply("", self._game.options(), {}))
        if told and told[-1].role == "user":
            self._screen.notice("there is no reply yet: /retry asks for one")

    def loop(self) -> None:
        """Take lines until the player leaves."""
        while True:
            self._screen.paragraph()
            self._game.look_ahead()
            try:
                line = self._editor.read()
            except KeyboardInterrupt:
                self._screen.entered()
                continue
            except EOFError:
                return
            finally:
                self._game.rest()
            self._screen.entered()
            try:
                self._take(self._readable(line))
            except Quit:
                return

    def follow(self, events: Iterator[Event]) -> None:
        """Show events as they happen; errors are one line, and Ctrl-C ends the reply."""
        try:
            with self._interrupts.writing(), quiet_keys(sys.stdin):
                for event in events:
                    self._screen.show(event)
        except AdvreplError as error:
            self._screen.error(str(error))
        finally:
            self._screen.end()
        if self._interrupts.count:
            self._screen.notice(self._how_to_go_on())
        if self._interrupts.count > 1:
            raise KeyboardInterrupt

    def leave(self) -> int:
        """Save, and say where the story lies."""
        try:
            self._game.save()
        except AdvreplError as error:
            self._screen.error(str(error))
            return 1
        path = self._game.file.path
        self._screen.notice(f"The story is kept in {path}. Go on with: {resume_command(path)}")
        if remark := self._game.keep():
            self._screen.notice(remark)
        return 0

    def _take(self, line: str) -> None:
        if not line.strip():
            return
        if commands.is_command(line):
            self.follow(commands.run(self._game, line))
            return
        chosen = self._game.chosen(line)
        if chosen != line.strip():
            self._screen.said(chosen)
        self.follow(self._game.act(line))

    def _readable(self, line: str) -> str:
        """Bytes that are not UTF-8 come as lone surrogates, which neither a model nor a save can hold."""
        text = "".join("�" if "\ud800" <= char <= "\udfff" else char for char in line)
        if text != line:
            self._screen.notice("what was not UTF-8 in this line is replaced by �")
        return text

    def _how_to_go_on(self) -> str:
        last = self._game.story.last
        if last and last.role == "model":
            return "stopped; /continue goes on from here, /retry begins the reply again"
        return "stopped before the first word; /retry asks again, /undo takes your line back"


def resume_command(path: Path) -> str:
    """What to type to come back to a story."""
    command = f"advrepl resume {shlex.quote(path.stem)}"
    usual = os.environ.get("ADVREPL_SAVES")
    folder = paths.saves_folder(Path(usual) if usual else None)
    return (
        command if folder.resolve() == path.parent.resolve() else f"{command} --saves {shlex.quote(str(path.parent))}"
    )


@contextmanager
def quiet_keys(stdin: TextIO) -> Iterator[None]:
    """Keys that are pressed meanwhile are not echoed into the prose; they wait for the prompt. Ctrl-C still works."""
    try:
        import termios

        fd = stdin.fileno()
        before = termios.tcgetattr(fd)
    except (ImportError, OSError, ValueError, termios.error):
        yield  # no such terminal
        return
    during = [*before]
    during[3] &= ~(termios.ECHO | termios.ICANON)
    termios.tcsetattr(fd, termios.TCSANOW, during)
    try:
        yield
    finally:
        termios.tcsetattr(fd, termios.TCSANOW, before)
