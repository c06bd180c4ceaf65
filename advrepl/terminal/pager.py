"""Long output through the player's pager ($PAGER), as git shows it; without one it goes to the scrollback.

Does not decide what is long; screen.py does.
"""

import os
import shlex
import signal
from collections.abc import Iterator
from contextlib import contextmanager

from advrepl.terminal import lent

LESS = "FRX"  # leave at once what fits, keep colors, leave the text on the screen: git's choice


def page(text: str) -> bool:
    """Show a text in $PAGER and wait until the player leaves it; False: there is none, or it cannot be run."""
    try:
        command = shlex.split(os.environ.get("PAGER", ""))
    except ValueError:  # a quotation that does not end
        return False
    if not command or command == ["cat"]:
        return False
    environment = {"LESS": LESS, **os.environ}
    with _interrupts_ignored():
        try:
            lent.run(command, text.encode("utf-8", "replace"), environment)
        except OSError:
            return False
    return True


@contextmanager
def _interrupts_ignored() -> Iterator[None]:
    """A Ctrl-C in the pager is the pager's."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
