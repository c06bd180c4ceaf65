"""What a line of the player means: a /command, an option by its number, or what he says and does.

Does not act on it. Each line is understood once, where it is read; what is done with it is told by the result alone,
so that an option that looks like a number or a command is said as it is.
"""

import re
from collections.abc import Sequence

from msgspec import Struct

from advrepl.play.state import Told

DEED = "> "  # before what is done in an adventure, as in others; nothing is to be told apart here
# Arrows and the like, which come as they are where no editor reads the line.
_KEYS = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|O.)?")
MOST_DIGITS = 2  # of an option's number; longer numbers, as a year or the code of a door, are words


class PlayerLine(Struct, frozen=True):
    """A line as it was understood."""

    text: str  # without the blanks around it; empty: nothing to do
    is_command: bool = False  # for the program: its text begins with a slash
    is_number: bool = False  # an option was named by its number, whose place on the screen its text has yet to take
    refusal: str = ""  # why nothing is done with it


def understood_in(told: Told, line: str) -> PlayerLine:
    """Say what a line means in a game; where it never offers options a number is a word like any other."""
    if not told.scenario.roleplay and line.lstrip().startswith(DEED):
        line = line.lstrip().removeprefix(DEED)
    return understood(line, told.options() if told.option_count else None)


def understood(line: str, options: Sequence[str] | None) -> PlayerLine:
    """Say what a line means while these options are on offer; `//text` says what begins with a slash."""
    text = _KEYS.sub("", line).strip()
    if text.startswith("//"):
        return PlayerLine(text[1:])
    if text.startswith("/"):
        return PlayerLine(text, is_command=True)
    number = text.rstrip(".)")
    if options is None or not number.isdecimal() or len(number) > MOST_DIGITS:
        return PlayerLine(text)
    if 0 < int(number) <= len(options):
        return PlayerLine(options[int(number) - 1], is_number=True)
    return PlayerLine(text, refusal=_no_such_option(number, len(options)))


def said_in(told: Told, line: str) -> str:
    """Return what a line says in the story; empty where it is a number, a command that says nothing, or nothing."""
    meant = understood_in(told, line)
    if meant.is_number or meant.refusal:
        return ""
    if not meant.is_command:
        return meant.text
    name, _, rest = meant.text.partition(" ")
    rest = rest.strip()
    return {"/do": rest, "/say": rest and f'"{rest}"'}.get(name, "")


def may_be_option(told: Told, line: str) -> bool:
    """Tell whether a line may still become one of the options: it is empty, a number, or how one begins."""
    text = line.strip().casefold()
    return text.rstrip(".)").isdecimal() or any(option.casefold().startswith(text) for option in told.options())


def _no_such_option(number: str, count: int) -> str:
    if not count:
        return "there are no options to choose from: say it in your own words"
    return f'there are {count} options: to say {number} instead, write "{number}"'
