"""What a line of the player means: a /command, an option by its number, or what he says and does.

Does not act on it. Each line is understood once, where it is read; what is done with it is told by the result alone,
so that an option that looks like a number or a command is said as it is.
"""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PlayerLine:
    """A line as it was understood."""

    text: str  # without the blanks around it; empty: nothing to do
    is_command: bool = False  # for the program: its text begins with a slash
    is_number: bool = False  # an option was named by its number, whose place on the screen its text has yet to take


def understood(line: str, options: Sequence[str]) -> PlayerLine:
    """Say what a line means while these options are on offer; `//text` says what begins with a slash."""
    text = line.strip()
    if text.startswith("//"):
        return PlayerLine(text[1:])
    if text.startswith("/"):
        return PlayerLine(text, is_command=True)
    number = text.rstrip(".)")
    if number.isdecimal() and 0 < int(number) <= len(options):
        return PlayerLine(options[int(number) - 1], is_number=True)
    return PlayerLine(text)
