"""What marks roles in a chat template, and foreign text in which none of it stands.

Does not render templates (template.py) and knows no tokens: whether a mark can be forged, a vocabulary tells.
"""

import re
from collections.abc import Callable, Iterable

# How templates mark whose turn it is: <|im_start|>, </s>, <start_of_turn>, [/INST], <<SYS>>, [|user|] (EXAONE), ]~b]
# (MiniMax), and with fullwidth bars.
ROLE_MARK = re.compile(
    r"<{1,2}/?[^<>\s]{1,40}>{1,2}|\[/?[A-Za-z_]{1,30}\]|\[\|[^\[\]|\s]{1,40}\|\]|\[e~\[|\]~!?b[\[\]]"
)
# Or in plain words, which end a reply only where the template has them: at the beginning of a line, or behind a blank.
ROLE_LABEL = re.compile(r"^[ \t]*(#+[^\n]{1,40}|[^\W\d_][^\n:]{0,40}:)[ \t]*$", re.MULTILINE)

Forgeable = Callable[[str], bool]  # is a mark spelled by the same tokens where foreign text holds it?


class Marks:
    """The marks of one format that ordinary text can spell."""

    def __init__(self, between: Iterable[str], forgeable: Forgeable) -> None:
        """`between`: what a template writes before, between and after the texts."""
        found = sorted({mark for text in between for mark in _marks(text) if forgeable(mark)}, key=len, reverse=True)
        self._longest = len(found[0]) if found else 0
        self._pattern = re.compile("|".join(map(re.escape, found))) if found else None

    def broken(self, text: str, before: str = "", after: str = "") -> str:
        """Return foreign text with a space in each mark, also in one that needs our words before or after the text."""
        if not self._pattern:
            return text
        while (spaced := self._pattern.sub(_spaced, text)) != text:  # again, for marks that overlap
            text = spaced
        size = self._longest
        before, after = before[max(len(before) - size, 0) :], after[:size]
        if len(text) <= 2 * size:
            return self._joined(before, text, after)
        return self._joined(before, text[:size], "") + text[size:-size] + self._joined("", text[-size:], after)

    def _joined(self, before: str, text: str, after: str) -> str:
        """Break the marks that stand in the text only in part."""
        at = 0
        while found := self._next(before + text + after, at, len(before), len(before) + len(text)):
            place = min(max(found.start() + _place(found[0]), len(before)), len(before) + len(text)) - len(before)
            text, at = f"{text[:place]} {text[place:]}", max(found.start() + 1 - self._longest, 0)
        return text

    def _next(self, whole: str, at: int, begin: int, end: int) -> re.Match[str] | None:
        """Find a mark at `at` or later that stands in the foreign text from `begin` to `end`, if only in part."""
        assert self._pattern
        found = self._pattern.search(whole, at)
        while found and not (found.start() < end and found.end() > begin):
            found = self._pattern.search(whole, found.start() + 1)
        return found


def _marks(between: str) -> Iterable[str]:
    """What stands in a text between two turns: marks in brackets, and each line of words that is no sentence's end."""
    yield from ROLE_MARK.findall(between)
    bare = not ROLE_MARK.search(between)
    for line in ROLE_MARK.sub("\n", between).splitlines():
        label = line.strip()
        if any(map(str.isalpha, label)):
            if not all(char.isalnum() or char.isspace() or char == "_" for char in label):
                yield label
            elif bare:  # a role's name alone on its line is all the mark that there is
                yield f"\n{label}\n"


def _spaced(mark: re.Match[str]) -> str:
    place = _place(mark[0])
    return f"{mark[0][:place]} {mark[0][place:]}"


def _place(mark: str) -> int:
    """Where a space breaks a mark and leaves it readable: `< |user|>`, `# ## Response:`, `USER :`."""
    if not mark[0].isalnum():
        return 1
    if not mark[-1].isalnum():
        return len(mark) - 1
    return next(at for at, char in enumerate(mark) if not char.isalnum())
