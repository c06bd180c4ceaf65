"""The terminal lent to a program of the player's, his pager or his editor, and taken back when ours has to end.

Does not choose the program (pager.py, own_editor.py) and does not hear the signal (interrupts.py).
"""

import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from prompt_toolkit.key_binding import KeyPressEvent

_lent: list[subprocess.Popen[bytes]] = []
_over = False


def run(command: Sequence[str], data: bytes | None = None, environment: Mapping[str, str] | None = None) -> int:
    """Wait until it has ended, and return its exit code; raises OSError if it cannot be started."""
    if _over:
        return 1
    with subprocess.Popen(command, stdin=None if data is None else subprocess.PIPE, env=environment) as process:
        _lent.append(process)
        try:
            if _over:  # meanwhile
                process.terminate()
            process.communicate(data)
        finally:
            _lent.remove(process)
        return process.returncode


def take_back() -> None:
    """End what has the terminal, and lend it to nobody until `may_be_lent`. For a signal's handler."""
    global _over
    _over = True
    for process in _lent:
        process.terminate()


def may_be_lent() -> None:
    """Lend the terminal again: the program goes on after all."""
    global _over
    _over = False


def suspend(_: "KeyPressEvent") -> None:
    """Let the shell have the terminal, as Ctrl-Z does, and go on when it is ours again.

    Who is continued in the background is mostly ended: a terminal that is set before that is heard stops us again.
    """

    def stop() -> None:
        os.kill(0, signal.SIGTSTP)
        while _is_in_background():
            time.sleep(0.05)

    if hasattr(signal, "SIGTSTP"):
        from prompt_toolkit.application import run_in_terminal

        run_in_terminal(stop)


def leave_to_others() -> None:
    """Let go of a terminal in whose background we are: to set it, or to read, would stop us instead of ending us."""
    if _is_in_background():
        null = os.open(os.devnull, os.O_RDWR)
        for number in filter(os.isatty, (0, 1, 2)):
            os.dup2(null, number)
        os.close(null)


def _is_in_background() -> bool:
    with suppress(OSError, AttributeError):  # the terminal is gone, or there is no such thing on Windows
        return os.isatty(0) and os.tcgetpgrp(0) != os.getpgrp()
    return False
