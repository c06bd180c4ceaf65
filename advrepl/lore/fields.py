"""Read the objects of foreign JSON field by field: what is odd becomes a note that names the field, never an error.

Does not know what the fields mean.
"""

import math
import re
from collections.abc import Sequence
from typing import Any

from msgspec import Struct

from advrepl.cards.text import without_surrogates

MAX_KEYS = 500  # of one entry, each kind
MAX_KEY = 1_000  # characters of a key or pattern
MAX_NOTES = 20
# A pattern written /like, this/ is one key, and so is all else between two commas.
KEY = re.compile(r"\s*(/(?:[^/\\\[]|\\.|\[(?:[^\]\\]|\\.)*\])+/[a-z]*)\s*(?:,|$)|([^,]*)(?:,|$)")
HIGHEST = 1_000_000_000


class Fields(Struct, frozen=True):
    """An object, where it stands, and the list that notes about it go to.

    Each reader takes the first of the names that is there and not null.
    """

    value: dict[Any, Any]
    path: str
    notes: list[str]

    def note(self, name: str, what: str) -> None:
        """Add a note about a field."""
        self.notes.append(f"{self.path}{name} {what}")

    def first(self, *names: str) -> tuple[str, Any]:
        """Return the first of these fields that is there and not null, else the first name and None."""
        for name in names:
            if (value := self.value.get(name)) is not None:
                return name, value
        return names[0], None

    def text(self, *names: str) -> str:
        """Read a text; empty where there is none. What is no character in it is replaced, as no save can hold it."""
        name, value = self.first(*names)
        if value is None or isinstance(value, str):
            return without_surrogates(value or "")
        self.note(name, "is no text: ignored")
        return ""

    def flag(self, name: str, default: bool = False) -> bool:
        """Read a yes or no, also one that is written as a text or a number."""
        value = self.value.get(name)
        if value is None:
            return default
        if value is True or value is False:
            return bool(value)
        if isinstance(value, bool | int | str) and value in (True, False, "true", "false", "1", "0"):
            return value in (True, "true", "1")
        self.note(name, "is neither true nor false: ignored")
        return default

    def optional(self, *names: str) -> float | None:
        """Read a number, also one that is written as a text; None where there is none."""
        name, value = self.first(*names)
        if value is None or value == "":
            return None
        try:
            number = float(value)
        except (TypeError, ValueError, OverflowError):
            number = math.nan
        if math.isfinite(number):
            return max(-HIGHEST, min(HIGHEST, number))
        self.note(name, "is no number: ignored")
        return None

    def number(self, *names: str, default: float, low: float = -HIGHEST, high: float = HIGHEST) -> float:
        """Read a number, and bring it between the limits."""
        found = self.optional(*names)
        return default if found is None else max(low, min(high, found))

    def count(self, *names: str) -> int | None:
        """Read a number of things, None where there is none; negative ones are taken as 0."""
        found = self.optional(*names)
        return None if found is None else max(0, int(found))

    def words(self, *names: str) -> tuple[str, ...]:
        """Read a list of keys; some programs write them as one text with commas."""
        name, value = self.first(*names)
        if not value:
            return ()
        if isinstance(value, str):
            value = split_keys(value)
        if not isinstance(value, list):
            self.note(name, "is no list of keys: ignored")
            return ()
        keys = [key.strip() for key in value if isinstance(key, str)]
        if len(keys) < len(value):
            self.note(name, "holds keys that are no text: ignored")
        short = [key for key in keys if key and len(key) <= MAX_KEY]
        if any(len(key) > MAX_KEY for key in keys):
            self.note(name, f"holds a key of more than {MAX_KEY:,} characters: ignored")
        if len(short) > MAX_KEYS:
            self.note(name, f"holds {len(short):,} keys: only the first {MAX_KEYS} count")
        return tuple(short[:MAX_KEYS])

    def inner(self, name: str) -> "Fields":
        """Return the object in a field; an empty one where there is none."""
        value = self.value.get(name)
        if value is not None and not isinstance(value, dict | list):
            self.note(name, "is no object: ignored")
        return Fields(value if isinstance(value, dict) else {}, f"{self.path}{name}.", self.notes)


def split_keys(text: str) -> list[str]:
    """Split keys at the commas between them, but for those inside a pattern written /like, this/."""
    return [pattern or word for pattern, word in KEY.findall(text)]


def shorten(notes: Sequence[str]) -> list[str]:
    """Keep the first notes, and say how many more there are."""
    more = len(notes) - MAX_NOTES
    return [*notes[:MAX_NOTES], *([f"and {more:,} more like these"] if more > 0 else [])]
