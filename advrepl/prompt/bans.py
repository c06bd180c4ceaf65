"""Phrases that must not come, such as players' lists of worn ones: read from files, found in a growing text.

A phrase is found in any case and spacing, also inside words and through emphasis, as other programs find "banned
strings". Does not decide what is written instead (play/writer.py).
"""

import unicodedata
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any

import msgspec

from advrepl import AdvreplError, regular
from advrepl.scripts import word_start

LEAST = 2  # letters of a phrase: one letter stands in every reply
MOST = 200  # characters of one
LONGEST_WORD = 16  # characters of a word, or of a text without spaces, that are kept out
NEVER = -100.0  # a bias
LARGEST = 1 << 20  # bytes of a file
_IGNORED = frozenset("*_~")
_SAME = str.maketrans("’‘ʼ´`“”„«»–—‑−", "'''''\"\"\"\"\"----")
_END = ""  # the key of a trie's node at which a phrase ends

Node = dict[str, Any]


def checked(phrase: str) -> str:
    """Return a phrase as it is kept; raises AdvreplError where it would stop every reply, or is none."""
    phrase = " ".join(phrase.split())
    if not sum(map(str.isalnum, phrase)) >= LEAST or len(phrase) > MOST:
        raise AdvreplError(f"{phrase[:40]!r} cannot be banned: a phrase has {LEAST} letters at least, {MOST} at most")
    return phrase


def load(path: Path) -> tuple[tuple[str, ...], list[str]]:
    """Read a list of phrases: one a line, quoted or not, or JSON; raises AdvreplError that names the file.

    Returns the phrases, and what is to be said of lines that are none: others' lists also hold single characters.
    """
    try:
        if path.stat().st_size > LARGEST:
            raise AdvreplError(f"{path} is too large for a list of phrases: they take {LARGEST >> 20} MB at most")
        text = regular.read(path).decode("utf-8-sig")
    except OSError as error:
        raise AdvreplError(f"{path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError:
        raise AdvreplError(f"{path} is no list of phrases: save it as UTF-8, one phrase a line") from None
    lines = _json(text, path) if text.lstrip().startswith("[") else text.splitlines()
    phrases = (line.strip().removesuffix(",").strip().strip('"“”').strip() for line in lines)
    found, notes = list[str](), list[str]()
    for phrase in phrases:
        try:
            if phrase and not phrase.startswith("#"):
                found.append(checked(phrase))
        except AdvreplError as error:
            notes.append(str(error))
    if not found:
        raise AdvreplError(notes[0] if notes else f"there are no phrases in {path}: write one a line")
    more = f", nor {len(notes) - 1} more of its lines" if len(notes) > 1 else ""
    return added((), found), [f"{path.name}: {notes[0]}{more}"] if notes else []


def _json(text: str, path: Path) -> list[str]:
    try:
        return msgspec.json.decode(text, type=list[str])
    except (msgspec.DecodeError, RecursionError):
        raise AdvreplError(f'{path} is no list of phrases: write one a line, or JSON like ["a phrase"]') from None


def added(phrases: Iterable[str], more: Iterable[str]) -> tuple[str, ...]:
    """Return the phrases and those of the others that are not there yet, however they are written."""
    known: dict[str, str] = {}
    for phrase in (*phrases, *more):
        known.setdefault(_plain(phrase), phrase)
    return tuple(known.values())


def without(phrases: Iterable[str], phrase: str) -> tuple[str, ...]:
    """Return the phrases without this one."""
    return tuple(each for each in phrases if _plain(each) != _plain(phrase))


class BanScan:
    """Looks for phrases in one growing text. A step costs the new characters only."""

    def __init__(self, phrases: tuple[str, ...]) -> None:
        self._root = _trie(phrases)
        self._open: list[tuple[Node, int]] = []  # how far each phrase that may have begun has come, and where it began
        self._read = 0
        self._gap = self._in_word = False

    def read(self, text: str, floor: int = 0) -> int | None:
        """Take in the text so far, up to the end of the first phrase that ends behind `floor`; return where it begins.

        None: there is none yet.
        """
        while self._root and self._read < len(text):
            at, self._read = self._read, self._read + 1
            if (begun := self._step(text[at], at)) is not None and self._read > floor:
                return begun
        return None

    def safe(self, text: str) -> int:
        """Return how much of what was read cannot be the beginning of a phrase."""
        return min([len(text), *(start for _, start in self._open)])

    def _step(self, char: str, at: int) -> int | None:
        if char.isspace():
            self._gap = True
            return None
        if char in _IGNORED or unicodedata.category(char) == "Cf":
            return None
        spelled = _folded(char)
        in_word = spelled[:1].isalnum()
        if self._gap and self._in_word and in_word:  # blanks beside marks count for nothing
            self._open = [(node[" "], start) for node, start in self._open if " " in node]
        self._gap, self._in_word = False, in_word or (self._in_word and unicodedata.category(char)[0] == "M")
        self._open.append((self._root, at))
        for each in spelled:
            self._open = [(node[each], start) for node, start in self._open if each in node]
        return next((start for node, start in self._open if _END in node), None)


def contains(text: str, phrases: tuple[str, ...]) -> bool:
    """Tell whether one of the phrases stands in a text."""
    return BanScan(phrases).read(text) is not None


def first_in(text: str, phrases: tuple[str, ...]) -> int | None:
    """Return where the first one begins in a text."""
    return BanScan(phrases).read(text)


def kept_out(text: str, at: int) -> dict[str, float]:
    """Return biases that keep the word at this place of the text from being said there, in whatever tokens."""
    start = word_start(text, at)
    word = text[start:].split(maxsplit=1)[0][:LONGEST_WORD]
    blanks = text[start : len(text) - len(text[start:].lstrip())]
    # What the model sampled at the front of a text or of a line may have had a blank before it.
    spaces = (" ",) if blanks == " " else ("",) if start and not blanks else (" ", "")
    return {space + word[:end]: NEVER for space in spaces for end in range(1, len(word) + 1)}


@lru_cache(maxsize=8)
def _trie(phrases: tuple[str, ...]) -> Node:
    root: Node = {}
    for phrase in phrases:
        node = root
        for char in _plain(phrase):
            node = node.setdefault(char, {})
        node[_END] = True
    return root


def _plain(phrase: str) -> str:
    """A phrase as it is looked for: folded, with one blank between two words and none beside marks."""
    plain, gap = "", False
    for char in phrase:
        if char.isspace():
            gap = True
        elif char not in _IGNORED and unicodedata.category(char) != "Cf":
            spelled = _folded(char)
            if gap and plain and _is_word(plain[-1]) and spelled[:1].isalnum():
                plain += " "
            plain, gap = plain + spelled, False
    return plain


def _is_word(char: str) -> bool:
    return char.isalnum() or unicodedata.category(char)[0] == "M"


@lru_cache(maxsize=4096)
def _folded(char: str) -> str:
    """A character without case and with its accents apart, as text comes piece by piece; quotes and dashes alike."""
    return unicodedata.normalize("NFD", unicodedata.normalize("NFD", char).casefold()).translate(_SAME)
