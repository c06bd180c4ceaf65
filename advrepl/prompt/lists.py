"""The lists that models write: what a line of one looks like, where one begins. Pure functions on text."""

import regex
from msgspec import Struct

from advrepl.lazy_regex import lazy
from advrepl.scripts import is_unspaced

# By their places in these, letters and signs say the first, the second, …
_ORDERS = ("ABCDE", "abcde", "АБВГД", "абвгд", "ΑΒΓΔΕ", "αβγδε", "①②③④⑤⑥⑦⑧⑨", "一二三四五")
_LETTERS, _CIRCLED, _HAN = "".join(_ORDERS[:6]), *_ORDERS[6:]
_PLACE = rf"(?P<place>\d{{1,2}}|[{_LETTERS}])"
_NAMES = ("option", "choice", "opción", "вариант", "选项", "選択肢")
# "1.", "a)", "１．", "1、", "一、", "(1)", "[a]", "【1】", "①", "Option 1:", and "1:"; not "A:", who may be a speaker.
_ENUMERATED = "|".join(
    (
        rf"{_PLACE}[.)．）、]",
        r"(?P<place>\d{1,2})[:：]",
        rf"\({_PLACE}\)|\[{_PLACE}\]|（{_PLACE}）|【{_PLACE}】[:：]?",
        rf"(?P<place>[{_CIRCLED}])|(?P<place>[{_HAN}])[、．.]",
        rf"(?:{'|'.join(_NAMES)})[ \t]?{_PLACE}[.):：]",
    )
)
_DASH = "[-*•–]"
# A blank follows, but where none does in the script that follows, or behind a sign that brings its own.
_MARK = (
    rf"(?P<mark>{_DASH})[ \t]+|(?P<mark>・)[ \t]*"
    rf"|(?P<bold>\*\*|__)?(?P<mark>{_ENUMERATED})(?P<closed>\*\*|__)?(?P<blank>[ \t]*)"
)
_LINE = lazy(rf"[ \t]*(?:{_MARK})(?P<text>\S.*?)?[ \t]*", regex.IGNORECASE)
_OWN_BLANK = "．）、】：・" + _CIRCLED
_LINE_START = lazy(r"(?:^|\n)")


class Item(Struct, frozen=True):
    """A line of a list."""

    mark: str
    place: int  # 1 for the first; 0: its mark does not say
    text: str


class ListStart(Struct, frozen=True):
    """Where lines of a list begin in a text, before their newline."""

    start: int
    marker: str  # of the first line, as the options are to go on with it
    sure: bool  # or may it still turn out to be a line of dialogue?


def item(line: str) -> Item | None:
    """Read a line of a list; None if it is none."""
    found = _LINE.fullmatch(line.rstrip())
    if not found or not (text := found["text"]) or not _is_apart(found):
        return None
    if (bold := found["bold"]) and not found["closed"]:
        text = text.removesuffix(bold).rstrip()
    return Item(found["mark"], _place(found["place"]), text)


def list_start(text: str, start: int = 0) -> ListStart | None:
    """Return where a list begins in the text, at `start` or later: two lines, or the last one, which may become two."""
    for begin in _LINE_START.finditer(text, start):
        line, _, below = text[begin.end() :].partition("\n")
        first = item(line)
        if not first or first.place > 1:
            continue
        below = below.lstrip("\n")
        second = item(below.partition("\n")[0])
        sure = second is not None and second.place == (2 if first.place else 0)
        if sure or not below or ("\n" not in below and _may_begin(below)):
            return ListStart(begin.start(), _marker(first.mark), sure)
    return None


def may_be_list(text: str, start: int = 0) -> int:
    """From where on, at `start` or later, the end of the text could still turn into a list; its length if it cannot."""
    if begun := list_start(text, start):
        return begun.start
    at = text.rfind("\n", start)
    if at < 0 and start:  # the line began before, and is prose
        return len(text)
    return max(at, 0) if _may_begin(text[at + 1 :]) else len(text)


def _may_begin(line: str) -> bool:
    """Tell whether a line that is still being written has nothing yet but what could be the mark of a list."""
    found = _LINE.fullmatch(line, partial=True)
    return found is not None and (not found["text"] or found["text"] == (found["bold"] or "  ")[0])


def _is_apart(found: "regex.Match[str]") -> bool:
    """Tell whether what follows a mark stands apart from it."""
    return found["blank"] != "" or found["mark"][-1] in _OWN_BLANK or is_unspaced(found["text"][:1])


def _place(written: str | None) -> int:
    if not written:
        return 0
    return int(written) if written.isdecimal() else next(o.index(written) + 1 for o in _ORDERS if written in o)


def _marker(mark: str) -> str:
    """The mark with which options go on from the first line's: the same if it is one of the usual ones."""
    return mark if regex.fullmatch(rf"{_DASH}|[0-9]{{1,2}}[.)]|[A-Ea-e][.)]", mark) else "-"
