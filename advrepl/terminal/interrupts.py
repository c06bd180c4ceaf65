"""Ctrl-C while something is written or measured: the first one ends that and not the program. And the signals that
do end it, once what was written is kept.

Does not write replies; whoever does asks whether he was cancelled.
"""

import select
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import IO, Any, Literal, Self, TypeVar

from advrepl.terminal import lent

E = TypeVar("E")


# The system is shut down; the window or the connection is closed.
ENDS = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name))


class Interrupts:
    """The handler of Ctrl-C, and of what ends the program, while this context is entered, in the main thread.

    In `writing` the first Ctrl-C cancels the work. Later ones cancel it again, and from `patience` seconds after the
    first on raise KeyboardInterrupt. In `reading` each raises it. One that comes between them would break off what
    nobody made to be broken off, as the start of a thread, so that it raises KeyboardInterrupt before the next
    `reading` and after the next `writing`; with `only_within` it is not heard at all. SIGTERM and SIGHUP cancel the
    work, and raise SystemExit where a Ctrl-C would raise KeyboardInterrupt; a prompt is ended first.

    Within another context of its kind it hears at once what that one has still to raise.
    """

    def __init__(self, cancel: Callable[[], None], patience: float, *, only_within: bool = False) -> None:
        self._cancel, self._patience, self._only_within = cancel, patience, only_within
        self._doing: Literal["reading", "prompting", "writing", "written", "nothing"] = "nothing"
        self._first = 0.0  # time.monotonic() of the first one since writing began
        self._late: BaseException | None = None  # one came that is still to raise this
        self._end_prompt: Callable[[], bool] = lambda: False  # of the prompt that is read from
        self.count = 0  # how often the work was cancelled since writing began

    def __enter__(self) -> Self:
        self._before = {signal.SIGINT: signal.signal(signal.SIGINT, self._heard)}
        self._before |= {number: signal.signal(number, self._ended) for number in ENDS}
        outer = getattr(self._before[signal.SIGINT], "__self__", None)
        if isinstance(outer, Interrupts):
            self._late, outer._late = outer._late or self._late, None
        return self

    def __exit__(self, error: object, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        lent.may_be_lent()
        if not error:
            self._raise_late()

    @property
    def reason(self) -> BaseException:
        """Return what is raised for the work that was cancelled."""
        return self._late or KeyboardInterrupt()

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Let Ctrl-C cancel what is done meanwhile."""
        self.count, self._doing = 0, "writing"
        try:
            yield
        finally:
            self._doing = "nothing"
        self._raise_late()

    def is_written(self) -> None:
        """Tell that nothing is left to cancel: the rest is done, and a Ctrl-C raises KeyboardInterrupt after it."""
        self._doing = "written"

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Let Ctrl-C raise KeyboardInterrupt; may be asked for while something is written."""
        before, self._doing = self._doing, "reading"
        try:
            self._raise_late()
            yield
        finally:
            self._doing = before

    @contextmanager
    def prompting(self, end_prompt: Callable[[], bool]) -> Iterator[None]:
        """Leave Ctrl-C to a prompt and hear the end of the program, by which `end_prompt` ends it if it is running."""
        self._doing, self._end_prompt = "prompting", end_prompt
        try:
            self._raise_late()
            yield
        finally:
            self._doing = "nothing"
            self._raise_late()

    def _raise_late(self) -> None:
        if late := self._late:
            self._late = None
            raise late

    def _heard(self, _signal: int, _frame: object) -> None:
        if self._doing in ("nothing", "prompting"):
            if not self._only_within:
                self._late = self._late or KeyboardInterrupt()
            return
        if self._doing == "reading":
            raise KeyboardInterrupt
        if self._doing == "written" and not self.count:
            self._late = self._late or KeyboardInterrupt()
            return
        self.count += 1
        if self.count == 1:
            self._first = time.monotonic()
        elif time.monotonic() - self._first >= self._patience:
            raise KeyboardInterrupt
        self._cancel()

    def _ended(self, number: int, _frame: object) -> None:
        self._late = SystemExit(128 + number)
        lent.leave_to_others()
        lent.take_back()
        if self._doing == "reading" or (self._doing == "prompting" and not self._end_prompt()):
            self._raise_late()
        if self._doing == "writing":
            self.count += 1
            self._cancel()


@contextmanager
def closed(events: Iterator[E]) -> Iterator[Iterator[E]]:
    """Let a generator end with this context, and not when somebody comes to collect it: it may have words to keep."""
    try:
        yield events
    finally:
        getattr(events, "close", lambda: None)()


def ask_line(question: str) -> str:
    """Return the line that a terminal edits itself; raises EOFError at the end of the input.

    `input` hears a signal after another with the first one's error set, which Python ends in a SystemError.
    """
    print(end=question, flush=True)
    await_line(sys.stdin)
    if not (line := sys.stdin.readline()):
        raise EOFError
    return line


def await_line(lines: IO[Any]) -> None:
    """Wait until there is something to read, which no buffer has yet, and hear each Ctrl-C meanwhile.

    Python's `input` and `readline` do not hear one that comes just before they wait: it is handled when they are done.
    """
    woken, wakes = socket.socketpair()
    with woken, wakes:
        wakes.setblocking(False)
        before = -1
        try:  # from here on: a Ctrl-C may come before the next line, and then no closed socket must be written to
            before = signal.set_wakeup_fd(wakes.fileno(), warn_on_full_buffer=False)
            with suppress(OSError, ValueError):  # on Windows only sockets can be waited for
                line, wake = lines.fileno(), woken.fileno()
                while line not in select.select([line, wake], [], [])[0]:
                    woken.recv(1)
        finally:
            signal.set_wakeup_fd(before)
