"""Ctrl-C while something is written or measured: the first one ends that and not the program.

Does not write replies; whoever does asks whether he was cancelled.
"""

import select
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import IO, Any, Literal, Self


class Interrupts:
    """The handler of Ctrl-C while this context is entered, in the main thread.

    In `writing` the first Ctrl-C cancels the work. Later ones cancel it again, and from `patience` seconds after the
    first on raise KeyboardInterrupt. In `reading` each raises it. One that comes between them would break off what
    nobody made to be broken off, as the start of a thread, so that it raises KeyboardInterrupt before the next
    `reading` and after the next `writing`; with `only_within` it is not heard at all.
    """

    def __init__(self, cancel: Callable[[], None], patience: float, *, only_within: bool = False) -> None:
        self._cancel, self._patience, self._only_within = cancel, patience, only_within
        self._doing: Literal["reading", "writing", "written", "nothing"] = "nothing"
        self._first = 0.0  # time.monotonic() of the first one since writing began
        self._late = False  # one came that is still to raise KeyboardInterrupt
        self.count = 0  # how often the work was cancelled since writing began

    def __enter__(self) -> Self:
        self._before = signal.signal(signal.SIGINT, self._heard)
        return self

    def __exit__(self, error: object, *_: object) -> None:
        signal.signal(signal.SIGINT, self._before)
        if not error:
            self._raise_late()

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

    def _raise_late(self) -> None:
        if self._late:
            self._late = False
            raise KeyboardInterrupt

    def _heard(self, _signal: int, _frame: object) -> None:
        if self._doing == "nothing":
            self._late = not self._only_within
            return
        if self._doing == "reading":
            raise KeyboardInterrupt
        if self._doing == "written" and not self.count:
            self._late = True
            return
        self.count += 1
        if self.count == 1:
            self._first = time.monotonic()
        elif time.monotonic() - self._first >= self._patience:
            raise KeyboardInterrupt
        self._cancel()


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
