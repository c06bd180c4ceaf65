"""The player's line wrapped at words: prompt_toolkit itself breaks a long line after any character.

It has no such setting, so blanks that are only shown fill a row up to where the next word would not fit.
"""

from bisect import bisect_right
from collections.abc import Iterator
from itertools import accumulate

from prompt_toolkit.formatted_text.utils import fragment_list_to_text
from prompt_toolkit.layout.processors import Processor, Transformation, TransformationInput
from prompt_toolkit.layout.screen import Char
from prompt_toolkit.layout.utils import explode_text_fragments
from prompt_toolkit.utils import get_cwidth

from advrepl.terminal.text import may_part


class WordWrap(Processor):
    """Wrap at words; `margin`: columns of the prompt before each row."""

    def __init__(self, margin: int) -> None:
        self._margin = margin

    def apply_transformation(self, transformation_input: TransformationInput) -> Transformation:
        """Put blanks before the words that begin a row."""
        fragments = explode_text_fragments(transformation_input.fragments)
        fills = list(filled(fragment_list_to_text(fragments), transformation_input.width - self._margin))
        if not fills:
            return Transformation(fragments)
        places = [place for place, _ in fills]
        for place, count in reversed(fills):
            fragments[place:place] = [("", " ")] * count
        before = [0, *accumulate(count for _, count in fills)]  # blanks before the first place, the second …
        shown = [place + gone for place, gone in zip(places, before[1:], strict=True)]  # where those words begin now

        def to_source(at: int) -> int:
            row = bisect_right(shown, at)
            return min(at - before[row], places[row]) if row < len(places) else at - before[row]

        return Transformation(fragments, lambda at: at + before[bisect_right(places, at)], to_source)


def filled(text: str, width: int) -> Iterator[tuple[int, int]]:
    """Yield where blanks go so that rows of `width` columns end with words: the place in the text, and how many.

    The last column is for the blank after a word, so that no blank begins a row. A word that is longer than a row is
    left to be broken anywhere.
    """
    column = start = 0
    for end in range(1, len(text) + 1):
        if end < len(text) and not _parts(text[end - 1], text[end]):
            continue
        cells = [get_cwidth(Char.display_mappings.get(char, char)) for char in text[start:end]]
        if column > 0 and text[start] != " " and column + sum(cells) >= width > sum(cells):
            yield start, width - column
            column = 0
        for size in cells:
            column = size if column + size > width else column + size
        start = end


def _parts(left: str, right: str) -> bool:
    return " " in (left, right) or may_part(left, right)
