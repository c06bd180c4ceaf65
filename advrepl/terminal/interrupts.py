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
def stoppable(cancel: Callable[[], None]) -> Iterator[Callable[[], None]]:
    """While a reply is written Ctrl-C ends the reply; a second one ends the program.

    To be told when the reply is written: what is left to do then is done, and Ctrl-C ends the program after it.
    """
    pressed = written = late = False

    def on_interrupt(_signal: int, _frame: object) -> None:
        nonlocal pressed, late
        if pressed:
            raise KeyboardInterrupt
        if written:
            late = True
            return
        pressed = True
        cancel()

    def is_written() -> None:
        nonlocal written
        written = True

    before = signal.signal(signal.SIGINT, on_interrupt)
    try:
        yield is_written
    finally:
        signal.signal(signal.SIGINT, before)
    if late:
        raise KeyboardInterrupt


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
