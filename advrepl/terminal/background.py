"""Is the terminal's background light? It is asked, where its environment does not tell and it may know the question.

Behind the question (OSC 11) goes one that all of these answer (DA1), so that nobody waits for what does not come.
Keys that are pressed meanwhile wait for the prompt.
"""

import os
import re
import sys
import time
from collections.abc import Mapping
from typing import TextIO

from advrepl.terminal import early
from advrepl.terminal.theme import Capabilities, Theme, choose

QUESTION = "\x1b]11;?\x1b\\\x1b[c"
ANSWER = re.compile(rb"\x1b\]11;rgba?:([0-9a-fA-F]+)/([0-9a-fA-F]+)/([0-9a-fA-F]+)[^\x07\x1b]*(?:\x07|\x1b\\)")
LAST_ANSWER = re.compile(rb"\x1b\[\?[\d;]*c")
# By TERM. Others, as the Linux console, print what they do not understand.
KNOWING = re.compile(
    r"(xterm|tmux|screen|alacritty|foot|wezterm|ghostty|kitty|rxvt|konsole|vte|gnome|st-|contour|rio|mlterm|iterm)"
)
PATIENCE, PATIENCE_FAR = 0.2, 1.0  # seconds; an answer that comes later would stand in the player's line
# Relative luminance from which on black is easier to read than white (WCAG).
LIGHT = 0.179


def theme(name: str | None, can: Capabilities, environment: Mapping[str, str]) -> Theme:
    """Return the theme of a name, else that of the terminal's background; raises AdvreplError."""
    return choose(name, environment, lambda: can.style and is_light(environment, sys.stdin, sys.stdout))


def is_light(environment: Mapping[str, str], stdin: TextIO, stdout: TextIO) -> bool:
    """Ask the terminal; False also where it does not say."""
    if not (KNOWING.match(environment.get("TERM", "")) and stdin.isatty() and stdout.isatty()):
        return False
    far = any(environment.get(name) for name in ("SSH_CONNECTION", "SSH_TTY"))
    with early.keys_unechoed(stdin) as asked:
        said = _said(stdin, stdout, PATIENCE_FAR if far else PATIENCE) if asked else b""
    found = ANSWER.search(said)
    early.put_back(LAST_ANSWER.sub(b"", ANSWER.sub(b"", said)))
    parts = found.groups() if found else (b"0",)
    return _luminance(*(int(part, 16) / (16 ** len(part) - 1) for part in parts)) > LIGHT


def _said(stdin: TextIO, stdout: TextIO, patience: float) -> bytes:
    """All that comes up to the last answer."""
    print(end=QUESTION, file=stdout, flush=True)
    said, end = b"", time.monotonic() + patience
    while not LAST_ANSWER.search(said) and early.is_waiting(stdin.fileno(), max(end - time.monotonic(), 0)):
        if not (more := os.read(stdin.fileno(), 4096)):
            break
        said += more
    return said


def _luminance(*parts: float) -> float:
    linear = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return sum(share * part for share, part in zip((0.2126, 0.7152, 0.0722), linear, strict=False))
