"""While the player waits: Ctrl-C that ends a reply and not the program, and a line that shows a model being loaded.

Does not write replies.
"""

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO

PATIENCE = 1.0  # seconds without a word; what is done by then needs no progress line


@contextmanager
def stoppable(cancel: Callable[[], None]) -> Iterator[None]:
    """While a reply is written Ctrl-C ends the reply; a second one ends the program."""
    pressed = False

    def on_interrupt(_signal: int, _frame: object) -> None:
        nonlocal pressed
        if pressed:
            raise KeyboardInterrupt
        pressed = True
        cancel()

    before = signal.signal(signal.SIGINT, on_interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def loading(err: TextIO) -> Callable[[float], None]:
    """A function that is told the share that is loaded (0 to 1), and shows it in one line once it takes long."""
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
