"""The lists that models write: what a line of one looks like, where one begins. Pure functions on text."""

import regex
from msgspec import Struct

from advrepl.lazy_regex import lazy
from advrepl.scripts import is_unspaced, value

# By their places in these, letters and signs say the first, the second, …
_ORDERS = (
    *("ABCDE", "abcde", "АБВГД", "абвгд", "ΑΒΓΔΕ", "αβγδε", "אבגדה", "أبجده", "กขคงจ", "कखगघङ", "가나다라마"),
    *("あいうえお", "アイウエオ", "一二三四五", "甲乙丙丁戊", "ⅠⅡⅢⅣⅤ", "ⅰⅱⅲⅳⅴ"),
)
_LETTERS = "".join(_ORDERS)
_ROMAN = ("i", "ii", "iii", "iv", "v")
_KEYCAP = "\ufe0f?\u20e3"  # what makes a key of a digit: 1️⃣
_PLACE = rf"(?P<place>\d{{1,2}}|[{_LETTERS}]|i{{1,3}}|iv|v)"
_NAMES = (
    *("option", "choice", "opción", "opção", "opcja", "opzione", "optie", "opțiunea", "опция", "opsi", "옵션"),
    *("choix", "scelta", "möglichkeit", "auswahl", "wahl", "keuze", "valg", "val", "alternativ", "vaihtoehto"),
    *("wybór", "možnost", "možnosť", "lehetőség", "seçenek", "вариант", "выбор", "варіант", "вибір", "επιλογή"),
    *("选项", "選項", "选择", "選択肢", "選択", "선택지", "선택", "विकल्प", "الخيار", "خيار", "گزینه", "אפשרות"),
    *("ตัวเลือก", "lựa chọn", "pilihan"),
)
# "1.", "a)", "１．", "1、", "一、", "1.)", "1º", "1/", "#1", "(1)", "[a]", "【1】", "<1>", "①", "❶", "1️⃣", "Option 1:",
# "1:" and "1 -"; not "A:", who may be a speaker.
_ENUMERATED = "|".join(
    (
        rf"{_PLACE}(?:\.\)|\.-|\\?[.)]|[．）、/])",
        r"(?P<place>\d{1,2})(?:[:：>º°]|[ \t][-–—])|\#(?P<place>\d{1,2})[:.)]?",
        rf"\({_PLACE}\)|\[{_PLACE}\]:?|（{_PLACE}）|【{_PLACE}】[:：]?|「{_PLACE}」|<{_PLACE}>|\{{{_PLACE}\}}",
        rf"(?P<place>\d{{1,2}}){_KEYCAP}[.)]?|(?P<place>[\p{{No}}--[²³¹½¼¾]])",
        rf"(?:{'|'.join(_NAMES)})[ \t]?{_PLACE}(?:[ \t]?[:：]|[.)]|[ \t][-–—]|(?=(?:\*\*|__)[:：]))",
    )
)
_DASH = "[-*•–‣⁃●◦]"
# Signs and emoji that some set before each line, all the same; those of songs stand before what is sung.
_SIGN = r"[[\p{So}←-⇿\U0001F3FB-\U0001F3FF]--[\p{No}♩-♬🎵🎶°©®]]\uFE0F?"
_BOX = r"(?:\[[ xX]\][ \t]+)?"
# A blank follows, but where none does in the script that follows, or behind a sign that brings its own.
_MARK = (
    rf"(?P<bold>\*\*|__)?(?P<mark>{_ENUMERATED})(?P<closed>(?:\*\*|__)[:：]?)?(?P<blank>[ \t]*)"
    rf"|(?P<mark>{_DASH}|{_SIGN})[ \t]+{_BOX}|(?P<mark>・)[ \t]*"
)
_LINE = lazy(rf"(?V1)[ \t]*(?:{_MARK})(?P<text>\S.*?)?[ \t]*", regex.IGNORECASE)
_SIGNED = lazy(rf"(?V1){_SIGN}")
_OWN_BLANK = lazy(r"[．）、】：・」\p{No}\u20E3][.)]?$")
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
    if (numbered := item(text)) and numbered.mark[:1].isdecimal():
        text = numbered.text
    return Item(found["mark"], _place(found["place"]), text)


def may_follow(one: Item, other: Item) -> bool:
    """Tell whether both may be lines of one list: signs and emoji are the same in all of it."""
    return one.mark == other.mark or not any(map(_SIGNED.fullmatch, (one.mark, other.mark)))


def list_start(text: str, start: int = 0) -> ListStart | None:
    """Return where a list begins in the text, at `start` or later: two lines, or the last one, which may become two."""
    for begin in _LINE_START.finditer(text, start):
        line, _, below = text[begin.end() :].partition("\n")
        first = item(line)
        if not first or first.place > 1:
            continue
        below = below.lstrip("\n")
        second = item(below.partition("\n")[0])
        sure = second is not None and second.place == (2 if first.place else 0) and may_follow(first, second)
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
    return found["blank"] != "" or _OWN_BLANK.search(found["mark"]) is not None or is_unspaced(found["text"][:1])


def _place(written: str | None) -> int:
    if not written:
        return 0
    if written.isdecimal():
        return int(written)
    if written.casefold() in _ROMAN:
        return _ROMAN.index(written.casefold()) + 1
    found = (order.index(written) + 1 for order in _ORDERS if written in order)
    return next(found, 0) or value(written)


def _marker(mark: str) -> str:
    """The mark with which options go on from the first line's: the same if it is one of the usual ones."""
    return mark if regex.fullmatch(rf"{_DASH}|[0-9]{{1,2}}[.)]|[A-Ea-e][.)]", mark) else "-"
