"""Play without a terminal: each input line is a turn or a /command, the reply is plain text or JSON lines.

The JSON events and the exit codes are a contract with other programs (docs/design.md, "The command line").
"""

import json
import sys
from collections.abc import Iterable, Iterator
from typing import IO, Protocol, TextIO

from advrepl import AdvreplError, garbage
from advrepl.play.events import Event, Note, Reply, Slid
from advrepl.play.game import Game
from advrepl.play.reply import Option, Piece
from advrepl.play.thoughts import Thought
from advrepl.story.tree import counted
from advrepl.terminal import commands
from advrepl.terminal.interrupts import Interrupts, await_line, closed
from advrepl.terminal.lines import understood_in
from advrepl.terminal.text import visible


class Output(Protocol):
    """Where events go."""

    def ready(self, game: Game, opening: bool) -> None:
        """Tell what is played; `opening`: a reply follows before any input is read."""

    def event(self, event: Event) -> None:
        """Pass on what has happened in the game."""

    def error(self, text: str) -> None:
        """Tell what went wrong; the story goes on."""

    def notice(self, text: str) -> None:
        """Tell what the program has to say by itself."""


class PlainOutput:
    """Prose and numbered options on stdout, everything else on stderr."""

    def __init__(self, out: TextIO, err: TextIO) -> None:
        self._out, self._err = out, err

    def ready(self, game: Game, opening: bool) -> None:
        """Say what is played and where it is kept, before anything else; `opening`: a reply follows by itself."""
        self.notice(f"{game.title} on {game.engine.name}, kept in {game.file.path}")

    def event(self, event: Event) -> None:
        """Show one event of the game."""
        match event:
            case Piece(text):
                self._write(text)
            case Reply(_, options, _):
                menu = "".join(f"\n{number}. {option}" for number, option in enumerate(options, 1))
                self._write(menu + "\n\n")
            case Slid(turns, _):
                self.notice(f"{counted(turns)} no longer seen by the model")
            case Note(text):
                self.notice(text)
            case Option() | Thought():
                pass  # comes again with the whole reply; /think shows thoughts

    def error(self, text: str) -> None:
        """Say what went wrong; the story goes on."""
        self.notice(text)

    def notice(self, text: str) -> None:
        """Say what the program has to say, in one line."""
        self._err.write(visible(text) + "\n")
        self._err.flush()

    def _write(self, text: str) -> None:
        self._out.write(visible(text))
        self._out.flush()


class JsonOutput:
    """One JSON object a line on stdout, as it happens."""

    def __init__(self, out: TextIO) -> None:
        self._out = out

    def ready(self, game: Game, opening: bool) -> None:
        """Say what is played and where it is kept, before anything else; `opening`: a reply follows by itself."""
        window = {"context": game.engine.n_ctx, "opening": opening}
        self._send("ready", save=str(game.file.path), model=game.engine.name, format=game.format.name, **window)

    def event(self, event: Event) -> None:
        """Show one event of the game."""
        match event:
            case Piece(text):
                self._send("piece", text=text)
            case Reply(text, options, stats):
                self._send("reply", text=text, options=options, stats=stats)
            case Note(text):
                self._send("note", text=text)
            case Thought(_, tokens):
                self._send("thinking", tokens=tokens)
            case Option() | Slid():
                pass  # in the reply and its stats

    def error(self, text: str) -> None:
        """Say what went wrong; the story goes on."""
        self._send("error", text=text)

    def notice(self, text: str) -> None:
        """Say what the program has to say, in one line."""
        self._send("note", text=text)

    def _send(self, event: str, **fields: object) -> None:
        self._out.write(json.dumps({"event": event, **fields}) + "\n")
        self._out.flush()


def play(game: Game, output: Output, lines: IO[bytes], opening: bool, notices: Iterable[str] = ()) -> int:
    """Play until the input ends or /quit; returns the exit code. KeyboardInterrupt: Ctrl-C that no reply has taken."""
    with Interrupts(game.cancel, patience=0) as interrupts:
        game.tell = output.notice
        output.ready(game, opening)
        for notice in notices:
            output.notice(notice)
        if opening:
            _show(game.open(), output, interrupts)
        while raw := _line(game, lines, interrupts):
            garbage.in_play()
            line = understood_in(game, _decode(raw, output))
            try:
                _show(commands.answer(game, line), output, interrupts)
            except commands.Quit as quit:
                if not quit.then:
                    break
                output.error(f"/{quit.then.kind} {quit.then.name}: leave, and start again with that")
    if remark := game.leave() or game.store_kv():
        output.notice(remark)
    return 0


def _line(game: Game, lines: IO[bytes], interrupts: Interrupts) -> bytes:
    """The next line; empty at the end of the input. The player reads meanwhile, if there is one."""
    game.start_prefetch()
    try:
        with interrupts.reading():
            await_line(lines)
            return lines.readline()
    finally:
        game.pause_prefetch()


def _show(events: Iterator[Event], output: Output, interrupts: Interrupts) -> None:
    try:
        with closed(events), interrupts.writing():
            for event in events:
                if isinstance(event, Reply):
                    interrupts.is_written()  # before it is seen: whoever has read it may press Ctrl-C at once
                output.event(event)
    except AdvreplError as error:
        output.error(str(error))


def _decode(raw: bytes, output: Output) -> str:
    try:
        return raw.decode("utf-8").rstrip("\r\n")
    except UnicodeDecodeError:
        output.notice("this line is not UTF-8; what cannot be read is replaced by \N{REPLACEMENT CHARACTER}")
        return raw.decode("utf-8", "replace").rstrip("\r\n")


def unbuffered_input() -> IO[bytes]:
    """Return the program's input: bytes, since it may not be UTF-8, and no buffer before which `await_line` waits."""
    return open(sys.stdin.fileno(), "rb", buffering=0, closefd=False)
