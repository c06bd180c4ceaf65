"""Letters, words, names and sentences in any script, by the properties that Unicode gives them.

Knows no languages (prompt/languages.py does).
"""

import unicodedata
from functools import lru_cache

import regex

from advrepl.lazy_regex import lazy

# Scripts that put no spaces between words. Line breaks are found in them with a dictionary (SA: Thai, Lao, Khmer, …) or
# between any two characters.
UNSPACED = r"[\p{Line_Break=SA}\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Tibetan}ー〆ｰ]"
# Behind a letter these belong to the word: vowel signs and accents, and the joiners that shape Persian and Hindi.
_MORE = r"\p{M}\p{Join_Control}"
# Without spaces each character counts as a word by itself. Atomic: "don't" is never read as "don", whatever follows.
_REST = rf"(?:[[\p{{L}}\p{{N}}{_MORE}]--{UNSPACED}]|['’](?=[\p{{L}}\p{{N}}]))*"
WORD = rf"(?V1)(?>{UNSPACED}[{_MORE}]*|[[\p{{L}}\p{{N}}]--{UNSPACED}]{_REST})"
_WORD = lazy(WORD)
# Greek asks with a semicolon.
_STOPS = r"[\p{Sentence_Terminal}…‥།༎]"
_STOP = rf"(?:{_STOPS}|(?<=\p{{Greek}});)"
# What may stand behind it: quotes (German closes with what opens in English; French puts a space before), emphasis, an
# emoji, and what cannot be seen.
_EMOJI = r"[\p{Extended_Pictographic}\p{Emoji_Modifier}♪♫\uFE0F]"
_CLOSING = rf"(?:[\"'*_~`\p{{Pe}}\p{{Pf}}\p{{Pi}}\p{{Cf}}]|\s»|[ \u3000]?{_EMOJI})*+"
_SENTENCE_END = lazy(rf"{_STOP}{_CLOSING}$")
_NEXT = rf"\s|{UNSPACED}|[「『（《〈【]"
_SENTENCE_BORDER = lazy(rf"(?<!{_STOPS}){_STOP}++{_CLOSING}(?={_NEXT}|\Z)|\n")
_CLAUSE_BORDER = lazy(rf"[,;:、，；：،؛—–]{_CLOSING}(?={_NEXT})")
_IN_WORD = lazy(rf"[\p{{L}}\p{{N}}_{_MORE}]")
_UNSPACED = lazy(UNSPACED)
_MARK = lazy(r"[\p{M}\p{Join_Control}]")
# What a name may hold: all that can be seen, and what joins letters or the parts of an emoji.
_NAME = lazy(r"[\p{L}\p{M}\p{N}\p{P}\p{S}\p{Zs}\p{Join_Control}\U000E0020-\U000E007F]+")
_FILE_NAME = lazy(rf"[\p{{L}}\p{{N}}][\p{{L}}\p{{N}}_{_MORE} .()-]*")
_SLUG_WORD = lazy(rf"[\p{{L}}\p{{N}}][\p{{L}}\p{{N}}{_MORE}]*")
_FULL_STOPS = (
    (lazy(r"[\p{Han}\p{Hiragana}\p{Katakana}]"), "。"),
    (lazy(r"[\p{Devanagari}\p{Bengali}\p{Gurmukhi}\p{Oriya}]"), "।"),
    (lazy(r"\p{Armenian}"), "։"),
    (lazy(r"\p{Ethiopic}"), "።"),
    (lazy(r"\p{Khmer}"), "។"),
    (lazy(r"\p{Myanmar}"), "။"),
    (lazy(r"\p{Tibetan}"), "།"),
    (lazy(r"[\p{Thai}\p{Lao}]"), ""),
)
# Quotation marks that open, each with those that may close it; the first one is meant where it is missing.
_QUOTES = {'"': '"', "“": "”", "„": "“”", "«": "»", "「": "」", "『": "』", "»": "«"}
_BEFORE_QUOTE = "(*_~–—-[“‘'"  # what a quotation mark that opens may stand behind, besides blanks
# By the names of their letters: Japanese mixes three scripts, and Korean may hold Chinese.
_JAPANESE = ("Han", "Hiragana", "Katakana")
_WRITTEN_TOGETHER = {
    **dict.fromkeys(("CJK", "HIRAGANA", "KATAKANA", "KATAKANA-HIRAGANA", "IDEOGRAPHIC", "HALFWIDTH"), _JAPANESE),
    "HANGUL": ("Hangul", "Han"),
    "FULLWIDTH": (*_JAPANESE, "Latin"),
}
GAP = 0x40  # characters between two ranges of a script that belong to it as well: unassigned ones, signs, digits
LONGEST_FILE_NAME = 200  # bytes: file systems take 255, and endings and numbers follow


def words(text: str) -> list[str]:
    """Return the words of a text, each character of a script without spaces by itself."""
    return [found[0] for found in _WORD.finditer(text)]


def is_unspaced(text: str) -> bool:
    """Tell whether a text holds characters of a script that puts no spaces between words."""
    return _UNSPACED.search(text) is not None


def value(number: str) -> int:
    """Return the value of one character that is a number: 3 for ③ and ❸."""
    return int(unicodedata.numeric(number))


def ends_sentence(text: str) -> bool:
    """Tell whether the text ends with a whole sentence, with the quotes and the emphasis that end behind it."""
    return _SENTENCE_END.search(text.rstrip()) is not None


def last_sentence_end(text: str, end: int) -> int:
    """Return where the last sentence ends that is whole before `end`; 0: none is."""
    return max((found.end() for found in _SENTENCE_BORDER.finditer(text, endpos=max(end, 0))), default=0)


def first_sentence_end(text: str, start: int) -> int:
    """Return where the first sentence ends that begins here; the text's end if none does before."""
    found = _SENTENCE_BORDER.search(text, start)
    return found.end() if found else len(text)


def last_clause_end(text: str, end: int) -> int:
    """Return where the last clause or sentence ends that is whole before `end`; 0: none is."""
    clauses = (found.end() for found in _CLAUSE_BORDER.finditer(text, endpos=max(end, 0)))
    return max(last_sentence_end(text, end), *clauses, 0)


def word_start(text: str, at: int) -> int:
    """Return where the word begins that stands at a place of the text, or the blanks before it."""
    while at and not is_border(text[at - 1], text[at]):
        at -= 1
    return len(text[:at].rstrip())


def script_names(text: str) -> frozenset[str]:
    """Return the first words of the Unicode names of a text's letters, which name their scripts."""
    return frozenset(unicodedata.name(char, "?").split()[0] for char in set(text) if char.isalpha())


@lru_cache(maxsize=64)
def script_ranges(name: str) -> tuple[tuple[int, int], ...]:
    """Return the ranges of a script's characters, and of what stands between them; none for a name of no script."""
    scripts = "".join(rf"\p{{Script={each}}}" for each in _WRITTEN_TOGETHER.get(name, (name,)))
    ranges: list[tuple[int, int]] = []
    try:
        found = regex.finditer(
            f"[{scripts}]+", "".join(map(chr, (*range(0xD800), *[32] * 0x800, *range(0xE000, 0x20000))))
        )
        for each in found:
            low, high = each.start(), each.end() - 1
            if ranges and low - ranges[-1][1] <= GAP:
                low = ranges.pop()[0]
            ranges.append((low, high))
    except regex.error:
        return ()
    return (*ranges, (0x20000, 0x3FFFF)) if "Han" in scripts else tuple(ranges)


def full_stop(text: str) -> str:
    """Return what ends a sentence in the script of the text's last word; Thai has nothing for it."""
    last = next(iter(words(text)[-1:]), "")
    return next((stop for script, stop in _FULL_STOPS if script.search(last)), ".")


def open_quotes(text: str) -> str:
    """Return the quotation marks that the last paragraph lacks; empty: none."""
    last, missing = text.rsplit("\n", 1)[-1], list[str]()
    for at, char in enumerate(last):
        if missing and char in missing[-1]:
            missing.pop()
        elif char in _QUOTES and (char != "»" or _opens(last, at)):
            missing.append(_QUOTES[char])
    return "".join(closing[0] for closing in reversed(missing))


def paired(text: str, piece: str) -> tuple[str, str]:
    """Return what a piece adds to a text without straight quotes that close nothing, and what must wait for the next.

    One that stands behind a word and opens is set off from it.
    """
    added = ""
    for at, char in enumerate(piece):
        before = text + added
        if char != '"' or before.count(char) % 2 or not before[-1:].strip() or before[-1] in _BEFORE_QUOTE:
            added += char
            continue
        after = piece[at + 1 : at + 2]
        if not after:
            return added, char
        added += f" {char}" if after.isalnum() else ""
    return added, ""


def _opens(text: str, at: int) -> bool:
    """Whether a mark that may stand on either side (» in German and in French) is at the front of a word."""
    return not text[:at].rstrip("(\"'")[-1:].strip() and bool(_IN_WORD.match(text[at + 1 : at + 2]))


def is_border(left: str, right: str) -> bool:
    """Tell whether a word may end between two characters; either may be empty, at an end of the text."""
    if not (_IN_WORD.match(left) and _IN_WORD.match(right)):
        return True
    return not _MARK.match(right) and bool(_UNSPACED.match(left) or _UNSPACED.match(right))


def is_name(text: str) -> bool:
    """Tell whether a text can be somebody's name: something to be seen, and nothing that controls a terminal."""
    return _NAME.fullmatch(text) is not None and regex.search(r"[\p{L}\p{N}\p{S}]", text) is not None


# Names that are devices on Windows, whatever their ending.
DEVICES = {"con", "prn", "aux", "nul", *(f"{port}{number}" for port in ("com", "lpt") for number in range(10))}


def is_file_name(name: str, most: int = 100) -> bool:
    """Tell whether a file can be called so on all systems: at most so many characters, and never a path."""
    fits = len(name) <= most and len(name.encode()) <= LONGEST_FILE_NAME
    device = name.partition(".")[0].rstrip(" ").casefold() in DEVICES
    return fits and not device and _FILE_NAME.fullmatch(name) is not None and not name.endswith((" ", "."))


def slug(text: str, most: int = 60) -> str:
    """Return the words of a text, at most so many characters, joined as in a file name; empty: it has none."""
    whole = "-".join(_SLUG_WORD.findall(text.casefold()))
    while len(whole) > most or len(whole.encode()) > LONGEST_FILE_NAME:
        whole = regex.sub(r"\X$", "", whole).rstrip("-")
    return f"{whole}-1" if whole in DEVICES else whole
