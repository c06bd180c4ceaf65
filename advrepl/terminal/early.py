"""Keys that were pressed before there was a prompt for them: they wait in its line, and none of them sends it.

Does not say what a key does; that is editor.py.
"""

import os
import select
import signal
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO

from prompt_toolkit.input import Input, create_input
from prompt_toolkit.input.typeahead import get_typeahead, store_typeahead
from prompt_toolkit.input.vt100_parser import Vt100Parser
from prompt_toolkit.key_binding import KeyPress
from prompt_toolkit.keys import Keys

from advrepl.terminal.text import visible

SETTLE = 0.01  # seconds in which the rest of a paste comes, of which the terminal holds only 4 KB at a time
ENTER = (Keys.ControlM, Keys.ControlJ)  # the second where the terminal makes newlines of carriage returns
CTRL_D = b"\x04"
MARK_PASTES, LEAVE_PASTES = "\x1b[?2004h", "\x1b[?2004l"


def hold(keyboard: Input) -> None:
    """Let prompt_toolkit's next prompt begin with the keys that were pressed until now, as text that waits."""
    store_typeahead(keyboard, unsent(_waiting_keys(keyboard)))


def unsent(keys: Iterable[KeyPress]) -> list[KeyPress]:
    """Return the keys without Enter; between two lines of text there is a line break in its place."""
    kept: list[KeyPress] = []
    breaks, begun = 0, False
    for key in keys:
        if key.key in ENTER:
            breaks += begun
            continue
        if _is_text(key):
            kept += [KeyPress(Keys.BracketedPaste, "\n" * breaks)] if breaks else []
            breaks, begun = 0, True
        kept.append(key)
    return kept


def drop(stdin: TextIO) -> bool:
    """Read what a terminal that edits lines itself was given until now; is anything lost? EOFError: Ctrl-D alone."""
    early = b""
    while not early.endswith(CTRL_D) and is_waiting(stdin.fileno()):
        early += os.read(stdin.fileno(), 4096) or CTRL_D
    if early.strip() == CTRL_D:
        raise EOFError
    return bool(early.strip())


@contextmanager
def pastes_marked(out: TextIO) -> Iterator[None]:
    """Let the terminal mark what is pasted also where there is no prompt, so that a paste never sends lines."""
    try:
        print(end=MARK_PASTES, file=out, flush=True)
        yield
    finally:
        with suppress(OSError):  # the terminal may be gone
            print(end=LEAVE_PASTES, file=out, flush=True)


@contextmanager
def keys_unechoed(stdin: TextIO) -> Iterator[bool]:
    """Keep keys that are pressed meanwhile out of the prose; they wait for the prompt. Ctrl-C still works.

    Yields whether the terminal lets one do so. Also after a Ctrl-Z: a shell gives its own settings to what goes on in
    the foreground.
    """
    try:
        import termios
    except ImportError:  # on Windows
        yield False
        return
    try:
        fd = stdin.fileno()
        before = termios.tcgetattr(fd)
    except (OSError, ValueError, termios.error):
        yield False  # no such terminal
        return
    during = [*before]
    during[3] &= ~(termios.ECHO | termios.ICANON)

    def again(*_: object) -> None:
        with suppress(OSError, termios.error):  # the terminal may be gone
            if os.tcgetpgrp(fd) == os.getpgrp():  # in the background it would be stopped for it
                termios.tcsetattr(fd, termios.TCSANOW, during)

    termios.tcsetattr(fd, termios.TCSANOW, during)
    was = signal.signal(signal.SIGCONT, again)
    try:
        yield True
    finally:
        signal.signal(signal.SIGCONT, was)
        with suppress(OSError, termios.error):
            termios.tcsetattr(fd, termios.TCSANOW, before)


@contextmanager
def hidden_again(question: str) -> Iterator[None]:
    """Let what getpass has asked for stay hidden after a Ctrl-Z, too: the shell sets the terminal to show keys."""
    try:
        import termios

        shown = Path("/dev/tty").open("w", encoding="utf-8", errors="replace")  # noqa: SIM115
        terminal = shown.fileno()
    except (ImportError, OSError):  # on Windows; without a terminal
        yield
        return

    def again(*_: object) -> None:
        with suppress(OSError, termios.error):
            if os.tcgetpgrp(terminal) == os.getpgrp():
                during = termios.tcgetattr(terminal)
                during[3] &= ~termios.ECHO
                termios.tcsetattr(terminal, termios.TCSANOW, during)
                shown.write(visible(question))
                shown.flush()

    was = signal.signal(signal.SIGCONT, again)
    try:
        yield
    finally:
        signal.signal(signal.SIGCONT, was)
        shown.close()


def put_back(typed: bytes) -> None:
    """Let the next prompt begin with these keys, which were taken from the terminal."""
    if typed:
        keys: list[KeyPress] = []
        parser = Vt100Parser(keys.append)
        parser.feed_and_flush(typed.decode(errors="surrogateescape"))
        keyboard = create_input()
        store_typeahead(keyboard, [*get_typeahead(keyboard), *keys])


def is_waiting(file: int, seconds: float = 0) -> bool:
    """Tell whether there is something to be read, or comes within so many seconds."""
    try:
        return bool(select.select([file], [], [], seconds)[0])
    except (OSError, ValueError):  # on Windows only sockets can be waited for
        return False


def _is_text(key: KeyPress) -> bool:
    return not isinstance(key.key, Keys) or key.key is Keys.BracketedPaste


def _waiting_keys(keyboard: Input) -> list[KeyPress]:
    keys, patience = get_typeahead(keyboard), 0.0
    while not keyboard.closed and is_waiting(keyboard.fileno(), patience):
        keys += keyboard.read_keys()
        patience = SETTLE
    return keys + keyboard.flush_keys()  # Escape, which may begin another key, is one itself
