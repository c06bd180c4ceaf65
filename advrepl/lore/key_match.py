"""Keys against text: plain words, whole words, and patterns written by strangers, which get only so much time.

Does not know which keys belong together (lore.py).
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from time import monotonic

import regex

PATIENCE = 0.05  # seconds that one pattern may take; it is switched off after that
ALL_PATIENCE = 0.5  # seconds that all patterns together may take in one turn
FLAGS = {"i": regex.IGNORECASE, "m": regex.MULTILINE, "s": regex.DOTALL, "u": 0, "g": 0, "y": 0, "v": 0, "d": 0}


@dataclass(slots=True)
class Patterns:
    """The time that patterns may still take this turn, and those that were switched off for taking too long."""

    slow: set[str]
    left: float = ALL_PATIENCE
    clock: Callable[[], float] = field(default=monotonic)

    def found(self, key: str, text: str, ignore_case: bool) -> bool:
        if key in self.slow or self.left <= 0:
            return False
        start = self.clock()
        try:
            pattern = compiled(key, ignore_case)
            return pattern is not None and pattern.search(text, timeout=PATIENCE) is not None
        except (TimeoutError, MemoryError, RecursionError):
            self.slow.add(key)
            return False
        finally:
            self.left -= self.clock() - start


def is_pattern(key: str) -> bool:
    return literal(key) is not None


def literal(key: str) -> tuple[str, str] | None:
    """The pattern and flags of a key written /pattern/flags, as in JavaScript."""
    end = key.rfind("/")
    if not key.startswith("/") or end < 2 or set(key[end + 1 :]) - set(FLAGS):
        return None
    return key[1:end], key[end + 1 :]


@lru_cache(maxsize=4096)
def compiled(key: str, ignore_case: bool) -> "regex.Pattern[str] | None":
    """A pattern, bare or written /like this/i; None where it does not compile. A literal's flags rule its case."""
    pattern, flags = literal(key) or (key, "i" if ignore_case else "")
    value = 0
    for flag in flags:
        value |= FLAGS[flag]
    try:
        return regex.compile(pattern, value)
    except (regex.error, ValueError, IndexError, KeyError, TypeError, OverflowError, RecursionError, MemoryError):
        return None


def has_word(text: str, word: str) -> bool:
    """Whether a word stands in the text by itself, not inside a longer one."""
    at = text.find(word)
    while at >= 0:
        end = at + len(word)
        if not (_in_word(text[at - 1 : at]) or _in_word(text[end : end + 1])):
            return True
        at = text.find(word, at + 1)
    return False


def _in_word(character: str) -> bool:
    return character.isalnum() or character == "_"
