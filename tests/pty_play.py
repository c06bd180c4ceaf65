"""The program in a real pseudo-terminal: type at it, see what a player would see. pexpect runs it, pyte shows it."""

import os
import select
import signal
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

import pexpect
import pyte

from tests import ROOT

PATIENCE = 90.0  # seconds; the machine may be busy
LOADS = ("loading the model", "the model reads")  # the toolbar of a story whose model is not there yet
ASKED = b"\x1b]11;?"  # which color the background has
KEYS = {"enter": "\r", "up": "\x1b[A", "down": "\x1b[B", "alt-enter": "\x1b\r", "tab": "\t"} | {
    f"ctrl-{letter}": chr(ord(letter) - ord("a") + 1) for letter in "abcdenpruz"
}


class Answering(pyte.HistoryScreen):
    """A screen that answers when it is asked where the cursor stands, as terminals do."""

    answer: Callable[[str], Any]

    def write_process_input(self, data: str) -> None:
        self.answer(data)


def with_a_story(arguments: Sequence[str]) -> list[str]:
    """Name the usual story where `play` has none: at a terminal it would show a list."""
    first, *rest = arguments or [""]
    return [first, *(["start"] if first == "play" and (not rest or rest[0].startswith("-")) else []), *rest]


class Terminal:
    """`advrepl` with these arguments, in a terminal of this size."""

    def __init__(
        self,
        *arguments: str,
        columns: int = 80,
        rows: int = 24,
        prepare: str = "pass",
        background: str = "",
        **environment: str,
    ) -> None:
        """`prepare`: Python that the program's process does first; `background`: a color that the terminal tells."""
        self._background = background
        self.screen = Answering(columns, rows, history=5000, ratio=0.5)
        self._stream = pyte.ByteStream(self.screen)
        self.raw = b""
        env = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        # The second: its background is told, and not asked for.
        env |= {"TERM": "xterm-256color", "COLORFGBG": "15;0", "LANG": "C.UTF-8", "PYTHONPATH": str(ROOT)} | environment
        self._draws = env["TERM"] != "dumb" and "--plain" not in arguments
        code = f"{prepare}; from advrepl.cli import main; main()"
        self.child = pexpect.spawn(
            sys.executable, ["-c", code, *arguments], env=env, dimensions=(rows, columns), timeout=PATIENCE
        )
        self.child.delaybeforesend = None
        self.screen.answer = self.child.send

    def __enter__(self) -> "Terminal":
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self.child.close(force=True)
        except pexpect.ExceptionPexpect:  # killed, and a busy machine takes longer than pexpect waits
            self.child.wait()

    def kill(self) -> None:
        """End it at once, however long a busy machine takes for that."""
        self.child.kill(signal.SIGKILL)
        self.child.wait()

    def type(self, text: str | bytes) -> None:
        """Send keys, and read what comes meanwhile: a program that cannot write does not read either."""
        data = text.encode() if isinstance(text, str) else text
        os.set_blocking(self.child.child_fd, False)
        while data:
            readable, writable, _ = select.select([self.child.child_fd], [self.child.child_fd], [], PATIENCE)
            if readable:
                self._read(0)
            if writable:
                with suppress(BlockingIOError):
                    data = data[os.write(self.child.child_fd, data[:512]) :]
            assert readable or writable, "the program neither reads nor writes"
        os.set_blocking(self.child.child_fd, True)

    def press(self, *keys: str) -> None:
        for key in keys:
            self.child.send(KEYS[key])

    def line(self, text: str) -> None:
        self.type(text)
        self.press("enter")

    def paste(self, text: str | bytes) -> None:
        """As terminals do it that were asked to tell pasted text from typed text."""
        data = text.encode() if isinstance(text, str) else text
        self.type(b"\x1b[200~" + data + b"\x1b[201~")

    def resize(self, columns: int, rows: int) -> None:
        self.screen.resize(rows, columns)
        self.child.setwinsize(rows, columns)

    @property
    def lines(self) -> list[str]:
        """What stands on the screen."""
        return [line.rstrip() for line in self.screen.display]

    @property
    def scrollback(self) -> list[str]:
        """What has left the screen at its top."""
        return ["".join(row[x].data for x in range(self.screen.columns)).rstrip() for row in self.screen.history.top]

    @property
    def text(self) -> str:
        """Everything since the start, in one line, so that it does not matter where it was wrapped."""
        return " ".join(" ".join([*self.scrollback, *self.lines]).split())

    def until(self, what: str | Callable[[], object], patience: float = PATIENCE) -> None:
        """Read until it is there: a text, or whatever a function finds."""
        there = (lambda: what in self.text) if isinstance(what, str) else what
        end = time.monotonic() + patience
        while not there():
            assert time.monotonic() < end, f"{what} never came:\n" + "\n".join([*self.scrollback, *self.lines])
            try:
                self._read(0.1)
            except pexpect.EOF:
                assert there(), f"{what} never came, and the program has ended:\n" + "\n".join(self.lines)

    def wait(self, seconds: float) -> None:
        """Read for so long."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self._read(left)

    def ready(self) -> None:
        """Read until the program waits for a line, on a model that is loaded: the last thing is an empty prompt."""
        self.until(lambda: self.prompts() and self._is_loaded())

    def prompts(self) -> bool:
        """Tell whether the last thing on the screen is an empty prompt."""
        return self.lines[self.screen.cursor.y].startswith(">") and self.screen.cursor.x == 2

    def _is_loaded(self) -> bool:
        """The toolbar, which comes a moment after the prompt, tells of a model that is loaded; where there is one."""
        below = "".join(self.lines[self.screen.cursor.y + 1 :])
        return not self._draws or (bool(below) and not any(told in below for told in LOADS))

    def menus(self) -> int:
        """Count the third options that were shown: by rows, as a model of random weights may write "3. " anywhere."""
        return sum(row.startswith("3. ") for row in [*self.scrollback, *self.lines])

    def replied(self, times: int) -> None:
        """Read until so many replies with three options were shown, and the program waits for a line again."""
        self.until(lambda: self.menus() >= times)
        self.ready()

    def left(self) -> int:
        """Read until the program has ended; its exit code."""
        end = time.monotonic() + PATIENCE
        while True:
            assert time.monotonic() < end, "the program does not end:\n" + "\n".join(self.lines)
            try:
                self._read(1)
            except pexpect.EOF:
                break
        while self.child.isalive():  # its terminal is gone, and a busy machine may take a moment longer
            assert time.monotonic() < end, "the program closed its terminal and does not end"
            time.sleep(0.01)
        self.child.close()
        return int(self.child.exitstatus if self.child.exitstatus is not None else -self.child.signalstatus)

    def _read(self, seconds: float) -> None:
        try:
            data = self.child.read_nonblocking(1 << 16, timeout=seconds)
        except pexpect.TIMEOUT:
            return
        self.raw += data
        if ASKED in data and self._background:
            self.child.send(f"\x1b]11;rgb:{self._background}\x1b\\")
        self._stream.feed(data)
