"""Threads that can be waited for where a signal may raise."""

import threading
from collections.abc import Callable


class Worker(threading.Thread):
    """A thread that has ended when `join` returns, or `is_alive` says so, and not before.

    Python 3.11 and 3.12 take a thread for ended whose `join` a signal's handler breaks off by an exception. Then memory
    in which llama.cpp still computes would be given back.
    """

    def __init__(self, work: Callable[[], None], name: str, *, daemon: bool = False) -> None:
        super().__init__(name=name, daemon=daemon)
        self._work, self._over = work, threading.Event()

    def run(self) -> None:
        """Do what the thread is for."""
        try:
            self._work()
        finally:
            self._over.set()

    def join(self, timeout: float | None = None) -> None:
        """Wait until it has ended, if it has begun, or so many seconds."""
        if self.ident is not None and self._over.wait(timeout):
            super().join()  # a moment

    def is_alive(self) -> bool:
        """Tell whether it has begun and not ended."""
        return self.ident is not None and not self._over.is_set()
