"""The lines `@@name value` at the head of a V3 lore entry, which rule when and where it applies.

All of them are taken out of the text; those that mean something here change the entry. A line `@@@name` is tried
only where the one before it was not understood.
"""

import re
from collections.abc import Callable
from typing import Any

from advrepl.lore.fields import HIGHEST, MAX_KEY, MAX_KEYS, split_keys

LINE = re.compile(r"\s*(@@@?)\s*([A-Za-z_]+)[ \t]*([^\n]*)(?:\n|$)")
PLACES = {"before_desc": "before", "after_desc": "after", "personality": "after", "scenario": "after"}

Change = dict[str, Any]  # fields of an entry and their new values, and "role"


def read(content: str) -> tuple[str, Change]:
    """Part a text into what follows its decorators and what these change."""
    change: Change = {}
    seen: set[str] = set()
    at, wanted = 0, False
    while found := LINE.match(content, at):
        at = found.end()
        mark, name, value = found[1], found[2].lower(), found[3].strip()
        if mark == "@@" or wanted:
            understood = _understand(name, value)
            wanted = understood is None
            if understood is not None and name not in seen:
                change = {**understood, **change} if name == "depth" else {**change, **understood}
                seen.add(name)
    if "dont_activate" in seen and "activate" not in seen:
        change["enabled"] = False
    return content[at:].strip("\r\n") if at else content, change


def _understand(name: str, value: str) -> Change | None:
    """What a decorator changes, or None for one that has no meaning here or no fitting value."""
    parse = KNOWN.get(name)
    return parse(value) if parse else None


def _number(name: str, **also: object) -> Callable[[str], Change | None]:
    def parse(value: str) -> Change | None:
        return {name: min(int(value), HIGHEST), **also} if re.fullmatch(r"[0-9]{1,12}", value) else None

    return parse


def _keys(name: str) -> Callable[[str], Change | None]:
    def parse(value: str) -> Change | None:
        keys = [key.strip() for key in split_keys(value) if key.strip() and len(key) <= MAX_KEY]
        return {name: tuple(keys[:MAX_KEYS])} if keys else None

    return parse


def _fixed(**change: object) -> Callable[[str], Change | None]:
    return lambda _: dict(change)


KNOWN: dict[str, Callable[[str], Change | None]] = {
    "activate": _fixed(activate=True),
    "dont_activate": _fixed(),
    "activate_only_after": _number("activate_only_after"),
    "activate_only_every": _number("activate_only_every"),
    "keep_activate_after_match": _fixed(sticky=HIGHEST),
    "dont_activate_after_match": _fixed(cooldown=HIGHEST),
    "depth": _number("depth", position="depth"),
    "role": lambda value: {"role": value} if value in ("system", "user", "assistant") else None,
    "scan_depth": _number("scan_depth"),
    "is_greeting": _number("greeting"),
    "position": lambda value: {"position": PLACES[value]} if value in PLACES else None,
    "ignore_on_max_context": _fixed(ignore_on_max_context=True),
    "additional_keys": _keys("additional_keys"),
    "exclude_keys": _keys("exclude_keys"),
}
