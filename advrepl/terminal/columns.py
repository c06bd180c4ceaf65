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

    @classmethod
    def marked(cls, rows: Iterable[tuple[str, str, str]]) -> Self:
        """Return the table of rows whose first column has marks; between the two stands what they say in words."""
        kept = tuple(rows)
        return cls("\n".join(f"{words}: {last}" for _, words, last in kept), tuple((row[0], row[2]) for row in kept))
