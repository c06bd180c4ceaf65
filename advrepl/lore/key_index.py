"""Which entries of a book a text could wake, found without looking for each of their keys.

All keys are looked for in one go, by an automaton: a text costs what it is long, and not what the book is large. Of a
pattern the automaton knows a piece of plain text that any match must hold. Where a key is said to be possible it is
still looked for (key_match.py). What was found in a text is remembered: most of it was searched before.
"""

import re
from collections.abc import Collection, Iterable, Sequence

import ahocorasick

from advrepl.lore.entries import Book, Entry
from advrepl.lore.key_match import bordered, is_word, pattern_of, readable

# Texts remembered besides those of the entries: at least, and for each turn that is searched. Of fewer all would be
# searched anew each time, as they come in a row. Lines that are typed come between.
KEPT_TEXTS, EACH = 1_000, 2
_Key = tuple[int, str]  # the number of an entry, and a key of it
LONGEST = 32  # letters of a key that the automaton knows: enough to tell keys apart, and little memory
MAX_CHOICES = 16  # texts of which a pattern needs one
MACRO = re.compile(r"\{\{|<(?:user|bot|char|group|charifnotgroup)>", re.IGNORECASE)

_NO_TEXT = re.compile(
    r"\\(?:([ -/:-@\[-^`{-~])|u[0-9a-fA-F]{4}|u\{[^}]*\}|x[0-9a-fA-F]{2}|c[A-Za-z]|k<[^>]*>|[pP]\{[^}]*\}|[0-9]+|.)"
    r"|\[(?:[^\]\\]|\\.)*\]",
    re.DOTALL,
)
_GROUP = re.compile(r"\((\?(?:<?[=!]|[ims]*(?:-[ims]*)?:|<[^=!>][^()>]*>))?([^()]*)\)(\?|\*|\{[0-9,]*\}?)?")
_REPEATED = re.compile(r"[^\0]?(?:[?*]|\{[0-9,]*\})|[+.^$\\]")
# In what is left of a pattern these and the characters behind them stand for groups, for escaped marks, and for \b.
_OWN, _MARKS, _BORDER = "\ue000", 0xE800, "\uf000"
_EDGES = re.compile(rf"^({_BORDER}(?=[A-Za-z0-9_]))?(.*?)((?<=[A-Za-z0-9_]){_BORDER})?$", re.DOTALL)


def needles(pattern: str) -> tuple[str, ...]:
    """Find texts of which every match of a JavaScript pattern holds one; none where that is not to be seen.

    They are caseless, with the marks of `bordered` where words begin and end.

    Sees at a glance what is plain text in it, whether or not the pattern is a valid one.
    """
    if _OWN <= max(pattern, default="") <= "\uf8ff":
        return ()
    groups: list[tuple[str, ...]] = []
    rest = _NO_TEXT.sub(_told_apart, pattern)
    while "(" in rest:
        rest, count = _GROUP.subn(lambda found: _group(found, groups), rest)
        if not count:
            return ()
    found = tuple(map(_plain, _choices(rest, groups)))
    return found if all(found) else ()


def _told_apart(found: re.Match[str]) -> str:
    return chr(_MARKS + ord(found[1])) if found[1] else _BORDER if found[0] == r"\b" else "\0"


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
            if len(piece) == 1 and _OWN <= piece < chr(_MARKS):
                held = groups[ord(piece) - ord(_OWN)]
            else:
                held = (piece,) if piece.strip(_BORDER) else ()
            best = max(best, held, key=lambda some: min(map(len, some), default=0))
        if not best:
            return ()
        every += best
    return tuple(every) if len(every) <= MAX_CHOICES else ()


def _plain(piece: str) -> str:
    """A piece of plain text as it stands between others, whose borders are known where the pattern says \\b."""
    begins, text, ends = _EDGES.fullmatch(piece).groups()  # type: ignore[union-attr]
    text = "".join(chr(ord(each) - _MARKS) if _MARKS <= ord(each) < 0xF000 else each for each in text)
    if _BORDER in text:
        return ""
    marked = bordered(text.casefold())
    return marked[not begins : len(marked) - (not ends)]


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
        self._entries = entries
        self._kept: dict[str, frozenset[_Key]] = {}
        self._most = len(entries) + KEPT_TEXTS
        filed: tuple[dict[str, list[_Key]], ...] = ({}, {})  # of keys anywhere, of whole words and patterns
        for number, entry in enumerate(entries):
            held = _needles_of(entry)
            if held is None:
                self.unfiled.append(number)
            for key, needle, words in held or ():
                filed[words].setdefault(needle[:LONGEST], []).append((number, key))
        self._anywhere, self._words = map(_automaton, filed)

    def candidates(self, texts: Iterable[str]) -> dict[int, Collection[str]]:
        """Find the entries that one of the texts could wake, by their numbers, and which of their keys could do it."""
        found: dict[int, set[str]] = {}
        texts = tuple(texts) if self._words or self._anywhere else ()
        self._most = max(self._most, len(self._entries) + EACH * len(texts))
        for text in texts:
            keys = self._kept.pop(text, None)
            if keys is None:
                keys = frozenset(self._search(text))
                if len(self._kept) >= self._most:
                    del self._kept[next(iter(self._kept))]
            self._kept[text] = keys  # now the youngest
            for number, key in keys:
                found.setdefault(number, set()).add(key)
        return found | {number: self._entries[number].keys for number in self.unfiled}

    def _search(self, text: str) -> set[_Key]:
        found: set[_Key] = set()
        if self._words:
            # Patterns see the text as it is written.
            for each in {readable(text, False, True), bordered(text.casefold())}:
                found |= _found(self._words, each)
        if self._anywhere:
            found |= _found(self._anywhere, readable(text, False))
        return found


def _found(automaton: ahocorasick.Automaton, text: str) -> set[_Key]:
    each_once = {id(keys): keys for _, keys in automaton.iter(text)}
    return set[_Key]().union(*each_once.values())


def _automaton(filed: dict[str, list[_Key]]) -> ahocorasick.Automaton | None:
    automaton = ahocorasick.Automaton()
    for needle, keys in filed.items():
        automaton.add_word(needle, keys)
    automaton.make_automaton()
    return automaton if filed else None


def _needles_of(entry: Entry) -> list[tuple[str, str, bool]] | None:
    """Its keys, with texts of which one must be there for each, and whether as words; None: that cannot be told."""
    if entry.constant or entry.activate:
        return None
    held: list[tuple[str, str, bool]] = []
    for key in entry.keys:
        if MACRO.search(key):
            return None
        if not entry.use_regex and not (key[:1] == "/" and pattern_of(key)):
            words = entry.match_whole_words and is_word(key)
            held += [(key, readable(key, False, words), words)] if key else []
        elif some := needles((pattern_of(key) or (key, ""))[0]):
            # A pattern that turns out to be none is looked for as it is, and then these are in it too.
            held += [(key, each, True) for each in some]
        else:
            return None
    return held
