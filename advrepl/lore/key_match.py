"""Look for keys in text: plain words, whole words, and regular expressions, which come from strangers.

A regular expression gets only so much time, and is refused where compiling it alone would take too long.
Does not know which keys belong together (activation.py).
"""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from time import monotonic

import regex

from advrepl.scripts import is_border

PATTERN_TIMEOUT = 0.05  # seconds that one pattern may search; it is switched off after that
TURN_TIMEOUT = 0.5  # seconds that all patterns together may search in one turn
# Characters of a pattern with its counted repeats written out. regex 2026.11.19 does write them out, at up to a
# microsecond each and without a timeout: /a{99999999}/ would hold the program for minutes and fill its memory.
MAX_WRITTEN_OUT = 100_000
REPEAT = re.compile(r"\{(\d+)")
# Spaces and comments may part the digits of a repeat where this flag is on, so that it could not be counted.
VERBOSE = re.compile(r"\(\?[A-Za-z0-9]*x")
# Of JavaScript, where the keys come from; those that change nothing here are 0.
FLAGS = {"i": regex.IGNORECASE, "m": regex.MULTILINE, "s": regex.DOTALL, "u": 0, "g": 0, "y": 0, "v": 0, "d": 0}


@dataclass(slots=True)
class PatternSearch:
    """Search with patterns during one turn, and switch off those that take too long."""

    switched_off: set[str]
    seconds_left: float = TURN_TIMEOUT
    clock: Callable[[], float] = field(default=monotonic)

    def found(self, key: str, text: str, ignore_case: bool) -> bool:
        """Say whether the pattern occurs in the text; one that is switched off or does not compile never does."""
        if key in self.switched_off or self.seconds_left <= 0:
            return False
        start = self.clock()
        try:
            pattern = compile_pattern(key, ignore_case)
            return pattern is not None and pattern.search(text, timeout=PATTERN_TIMEOUT) is not None
        except TimeoutError:
            self.switched_off.add(key)
            return False
        finally:
            self.seconds_left -= self.clock() - start


def is_pattern(key: str) -> bool:
    """Say whether a key is written /like this/, with flags of JavaScript or none."""
    return _literal(key) is not None


@lru_cache(maxsize=4096)
def compile_pattern(key: str, ignore_case: bool) -> "regex.Pattern[str] | None":
    """Compile a pattern, bare or written /like this/i; None where that fails or would take too long.

    `ignore_case` is for bare ones: a literal has its own flags.
    """
    pattern, flags = _literal(key) or (key, "i" if ignore_case else "")
    if _is_too_large(pattern):
        return None
    value = 0
    for flag in flags:
        value |= FLAGS[flag]
    try:
        return regex.compile(pattern, value)
    except (regex.error, ValueError, RecursionError):  # ValueError: flags that exclude each other, (?L)(?u)
        return None


def has_word(text: str, word: str) -> bool:
    """Say whether a word stands in the text by itself, not inside a longer one, as far as its script shows that."""
    at = text.find(word)
    while at >= 0:
        end = at + len(word)
        before, first, last, after = text[at - 1 : at] if at else "", word[:1], word[-1:], text[end : end + 1]
        if is_border(before, first) and is_border(last, after):
            return True
        at = text.find(word, at + 1)
    return False


def _literal(key: str) -> tuple[str, str] | None:
    """The pattern and the flags of a key written /pattern/flags."""
    end = key.rfind("/")
    if not key.startswith("/") or end < 2 or set(key[end + 1 :]) - set(FLAGS):
        return None
    return key[1:end], key[end + 1 :]


def _is_too_large(pattern: str) -> bool:
    """Whether its repeats, taken as if each stood inside the one before, make too much of a pattern."""
    copies = math.prod(max(int(found[1]), 1) for found in REPEAT.finditer(pattern))
    return len(pattern) * copies > MAX_WRITTEN_OUT or VERBOSE.search(pattern) is not None
