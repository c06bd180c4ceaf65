"""Ctrl-C while something is written or measured: the first one ends that and not the program.

Does not write replies; whoever does asks whether he was cancelled.
"""

import select
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Literal, Self, TextIO


class Interrupts:
    """The handler of Ctrl-C while this context is entered, in the main thread.

    In `writing` the first Ctrl-C cancels the work. Later ones cancel it again, and from `patience` seconds after the
    first on raise KeyboardInterrupt. In `reading` each raises it, at any other time too unless `only_within` is set:
    then none is heard there.
    """

    def __init__(self, cancel: Callable[[], None], patience: float, *, only_within: bool = False) -> None:
        self._cancel, self._patience, self._only_within = cancel, patience, only_within
        self._doing: Literal["reading", "writing", "written", "nothing"] = "nothing"
        self._first = 0.0  # time.monotonic() of the first one since writing began
        self._late = False  # one came when all was written
        self.count = 0  # how often the work was cancelled since writing began

    def __enter__(self) -> Self:
        self._before = signal.signal(signal.SIGINT, self._heard)
        return self

    def __exit__(self, *_: object) -> None:
        signal.signal(signal.SIGINT, self._before)

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Let Ctrl-C cancel what is done meanwhile."""
        self.count, self._late, self._doing = 0, False, "writing"
        try:
            yield
        finally:
            self._doing = "nothing"
        if self._late:
            raise KeyboardInterrupt

    def is_written(self) -> None:
        """Tell that nothing is left to cancel: the rest is done, and a Ctrl-C raises KeyboardInterrupt after it."""
        self._doing = "written"

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Let Ctrl-C raise KeyboardInterrupt."""
        self._doing = "reading"
        try:
            yield
        finally:
            self._doing = "nothing"

    def _heard(self, _signal: int, _frame: object) -> None:
        if self._doing == "nothing" and self._only_within:
            return
        if self._doing in ("nothing", "reading"):
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


def await_line(stdin: TextIO) -> None:
    """Wait until the terminal has a line, and hear each Ctrl-C meanwhile.

    Python's `input` and `readline` do not hear one that comes just before they wait: it is handled when they are done.
    """
    woken, wakes = socket.socketpair()
    with woken, wakes:
        wakes.setblocking(False)
        before = signal.set_wakeup_fd(wakes.fileno(), warn_on_full_buffer=False)
        try:
            with suppress(OSError, ValueError):  # on Windows only sockets can be waited for
                line, wake = stdin.fileno(), woken.fileno()
                while line not in select.select([line, wake], [], [])[0]:
                    woken.recv(1)
        finally:
            signal.set_wakeup_fd(before)
