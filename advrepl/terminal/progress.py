"""Progress in one line that is written over, once something takes long: the model being loaded, the prompt being read.

Does not know what is loaded or read, only how far it is.
"""

import threading
import time
from collections.abc import Callable
from typing import TextIO

PATIENCE = 1.0  # seconds without a word, after which a line says what is going on


def load_progress(err: TextIO) -> Callable[[float], None]:
    """Return a function that takes the share of the model that is loaded (0 to 1) and shows it."""
    started, shown = time.monotonic(), False

    def show(share: float) -> None:
        nonlocal shown
        if share >= 1 and shown:
            err.write("\r" + " " * 30 + "\r")
        elif share < 1 and time.monotonic() - started > PATIENCE:
            err.write(f"\rloading the model: {share:.0%}")
            shown = True
        err.flush()

    return show


class PrefillLine:
    """How far the model has read the prompt; gone before the first word comes.

    A timer shows it, since the engine may be busy with one batch for longer than that. `draw` puts a text into the
    line that is written over ("" wipes it); without `erases` the terminal cannot do that, and gets the line once.
    """

    def __init__(self, draw: Callable[[str], None], *, erases: bool) -> None:
        self._draw_line, self._erases = draw, erases
        self._lock = threading.Lock()  # for the timer's thread
        self._timer: threading.Timer | None = None
        self._shown = False
        self._done, self._total = 0, 0  # tokens

    def step(self, done: int, total: int) -> None:
        """Take how many tokens of how many are read."""
        if done >= total:
            self.end()
            return
        with self._lock:
            self._done, self._total = done, total
            if self._timer is None:
                self._timer = threading.Timer(PATIENCE, self._show)
                self._timer.daemon = True
                self._timer.start()
            elif self._shown and self._erases:
                self._draw()

    def end(self) -> None:
        """Wipe the line, if it was shown."""
        with self._lock:
            if self._timer:
                self._timer.cancel()
            if self._shown and self._erases:
                self._draw_line("")
            self._timer, self._shown = None, False

    def _show(self) -> None:
        with self._lock:
            if self._timer is not None:  # else it has just ended
                self._shown = True
                self._draw()

    def _draw(self) -> None:
        self._draw_line(f"reading {self._total} tokens: {100 * self._done // self._total}%")
