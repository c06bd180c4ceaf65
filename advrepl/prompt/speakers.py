"""Labels of speakers in a reply: where it begins to speak for the player, and the character's own name at its front.

Pure functions on a growing text. A label is a name with a colon behind it, or alone on its line, in any case, with
emphasis, quotes, blanks and tags around it; so are `Anna (whispers): no`, `<Anna> no` and `アンナ「いや」`. A line
that only begins with the name is none (players are called Will or Hope).
"""

import itertools
import unicodedata
from functools import lru_cache

import regex

# What cannot be seen counts as a blank: marks of direction, and those that shape the emoji before them.
_BLANK = r"[\p{Zs}\t\p{Cf}\uFE0F]"
_EMOJI = r"(?:\p{So}|\p{Emoji_Modifier}|\p{Regional_Indicator})"
_TAG = r"</?(?:b|i|u|em|strong|span|font|div|p|h\d)(?: [^<>\n]{0,60})?>"
# No emoji before it: lines of a card's form begin with one (`🧍 Anna: tired`).
_OPEN = rf"(?:{_TAG}|{_BLANK}|[*_~`\"'“„‚«‘「『【\[({{<>#|@\\])*"
_SIGNS = rf"(?:{_TAG}|{_EMOJI}|\uFE0F|[*_~`\"'”“»’‘」』】\])}}>|\\])*"
_CLOSE = rf"(?:{_BLANK}*(?={_EMOJI}))?{_SIGNS}"
# In which it is said.
_MANNER = (
    rf"(?:{_BLANK}*(?:[*_~]*[(（][^()（）\n]{{1,40}}[)）][*_~]*|\[[^\[\]\n]{{1,40}}\]"
    rf"|\{{[^{{}}\n]{{1,40}}\}}|\*[^*\n:：]{{1,40}}\*))*"
)
# Plays in Japanese have the quotation right behind the name.
_COLON = rf"{_MANNER}(?:{_BLANK}*[:：﹕︓։](?:{_BLANK}*{_TAG})*|(?=[「『]))"
_ALONE = rf"{_BLANK}*\r?\n"
_BRACKETS = r"(?<=>)[ \t]"  # as in chats; other brackets with something behind them are lines of a card's form
_EMPHASIS = "*_~`\"'“„«‘「『【[(<"  # of what opens, what also closes behind what was said
_MIRROR = str.maketrans("“„«‘「『【[(<", "”“»’」』】])>")
# Accents and points that many leave out, above all in capitals; vowel signs of India and Thailand are none.
_ACCENTS = (range(10, 37), range(202, 241))  # by their combining classes
_MARKS = r"[\u0300-\u036F\u0591-\u05C7\u064B-\u065F]*"
_COMPOSED = (range(0xC0, 0x250), range(0x370, 0x530), range(0x622, 0x627), range(0x1E00, 0x2000))
_WIDE = 0xFEE0  # from a sign of ASCII to its full-width form


class Speakers:
    """Finds the labels of those who end a reply, and of the one who gives it."""

    def __init__(self, others: tuple[str, ...], own: str = "", *, bare: bool = False) -> None:
        """`bare`: a line that begins with the name ends the reply as well."""
        self._others = tuple(_label(name, bare) for name in others)
        self._own = _own_label(own) if own else None

    def other_line(self, text: str, start: int = 0) -> int | None:
        """Return where a line in another one's name begins, with the newline before it, at `start` or later."""
        for at in _line_starts(text, start):
            if any(label.match(text, at) for label in self._others):
                return max(at - 1, 0)
        return None

    def may_be_other(self, text: str, start: int = 0) -> int:
        """From where on the last line could still become such a line, with its newline; the text's length if not."""
        at = text.rfind("\n", start) + 1
        if at == 0 and start > 0:
            return len(text)
        if any(label.fullmatch(text, at, partial=True) for label in self._others):
            return max(at - 1, 0)
        return len(text)

    def without_own(self, text: str) -> str:
        """Return a reply without its speaker's own label at its front, and without the emphasis of that."""
        while self._own and (found := self._own.match(text)):
            rest, opening = text[found.end() :], _emphasis(found["open"])
            closing = opening[::-1].translate(_MIRROR)
            if opening and not found["close"]:
                rest = rest[len(closing) :] if rest.startswith(closing) else opening + rest.lstrip()
            text = rest.lstrip()
        return text

    def may_be_own(self, text: str) -> bool:
        """Tell whether the whole text could still become the speaker's own label."""
        if not self._own or not text:
            return False
        found = self._own.match(text)
        if not found:
            return self._own.fullmatch(text, partial=True) is not None
        opening, rest = _emphasis(found["open"]), text[found.end() :]
        if "<" in found["open"] and regex.fullmatch(rf"\s*(?:{_TAG})?", rest, partial=True):
            return True
        return bool(opening) and not found["close"] and opening[::-1].translate(_MIRROR).startswith(rest)


def _line_starts(text: str, start: int) -> list[int]:
    starts = [found.end() for found in regex.finditer("\n", text, pos=start)]
    return starts if start else [0, *starts]


@lru_cache(maxsize=64)
def _label(name: str, bare: bool) -> "regex.Pattern[str]":
    ends = rf"{_COLON}|{_ALONE}|{_BRACKETS}" + (r"|\s" if bare else "")
    return regex.compile(rf"{_OPEN}{_spelled(name)}{_CLOSE}(?:{ends})", regex.IGNORECASE | regex.FULLCASE)


@lru_cache(maxsize=64)
def _own_label(name: str) -> "regex.Pattern[str]":
    first, *more = name.split()
    names = f"(?:{_spelled(name)}|{_spelled(first)})" if more else _spelled(name)
    ends = rf"(?:{_COLON}|{_ALONE}|{_BRACKETS})"
    return regex.compile(rf"(?P<open>{_OPEN}){names}(?P<close>{_CLOSE}){ends}", regex.IGNORECASE | regex.FULLCASE)


def _emphasis(opened: str) -> str:
    """Return of what stands before a label that which is to be closed."""
    return "".join(sign for sign in regex.sub(_TAG, "", opened) if sign in _EMPHASIS)


def _spelled(name: str) -> str:
    """The name with any apostrophes, hyphens and blanks, with its accents, apart or composed, or without; no emoji."""
    name = unicodedata.normalize("NFC", " ".join(name.split()))
    core = regex.sub(r"^[\p{P}\p{S}\p{Cf}\uFE0F ]+|[\p{P}\p{S}\p{Cf}\uFE0F ]+$", "", name) or name
    return "".join(map(_letter, core))


def _letter(char: str) -> str:
    """A character of a name, as it may be spelled."""
    if char in "'’ʼ":
        return "['’ʼ]"
    if char == ".":
        return r"\.?"
    if regex.match(r"\p{Pd}", char):
        return r"(?:[\p{Pd}\u00AD]|[ \t]+)"
    if char == " ":
        return rf"{_BLANK}+"
    if _is_accent(char):
        return f"{char}?"
    base = _unaccented(char)
    forms = {char, unicodedata.normalize("NFD", char), base, *_composed().get(base, "")}
    forms |= {chr(ord(base) + _WIDE)} if "!" <= base <= "~" else set()
    spelled = "|".join(regex.escape(form) for form in sorted(forms, key=lambda form: (-len(form), form)))
    return f"(?:{spelled}){_MARKS if base.isalpha() else ''}"


def _is_accent(mark: str) -> bool:
    return any(unicodedata.combining(mark) in each for each in _ACCENTS)


def _unaccented(char: str) -> str:
    """A letter without its accents; as it is where it has none."""
    apart = unicodedata.normalize("NFD", char)
    return apart[0] if all(map(_is_accent, apart[1:])) else char


@lru_cache(maxsize=1)
def _composed() -> dict[str, str]:
    """Letters with accents, by those without."""
    found: dict[str, str] = {}
    for char in map(chr, itertools.chain.from_iterable(_COMPOSED)):
        if (base := _unaccented(char)) != char:
            found[base] = found.get(base, "") + char
    return found
