"""Where segments can be tokenized by themselves and still come out as the whole prompt would.

A vocabulary may merge the end of a text with the mark behind it (LLaMA's has `.<`, `>"`). Inside the mark there is a
place where it merges nothing: what stands before that place, the mark's lead, is tokenized with the text before it.
"""

import hashlib
from collections.abc import Callable, MutableMapping, Sequence
from functools import cache, partial
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

    def __init__(self, encode: Encode, leads: MutableMapping[str, int]) -> None:
        """`leads`: what was found before with this vocabulary, and is to be kept; a mark takes 40 ms."""
        self._encode = encode
        self._text = cache(lambda text: encode(Segment("", text), False))  # the endings are those of all marks
        self._leads = leads
        self._known: dict[tuple[str, bool], str] = {}  # the leads of marks that are no blanks

    def lead(self, segment: Segment) -> str:
        """Return what of the segment's beginning belongs to the text before it; mostly nothing or a character."""
        if (known := self._known.get((segment.mark, segment.plain))) is not None:
            return known
        mark, most, whole = segment.mark, len(segment.mark) - 1, str(segment)
        blank = len(whole) - len(whole.lstrip())
        if blank > most:  # a mark of blanks, or none: they may merge with what stands before them
            mark, most = whole[: blank + _MOST_TEXT], blank
        if not mark:
            return ""
        key = _key(mark, most, segment.plain)
        if key not in self._leads:
            lengths = range(min(most, _MOST_LEAD) + 1)
            apart = partial(self._separates, mark, plain=segment.plain)
            self._leads[key] = next(filter(apart, lengths), 0)
        lead = mark[: self._leads[key]]
        if mark is segment.mark:
            self._known[mark, segment.plain] = lead
        return lead

    def split(self, segments: Sequence[Segment], start: int = 0) -> list[tuple[Segment, str]]:
        """Return each segment of a prompt without its lead, and the lead of the next one; from one of them on."""
        leads = [*([] if start else [""]), *map(self.lead, segments[start or 1 :]), ""]
        return [(without(part, leads[i]), leads[i + 1]) for i, part in enumerate(segments[start:])]

    def _separates(self, mark: str, length: int, plain: bool) -> bool:
        """Tell whether the tokens before and behind this place in the mark are those of the whole, in any probe."""
        before, behind = mark[:length], mark[length:]
        for right in _RIGHT:
            rest = self._encode(Segment(behind, right, plain), False)
            for left in _LEFT:
                apart = (*self._text(left + before), *rest)
                if apart != self._encode(Segment(left + mark, right, plain), False):
                    return False
        return True


def _key(mark: str, most: int, plain: bool) -> str:
    """A name for what was tried, in which no character's name can be read: it may be of an encrypted story."""
    return hashlib.blake2b(f"{most} {plain} {mark}".encode("utf-8", "surrogatepass"), digest_size=12).hexdigest()


class Apart:
    """Let each segment be tokenized by itself: for a tokenizer that is too slow to be tried a thousand times."""

    def lead(self, segment: Segment) -> str:
        """Return that nothing of the segment belongs to the text before it."""
        return ""

    def split(self, segments: Sequence[Segment], start: int = 0) -> list[tuple[Segment, str]]:
        """Return the segments as they are, from one of them on."""
        return [(part, "") for part in segments[start:]]


def without(segment: Segment, lead: str) -> Segment:
    """Return the segment without its lead."""
    if not lead:
        return segment
    text = segment.text[max(len(lead) - len(segment.mark), 0) :]
    return Segment(segment.mark[len(lead) :], text, segment.plain)
