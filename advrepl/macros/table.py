"""What each macro with arguments becomes, and how many it takes.

A macro is a function of what expands it (its variables, its dice), of itself and of its arguments, already expanded.
Does not know how a macro is written (parser.py).
"""

import random
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Protocol

from msgspec import Struct

from advrepl.macros import dates
from advrepl.macros.context import TIME_FORMATS, MacroContext
from advrepl.macros.parser import Macro
from advrepl.macros.variables import Variables

MAX_DICE, MAX_SIDES = 1_000, 1_000_000
MAX_REPEAT = 1_000  # blanks or line breaks of one macro
ANY = 1_000_000  # as many arguments as there are

DICE = re.compile(r"([1-9]\d{0,6})?d([1-9]\d{0,6})([+-]\d{1,7})?", re.IGNORECASE | re.ASCII)
INTEGER = re.compile(r"-?[0-9]{1,9}")
UTC_OFFSET = re.compile(r"UTC([+-]\d{1,2})", re.IGNORECASE | re.ASCII)


class Expands(Protocol):
    """What a macro may ask of the text's expansion."""

    context: MacroContext
    variables: dict[str, Variables]

    def found_once(self, macro: Macro, make: Callable[[random.Random], str], *, fixed: bool = False) -> str:
        """Return what is rolled for a macro, which may have been rolled before."""

    def card_field(self, name: str, text: str) -> str:
        """Return a field of the card, with its own macros expanded."""


# Returns what the macro becomes, or None for one to be left as it is.
Function = Callable[[Expands, Macro, list[str]], str | None]


class Known(Struct, frozen=True):
    """A macro: what it becomes, and how many arguments it takes."""

    function: Function
    least: int = 1
    most: int = 1

    def takes(self, arguments: list[str]) -> bool:
        """Say whether these are as many arguments as it wants."""
        return self.least <= len(arguments) <= self.most

    def takes_block(self, before: int) -> bool:
        """Say whether a block may follow so many arguments as the last of them."""
        return self.most != ANY and self.least <= before + 1 <= self.most


def _choice(*, fixed: bool) -> Function:
    def function(expands: Expands, macro: Macro, arguments: list[str]) -> str | None:
        choices = arguments if len(arguments) != 1 else _listed(arguments[0])
        return expands.found_once(macro, lambda rng: rng.choice(choices or [""]), fixed=fixed)

    return function


def _listed(text: str) -> list[str]:
    """The choices of a single argument: between double colons, or else between commas."""
    if "::" in text:
        return [part.strip() for part in text.split("::")]
    return [part.strip().replace("\\,", ",") for part in re.split(r"(?<!\\),", text)]


def _roll(expands: Expands, macro: Macro, arguments: list[str]) -> str | None:
    formula = f"1d{arguments[0]}" if arguments[0].isdecimal() else arguments[0]
    if not (found := DICE.fullmatch(formula)):
        return ""
    dice, sides, plus = int(found[1] or 1), int(found[2]), int(found[3] or 0)
    if dice > MAX_DICE or sides > MAX_SIDES:
        return ""
    return expands.found_once(macro, lambda rng: str(sum(rng.randint(1, sides) for _ in range(dice)) + plus))


def _repeat(character: str) -> Function:
    def function(expands: Expands, macro: Macro, arguments: list[str]) -> str | None:
        number = arguments[0] if arguments else "1"
        return character * min(int(number), MAX_REPEAT) if re.fullmatch("[0-9]{1,9}", number) else None

    return function


def _greeting(expands: Expands, macro: Macro, arguments: list[str]) -> str | None:
    number, greetings = arguments[0] if arguments else "0", expands.context.greetings
    if not INTEGER.fullmatch(number):
        return None
    index = int(number)
    return expands.card_field(f"greetings.{index}", greetings[index]) if 0 <= index < len(greetings) else ""


def _reverse(expands: Expands, macro: Macro, arguments: list[str]) -> str | None:
    return arguments[0][::-1]


def _nothing(expands: Expands, macro: Macro, arguments: list[str]) -> str | None:
    return ""


def _same(expands: Expands, macro: Macro, arguments: list[str]) -> str | None:
    return arguments[0]


def _false(expands: Expands, macro: Macro, arguments: list[str]) -> str | None:
    return "false"


# Time


def _formatted(pattern: str) -> Function:
    def function(expands: Expands, macro: Macro, arguments: list[str]) -> str | None:
        return expands.found_once(macro, lambda _: dates.format_date(expands.context.now, pattern))

    return function


def _time(expands: Expands, macro: Macro, arguments: list[str]) -> str | None:
    zone, now = UTC_OFFSET.fullmatch(arguments[0] if arguments else ""), expands.context.now
    local = dates.at_offset(now, float(zone[1])) if zone else now
    return expands.found_once(macro, lambda _: dates.format_date(local, "LT"))


def _format(expands: Expands, macro: Macro, arguments: list[str]) -> str | None:
    return expands.found_once(macro, lambda _: dates.format_date(expands.context.now, arguments[0]))


def _idle(expands: Expands, macro: Macro, arguments: list[str]) -> str | None:
    idle: timedelta | None = expands.context.idle
    return expands.found_once(macro, lambda _: dates.humanize(idle) if idle else "just now")


def _difference(expands: Expands, macro: Macro, arguments: list[str]) -> str | None:
    return dates.from_now(arguments[0], arguments[1])


def _chat_range(expands: Expands, macro: Macro, arguments: list[str]) -> str | None:
    last = expands.context.last_message_id
    return f"0-{last}" if last else ""


# Variables: each function for those of the chat (".") and for the global ones ("$"), which belong to the story too


def _set(scope: str) -> Function:
    def function(expands: Expands, macro: Macro, arguments: list[str]) -> str | None:
        if not arguments[0]:
            return None
        expands.variables[scope].set(arguments[0], arguments[1])
        return ""

    return function


def _get(scope: str) -> Function:
    return lambda expands, macro, arguments: expands.variables[scope].get(arguments[0])


def _add(scope: str, step: str = "") -> Function:
    """Add the second argument, or a step, whose sum is shown."""

    def function(expands: Expands, macro: Macro, arguments: list[str]) -> str | None:
        variables, name, by = expands.variables[scope], arguments[0], step or arguments[-1]
        if not name:
            return None
        # The sum is remembered, not the step: a prompt that is built again must not count on.
        variables.set(name, expands.found_once(macro, lambda _: variables.sum(name, by, step=bool(step))))
        return variables.get(name) if step else ""

    return function


def _has(scope: str) -> Function:
    return lambda expands, macro, arguments: str(expands.variables[scope].has(arguments[0])).lower()


def _delete(scope: str) -> Function:
    def function(expands: Expands, macro: Macro, arguments: list[str]) -> str | None:
        expands.variables[scope].delete(arguments[0])
        return ""

    return function


def _set_key(scope: str) -> Function:
    def function(expands: Expands, macro: Macro, arguments: list[str]) -> str | None:
        if not arguments[0]:
            return None
        expands.variables[scope].set_key(*arguments)
        return ""

    return function


def _get_key(scope: str) -> Function:
    return lambda expands, macro, arguments: expands.variables[scope].get_key(*arguments)


def _of_scope(scope: str, kind: str) -> dict[str, Known]:
    """The macros for the variables of a scope; `kind`: what their names have for it, "" or "global"."""
    return {
        f"set{kind}var": Known(_set(scope), 2, 2),
        f"get{kind}var": Known(_get(scope)),
        f"add{kind}var": Known(_add(scope), 2, 2),
        f"inc{kind}var": Known(_add(scope, "1")),
        f"dec{kind}var": Known(_add(scope, "-1")),
        **dict.fromkeys((f"has{kind}var", f"{kind}varexists"), Known(_has(scope))),
        **dict.fromkeys((f"delete{kind}var", f"flush{kind}var"), Known(_delete(scope))),
        **dict.fromkeys((f"set{kind}varkey", f"set{kind}varindex"), Known(_set_key(scope), 3, 3)),
        **dict.fromkeys((f"get{kind}varkey", f"get{kind}varindex"), Known(_get_key(scope), 2, 2)),
    }


MACROS: dict[str, Known] = {
    "random": Known(_choice(fixed=False), 0, ANY),
    "pick": Known(_choice(fixed=True), 0, ANY),
    "roll": Known(_roll),
    "reverse": Known(_reverse),
    "trim": Known(_same),
    "newline": Known(_repeat("\n"), 0, 1),
    "space": Known(_repeat(" "), 0, 1),
    # Lore for an outlet is told before the turn, as other lore.
    **dict.fromkeys(("//", "comment", "hidden_key", "banned", "outlet"), Known(_nothing)),
    "hasextension": Known(_false),
    **dict.fromkeys(("greeting", "charfirstmessage"), Known(_greeting, 0, 1)),
    **{name: Known(_formatted(pattern), 0, 0) for name, pattern in TIME_FORMATS.items()},
    "time": Known(_time, 0, 1),
    "datetimeformat": Known(_format),
    **dict.fromkeys(("idleduration", "idle_duration"), Known(_idle, 0, 0)),
    "timediff": Known(_difference, 2, 2),
    "allchatrange": Known(_chat_range, 0, 0),
    **_of_scope(".", ""),
    **_of_scope("$", "global"),
}
