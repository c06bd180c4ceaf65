"""Put a text on the clipboard: by a program of the desktop where there is one, else by asking the terminal.

Reads nothing from it.
"""

import base64
import os
import shutil
import subprocess
from collections.abc import Mapping
from typing import Self

from advrepl.play.events import Note

PATIENCE = 2.0  # seconds that a desktop's program may take
MOST_ASKED = 74_000  # bytes of base64 that xterm takes
# The programs, each with the variable without which it has no desktop to talk to.
PROGRAMS = (
    (("pbcopy",), ""),
    (("wl-copy",), "WAYLAND_DISPLAY"),
    (("xclip", "-selection", "clipboard"), "DISPLAY"),
    (("xsel", "--clipboard", "--input"), "DISPLAY"),
    (("clip.exe",), "WSL_DISTRO_NAME"),
    (("clip",), "WINDIR"),
)


class Copied(Note, frozen=True):
    """A text for the clipboard; where there is none, the note's own text says so."""

    content: str
    what: str

    @classmethod
    def of(cls, content: str, what: str) -> Self:
        """Return a text for the clipboard, and what it is."""
        return cls(f"there is no clipboard here for {what}: /copy works at a terminal", content, what)


def command_for(environment: Mapping[str, str]) -> tuple[str, ...] | None:
    """Return the program that takes a text for this desktop's clipboard; None: there is none."""
    for command, variable in PROGRAMS:
        if (not variable or environment.get(variable)) and (found := shutil.which(command[0])):
            return (found, *command[1:])
    return None


def put(text: str) -> str:
    """Put a text on the clipboard if the desktop has one; else return what asks the terminal to do it (OSC 52).

    Empty: it is done, or the text is too long to ask for.
    """
    if command := command_for(os.environ):
        try:
            subprocess.run(
                command, input=text.encode("utf-8", "replace"), timeout=PATIENCE, check=True, capture_output=True
            )
            return ""
        except (OSError, subprocess.SubprocessError):
            pass  # the terminal may do it
    return ask_terminal(text)


def ask_terminal(text: str) -> str:
    """Return the characters that ask a terminal to put a text on the clipboard; empty: it is too long."""
    data = base64.b64encode(text.encode("utf-8", "replace")).decode()
    return f"\x1b]52;c;{data}\x07" if len(data) <= MOST_ASKED else ""
