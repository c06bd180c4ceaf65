"""Tables of two columns among what a game tells: their rows, and what they say as plain text.

layout.py fits them to a screen.
"""

from collections.abc import Iterable
from typing import Self

from advrepl.play.events import Note
from advrepl.terminal.layout import ENDLESS, lay_out


class Table(Note, frozen=True):
    """A table that was asked for; the text is for those who do not lay it out."""

    rows: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, rows: Iterable[tuple[str, str]]) -> Self:
        """Return the table of these rows."""
        kept = tuple(rows)
        return cls(lay_out(kept, ENDLESS), kept)
