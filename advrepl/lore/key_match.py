"""Look for keys in text: plain words, whole words, and regular expressions, which come from strangers.

A regular expression gets only so much time, and is refused where compiling it alone would take too long (js_regex.py).
Does not know which keys belong together (activation.py), nor which to look for at all (key_index.py).
"""

import re
import unicodedata
from collections.abc import Callable, Iterable
from functools import lru_cache
from time import thread_time

import regex
from msgspec import Struct, field

from advrepl.lore.js_letters import NotJavaScript
from advrepl.lore.js_regex import translate

PATTERN_TIMEOUT = 0.05  # seconds that one pattern may search; it is switched off after that
TURN_TIMEOUT = 0.5  # seconds that all patterns together may search in one turn
TRIES = 5  # each with twice the time of the one before
# What reads the same: typographic apostrophes and quotation marks, blanks that no line may break at.
ALIKE = str.maketrans({
    **dict.fromkeys("’‘ʼ‛＇", "'"), **dict.fromkeys("“”„‟", '"'), **dict.fromkeys("\xa0\u2007\u202f", " "), "‑": "-",
})  # fmt: skip
# A word ends where JavaScript's \W begins, as in SillyTavern: between letters of other scripts anywhere.
WORD_START = re.compile(r"(?<![A-Za-z0-9_])(?=.)", re.DOTALL)
WORD_END = re.compile(r"(?<=[^\x02])(?!\x02?[A-Za-z0-9_])")
KEPT_TEXTS = 2048
KEPT_PATTERNS = 1 << 16  # more than a book has keys (books.py): they are looked for in a row


class PatternSearch(Struct):
    """Search with patterns during one turn, and switch off those that take too long."""

    switched_off: set[str]
    seconds_left: float = TURN_TIMEOUT
    clock: Callable[[], float] = field(default=thread_time)  # whatever else this machine computes meanwhile

    def found(self, key: str, text: str, ignore_case: bool) -> bool:
        """Say whether the pattern occurs in the text; one that is switched off or does not compile never does."""
        pattern = compile_pattern(key, ignore_case)
        if pattern is None or key in self.switched_off or self.seconds_left <= 0:
            return False
        start = self.clock()
        try:
            return self._search(pattern, text, start)
        except TimeoutError:
            self.switched_off.add(key)
            return False
        finally:
            self.seconds_left -= self.clock() - start

    def _search(self, pattern: "regex.Pattern[str]", text: str, start: float) -> bool:
        """Search for at most PATTERN_TIMEOUT of this thread.

        The library counts the time of all threads of the process, and so of a model that computes in others: where it
        gives up too early, it gets more.
        """
        for doubled in range(TRIES):
            try:
                return pattern.search(text, timeout=PATTERN_TIMEOUT * 2**doubled) is not None
            except TimeoutError:
                if self.clock() - start >= PATTERN_TIMEOUT:
                    raise
        return False


class Haystack:
    """Texts that keys are looked for in together."""

    def __init__(self, parts: Iterable[str]) -> None:
        self.parts = tuple(parts)
        self._joined: dict[tuple[bool, bool], str] = {}

    def text(self) -> str:
        """Return all of it, as patterns see it."""
        return "\n".join(self.parts)

    def holds(self, key: str, case_sensitive: bool, whole_words: bool) -> bool:
        """Say whether a plain key occurs."""
        words = whole_words and is_word(key)
        how = (case_sensitive, words)
        if how not in self._joined:
            self._joined[how] = "\n".join(readable(part, *how) for part in self.parts)
        return readable(key, *how) in self._joined[how]


def is_word(key: str) -> bool:
    """Say whether a key can be one whole word; one of several is looked for as it is, as in SillyTavern."""
    return len(key.split()) == 1


@lru_cache(KEPT_TEXTS)
def readable(text: str, case_sensitive: bool, words: bool = False) -> str:
    """Return a text so that what reads the same is the same.

    With `words` its words are marked as in `bordered`: a key is a whole word of a text that holds it then.
    """
    if not text.isascii():
        text = unicodedata.normalize("NFC", text.translate(ALIKE))
    if not case_sensitive:
        text = text.casefold() if text.isascii() else unicodedata.normalize("NFC", text.casefold())
    return bordered(text) if words else text


def bordered(text: str) -> str:
    """Mark where words may begin (\\x02) and end (\\x03)."""
    return WORD_END.sub("\x03", WORD_START.sub("\x02", text))


@lru_cache(KEPT_PATTERNS)
def pattern_of(key: str) -> tuple[str, str] | None:
    """Return the pattern and the flags of a key that is written /pattern/flags; None for another one."""
    end = key.rfind("/")
    if end < 2 or key[0] != "/" or set(key[end + 1 :]) - set("gimsuy"):
        return None
    pattern = key[1:end]
    # SillyTavern takes no slash inside, unless a backslash is before it.
    return None if re.search(r"(?:^|[^\\])/", pattern) else (pattern.replace("\\/", "/", 1), key[end + 1 :])


def is_pattern(key: str) -> bool:
    """Say whether a key is written /like this/, with flags of JavaScript or none."""
    return pattern_of(key) is not None


def is_valid(key: str) -> bool:
    """Say whether a pattern, bare or written /like this/, can be used."""
    try:
        translate(*(pattern_of(key) or (key, "")))
    except NotJavaScript:
        return False
    return True


@lru_cache(KEPT_PATTERNS)
def compile_pattern(key: str, ignore_case: bool) -> "regex.Pattern[str] | None":
    """Compile a pattern, bare or written /like this/i; None where that fails or would take too long.

    `ignore_case` is for bare ones: a literal has its own flags.
    """
    pattern, flags = pattern_of(key) or (key, "i" if ignore_case else "")
    try:
        found = translate(pattern, flags)
        return regex.compile(found.source, found.flags)
    except (NotJavaScript, regex.error, RecursionError, OverflowError):
        return None
