"""Which entries of a book a text could wake, found without looking for each of their keys.

A key can only be in a text that holds any four letters of it. Each key is filed under four that few others are filed
under; so a text costs what it is long, and not what the book is large. Where a key is said to be possible it is still
looked for (key_match.py). What was found in a text is remembered, as most of what is searched was searched before.
"""

import re
from collections.abc import Iterable, Sequence

from advrepl.lore.entries import Book, Entry
from advrepl.lore.key_match import pattern_of, readable

GRAM = 4
KEPT_TEXTS = 1_000
LONGEST = 64  # letters of a key that are looked at: enough to find some that are rare
MAX_CHOICES = 16  # texts of which a pattern needs one
MACRO = re.compile(r"\{\{|<(?:user|bot|char|group|charifnotgroup)>", re.IGNORECASE)

_NO_TEXT = re.compile(
    r"\\(?:([ -/:-@\[-^`{-~])|u[0-9a-fA-F]{4}|u\{[^}]*\}|x[0-9a-fA-F]{2}|c[A-Za-z]|k<[^>]*>|[pP]\{[^}]*\}|[0-9]+|.)"
    r"|\[(?:[^\]\\]|\\.)*\]",
    re.DOTALL,
)
_GROUP = re.compile(r"\((\?(?:<?[=!]|:|<[^>]*>))?([^()]*)\)(\?|\*|\{[0-9,]*\}?)?")
_REPEATED = re.compile(r"[^\0]?(?:[?*]|\{[0-9,]*\})|[+.^$\\]")
_OWN = "\ue000"  # and the characters behind it stand for groups, \ue800 and those behind it for escaped marks
_MARKS = 0xE800


def needles(pattern: str) -> tuple[str, ...]:
    """Find texts of which every match of a JavaScript pattern holds one, caseless; none where that is not to be seen.

    Sees at a glance what is plain text in it, whether or not the pattern is a valid one.
    """
    if _OWN <= max(pattern, default="") <= "\uf8ff":
        return ()
    groups: list[tuple[str, ...]] = []
    rest = _NO_TEXT.sub(lambda found: chr(_MARKS + ord(found[1])) if found[1] else "\0", pattern)
    while "(" in rest:
        rest, count = _GROUP.subn(lambda found: _group(found, groups), rest)
        if not count:
            return ()
    return _choices(rest, groups)


def _group(found: re.Match[str], groups: list[tuple[str, ...]]) -> str:
    """A letter that stands for what a group needs."""
    held = () if found[3] or (found[1] or "").endswith("!") else _choices(found[2], groups)
    groups.append(held)
    return f"\0{chr(ord(_OWN) + len(groups) - 1)}\0" if held and len(groups) < 0x700 else "\0"


def _choices(text: str, groups: Sequence[tuple[str, ...]]) -> tuple[str, ...]:
    """What one of the alternatives needs, of each the longest piece."""
    every: list[str] = []
    for alternative in text.split("|"):
        best: tuple[str, ...] = ()
        for piece in re.split(r"[\0-\x1f]+", _REPEATED.sub("\0", alternative)):
            own = groups[ord(piece) - ord(_OWN)] if len(piece) == 1 and _OWN <= piece < chr(_MARKS) else ()
            best = max(
                best, own or ((_plain(piece),) if piece else ()), key=lambda held: min(map(len, held), default=0)
            )
        if not best:
            return ()
        every += best
    return tuple(every) if len(every) <= MAX_CHOICES else ()


def _plain(piece: str) -> str:
    return "".join(chr(ord(each) - _MARKS) if ord(each) >= _MARKS and each <= "\uefff" else each for each in piece)


def index_of(book: Book) -> "KeyIndex":
    """Return the index of a book, which is made once, as a book never changes."""
    kept = vars(book)
    if "index" not in kept:
        kept["index"] = KeyIndex(book.entries)
    index: KeyIndex = kept["index"]
    return index


class KeyIndex:
    """The entries of a book by their keys."""

    def __init__(self, entries: Sequence[Entry]) -> None:
        self.numbers = {entry.id: number for number, entry in enumerate(entries)}
        self.depth = max((entry.scan_depth or 0 for entry in entries), default=0)  # that any entry asks for
        self.levels = sorted({entry.delay_until_recursion for entry in entries} - {0})
        self.unfiled: list[int] = []  # entries that have to be looked at in every turn
        self._kept: dict[str, tuple[int, ...]] = {}
        self._filed: dict[int, dict[str, list[int]]] = {length: {} for length in range(1, GRAM + 1)}
        for number, entry in enumerate(entries):
            held = self._needles(entry)
            if held is None:
                self.unfiled.append(number)
            for needle in held or ():
                self._file(needle, number)

    def candidates(self, texts: Iterable[str]) -> set[int]:
        """Find the numbers of the entries of which a key could be in one of the texts."""
        found = set(self.unfiled)
        for text in texts:
            if text not in self._kept:
                while len(self._kept) >= KEPT_TEXTS:
                    del self._kept[next(iter(self._kept))]
                self._kept[text] = tuple(self._search(text))
            found.update(self._kept[text])
        return found

    def _search(self, text: str) -> set[int]:
        found: set[int] = set()
        # Patterns see the text as it is written.
        for each in {readable(text, False), text.casefold()}:
            for length, filed in self._filed.items():
                if filed:
                    here = {each[at : at + length] for at in range(len(each) - length + 1)}
                    found.update(number for gram in here & filed.keys() for number in filed[gram])
        return found

    def _file(self, needle: str, number: int) -> None:
        filed, best = self._filed[min(len(needle), GRAM)], ""
        for at in range(max(min(len(needle) - GRAM, LONGEST), 0) + 1):
            gram = needle[at : at + GRAM]
            if gram not in filed:
                filed[gram] = [number]
                return
            best = min(best or gram, gram, key=lambda each: len(filed[each]))
        filed[best].append(number)

    def _needles(self, entry: Entry) -> list[str] | None:
        """What one of must be in the text; None: that cannot be told."""
        if entry.constant or entry.activate:
            return None
        held: list[str] = []
        for key in entry.keys:
            if MACRO.search(key):
                return None
            written = (key, "") if entry.use_regex else pattern_of(key)
            some = [each.casefold() for each in needles(written[0])] if written else [readable(key, False)]
            if written and not some:
                return None
            held += filter(None, some)
        return held
