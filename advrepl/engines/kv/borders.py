"""Where segments can be tokenized by themselves and still come out as the whole prompt would.

A vocabulary may merge the end of a text with the mark behind it (LLaMA's has `.<`, `>"`). Inside the mark there is a
place where it merges nothing: what stands before that place, the mark's lead, is tokenized with the text before it.
"""

from collections.abc import Callable, Sequence
from itertools import product

from advrepl.prompt.segments import Segment

Encode = Callable[[Segment, bool], tuple[int, ...]]  # a segment, and whether it is the first of a prompt

_CLOSERS = ".!?\"'*)]>~-…,;:<|”’"
_ENDS = (
    "a",
    "7",
    "é",
    "龍",
    "🐉",
    " ",
    "  ",
    "\n",
    " \n",
    "\n\n",
    *_CLOSERS,
    *map("".join, product(_CLOSERS, repeat=2)),
)
_LEFT = tuple("a" + end for end in _ENDS)
_RIGHT = ("You", ' "a')
_MOST_TEXT = 8  # characters of a text that stands in for a mark
_MOST_LEAD = 16  # characters


class Borders:
    """Find the lead of each mark, by trying what the vocabulary makes of it behind many endings of a text."""

    def __init__(self, encode: Encode) -> None:
        self._encode = encode
        self._leads: dict[tuple[str, int], int] = {}

    def lead(self, segment: Segment) -> str:
        """Return what of the segment's beginning belongs to the text before it; mostly nothing or a character."""
        mark, most, whole = segment.mark, len(segment.mark) - 1, str(segment)
        blank = len(whole) - len(whole.lstrip())
        if blank > most:  # a mark of blanks, or none: they may merge with what stands before them
            mark, most = whole[: blank + _MOST_TEXT], blank
        if not mark:
            return ""
        key = mark, most
        if key not in self._leads:
            lengths = range(min(most, _MOST_LEAD) + 1)
            self._leads[key] = next((length for length in lengths if self._separates(mark, length)), 0)
        return mark[: self._leads[key]]

    def split(self, segments: Sequence[Segment]) -> list[tuple[Segment, str]]:
        """Return each segment without its lead, and the lead of the next one."""
        leads = ["", *map(self.lead, segments[1:]), ""]
        return [(without(part, leads[i]), leads[i + 1]) for i, part in enumerate(segments)]

    def _separates(self, mark: str, length: int) -> bool:
        """Tell whether the tokens before and behind this place in the mark are those of the whole, in any probe."""
        before, behind = mark[:length], mark[length:]
        for right in _RIGHT:
            rest = self._encode(Segment(behind, right), False)
            for left in _LEFT:
                apart = (*self._encode(Segment("", left + before), False), *rest)
                if apart != self._encode(Segment(left + mark, right), False):
                    return False
        return True


def without(segment: Segment, lead: str) -> Segment:
    """Return the segment without its lead."""
    size = len(segment.mark)
    return Segment(segment.mark[len(lead) :], segment.text[max(len(lead) - size, 0) :])
