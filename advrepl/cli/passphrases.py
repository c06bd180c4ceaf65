"""The passphrases of encrypted stories: from the environment, else asked at a terminal, where nobody sees them.

Does not know how a story is encrypted (story/crypt.py).
"""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from advrepl import AdvreplError

if TYPE_CHECKING:
    from advrepl.story.crypt import Lock

VARIABLE, NEW = "ADVREPL_PASSPHRASE", "ADVREPL_NEW_PASSPHRASE"  # each also as …_FILE, which names a file
LONGEST = 4096  # bytes of such a file

Secret = Callable[[str], str]  # asks for a line that is not shown
_given: dict[str, str] = {}  # of the environment, from which they are taken out: no program that is started has them


def hidden(question: str) -> str:
    """Ask for a line that is not shown; at the end of the input it is empty."""
    from getpass import getpass

    from advrepl.terminal.early import hidden_again
    from advrepl.terminal.text import visible

    try:
        with hidden_again(f"{question} "):
            return getpass(visible(f"{question} "))
    except EOFError:
        print()
        return ""


def unlock(path: Path, secret: Secret | None = None) -> None:
    """Open the lock of a story if it is encrypted; raises AdvreplError for a wrong passphrase, or if there is none.

    `secret` asks somebody at a terminal; None: it is found out whether somebody is there.
    """
    from advrepl.story import crypt
    from advrepl.story.saves import backup_of

    locked = [each for each in (path, backup_of(path)) if crypt.is_encrypted_file(each)]
    if not locked or any(map(crypt.is_open, locked)):
        return
    passphrase = _passphrase(VARIABLE, f"Passphrase of {path.stem}:", secret)
    refused = list[AdvreplError]()
    for each in locked:
        try:
            crypt.unlock(each, passphrase)
        except AdvreplError as error:  # the lock of one may be damaged
            refused.append(error)
    if len(refused) == len(locked):
        raise refused[0]


def new_lock(secret: Secret | None = None, variable: str = VARIABLE) -> "Lock":
    """Return a lock under a new passphrase, for which somebody at a terminal is asked twice."""
    from advrepl.story import crypt

    passphrase = _passphrase(variable, "New passphrase:", secret)
    asked = variable not in _given
    if asked and passphrase and (secret or hidden)("The same again:") != passphrase:
        raise AdvreplError("that was another passphrase: nothing is encrypted")
    return crypt.new_lock(passphrase)


def _passphrase(variable: str, question: str, secret: Secret | None) -> str:
    if (found := _from_environment(variable)) is not None:
        return found
    if not secret and not sys.stdin.isatty():
        raise AdvreplError(
            f"a passphrase is asked for at a terminal only: elsewhere give it in {variable}, or {variable}_FILE"
        )
    return (secret or hidden)(question)


def _from_environment(variable: str) -> str | None:
    if (named := os.environ.pop(f"{variable}_FILE", None)) is not None:
        try:
            with Path(named).open("rb") as file:  # it may be a pipe, as /dev/fd/3
                data = file.read(LONGEST)
        except OSError as error:
            raise AdvreplError(f"{variable}_FILE: {named} cannot be read ({error.strerror})") from error
        _given[variable] = data.decode("utf-8", "surrogateescape").removesuffix("\n").removesuffix("\r")
    if (said := os.environ.pop(variable, None)) is not None:
        _given.setdefault(variable, said)
    return _given.get(variable)
