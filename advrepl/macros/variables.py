"""Variables of macros: text that counts where it looks like a number, lists and objects as JSON.

They behave as JavaScript's values do, since cards are tested in SillyTavern. Does not know how a macro is written.
"""

import json
import math
import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?", re.IGNORECASE | re.ASCII)
WHOLE = re.compile(r"0(?:x[0-9a-f]+|o[0-7]+|b[01]+)", re.IGNORECASE)
NO_JSON: Any = object()
MAX_INDEX = 10_000  # of a list; what lies between is filled with nulls


class Variables:
    """The variables of one scope, kept in a dictionary under a prefix."""

    def __init__(self, values: dict[str, str], prefix: str, keep: Callable[[str, str], str]) -> None:
        """`keep` puts a value into the dictionary, if it may be there."""
        self._values, self._prefix, self._keep = values, prefix, keep

    def has(self, name: str) -> bool:
        """Say whether there is such a variable."""
        return self._prefix + name in self._values

    def get(self, name: str) -> str:
        """Return a value as it is shown: "007" is 7; of one that is not there nothing."""
        return shown(self._values.get(self._prefix + name, ""))

    def set(self, name: str, value: str) -> None:
        """Give a variable this value."""
        self._keep(self._prefix + name, value)

    def delete(self, name: str) -> None:
        """Forget a variable."""
        self._values.pop(self._prefix + name, None)

    def sum(self, name: str, by: str, *, step: bool = False) -> str:
        """Return what the value would be with another added: numbers are summed, texts joined, lists grow.

        A `step` is a number also in a list.
        """
        old = self.get(name)
        if isinstance(items := _decoded(old), list):
            return f"[{','.join([*map(_encoded, items), by if step else _encoded(by)])}]"
        left, right = number(old or "0"), number(by)
        if math.isnan(left) or math.isnan(right):
            return ("" if left == 0 else old) + by
        return spelled(left + right)

    def get_key(self, name: str, key: str) -> str:
        """Return what a list or an object holds at a key; of what is neither, all of it."""
        index = number(key)
        held = _decoded(self._values.get(self._prefix + name, ""))
        if held is NO_JSON:
            return self.get(name)
        found: Any = ""
        if isinstance(held, dict):
            found = held.get(key if math.isnan(index) else spelled(index), "")
        elif isinstance(held, (list, str)) and index in range(len(held)):
            found = held[int(index)]
        return shown(found) if isinstance(found, str) else _encoded(found)

    def set_key(self, name: str, key: str, value: str) -> None:
        """Put a value at a key of a list or an object, which begins here; what is neither stays as it is."""
        index = number(key)
        new: Any = {} if math.isnan(index) else []
        held = _decoded(self._values[self._prefix + name]) if self.has(name) else new
        held = new if held is None else held
        if isinstance(held, dict):
            held[key if math.isnan(index) else spelled(index)] = value
        elif isinstance(held, list) and index in range(MAX_INDEX):
            held += [None] * (int(index) + 1 - len(held))
            held[int(index)] = value
        if isinstance(held, (dict, list)):
            self.set(name, _encoded(held))


def operate(
    variables: Variables, name: str, operator: str, value: Callable[[], str], once: Callable[[Callable[[], str]], str]
) -> str:
    """Work out {{.name operator value}}; the value is expanded only where it is needed.

    `once` returns what it is given a function for, also when the text is expanded again: a sum is not added twice.
    """
    old = variables.get(name)
    if operator in ("++", "--"):
        variables.set(name, once(lambda: variables.sum(name, "1" if operator == "++" else "-1", step=True)))
        return variables.get(name)
    if operator in ("", "||", "??", "||=", "??="):
        wanted = variables.has(name) if operator.startswith("??") else not operator or not is_false(old)
        return old if wanted else _default(variables, name, operator, value())
    new = value()
    if operator == "=":
        variables.set(name, new)
    elif operator == "+=":
        variables.set(name, once(lambda: variables.sum(name, new)))
    elif operator != "-=":
        return str(_compares(old, operator, new)).lower()
    elif not math.isnan(taken := number(new)):
        variables.set(name, once(lambda: variables.sum(name, spelled(-taken), step=True)))
    return ""


def _default(variables: Variables, name: str, operator: str, value: str) -> str:
    if operator.endswith("="):
        variables.set(name, value)
    return value


def is_false(value: str) -> bool:
    """Say whether a value counts as no: it is empty, 0, "false" or "off"."""
    return value == "" or value.strip().lower() in ("0", "false", "off")


def _compares(old: str, operator: str, value: str) -> bool:
    """Compare as text for equality, as numbers for order; what is no number is never greater or less."""
    if operator in ("==", "!="):
        return (old == value) == (operator == "==")
    left, right = number(old), number(value)
    return {">": left > right, ">=": left >= right, "<": left < right, "<=": left <= right}[operator]


def number(text: str) -> float:
    """Read a number as JavaScript does: blank is 0, hexadecimal is read, and what is none is NaN."""
    text = text.strip()
    if WHOLE.fullmatch(text):
        return float(int(text, 0))
    if text.lstrip("+-") == "Infinity":
        return -math.inf if text[0] == "-" else math.inf
    return float(text or 0) if not text or NUMBER.fullmatch(text) else math.nan


def spelled(value: float) -> str:
    """Spell a number as JavaScript does: no point where it is whole, exponents from 1e21 on."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    if value == int(value) and abs(value) < 1e21:
        return str(int(Decimal(repr(value))))  # the shortest digits that name it, then zeros
    return re.sub(r"e([+-])0+", r"e\1", repr(value))


def shown(value: str) -> str:
    """Show a value: numbers in one spelling, all else as it is."""
    read = number(value)
    return value if not value.strip() or math.isnan(read) else spelled(read)


def _decoded(text: str) -> Any:
    """What a text is as JSON, or NO_JSON."""
    try:
        return json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        return NO_JSON


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def _encoded(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
