"""Labels of speakers in a reply: where it begins to speak for the player, and the character's own name at its front.

Pure functions on a growing text. A label is a name with a colon behind it, or alone on its line, in any case, with
emphasis, quotes and blanks around it; so are `Anna (whispers): no`, `<Anna> no` and `アンナ「いや」`. A line that
only begins with the name is none (players are called Will or Hope).
"""

import unicodedata
from functools import lru_cache

import regex

_OPEN = r"[ \t]*[*_~`\"'“„«‘「『【\[(<>#]*[ \t]*"
_CLOSE = r"[*_~`\"'”“»’」』】\])>]*"
_MANNER = r"(?:[ \t]*[(（][^()（）\n]{1,40}[)）][*_~]*)?"  # in which it is said
_COLON = rf"{_MANNER}[ \t]*[:：﹕]|(?=[「『])"  # plays in Japanese have the quotation right behind the name
_ALONE = r"[ \t]*\n"
_BRACKETS = r"(?<=>)[ \t]"  # as in chats; other brackets with something behind them are lines of a card's form
_MIRROR = str.maketrans("“„«‘「『【[(<", "”“»’」』】])>")


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
            rest, opening = text[found.end() :], found["open"].replace("#", "").strip()
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
        opening = found["open"].strip()
        return bool(opening) and not found["close"] and opening[::-1].translate(_MIRROR).startswith(text[found.end() :])


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


def _spelled(name: str) -> str:
    """The name with any apostrophes and blanks, its accents composed or apart."""
    forms = dict.fromkeys(unicodedata.normalize(form, " ".join(name.split())) for form in ("NFC", "NFD"))
    spelled = (regex.sub("['’ʼ]", "['’ʼ]", regex.escape(form)).replace(r"\ ", r"[ \t]+") for form in forms)
    return f"(?:{'|'.join(spelled)})"
