"""Two columns of text on a screen of any width.

Pure: does not write; screen.py does.
"""

from collections.abc import Iterable

from advrepl.terminal.text import max_cells, wrap

GAP = 2  # blanks between the columns
LEAST = 20  # columns of the screen for the second column; with fewer it stands below the first
INDENT = 4  # of what stands below
ENDLESS = 1 << 30  # columns of what is not laid out


def lay_out(rows: Iterable[tuple[str, str]], width: int) -> str:
    """Return the rows in so many columns of a screen: the second cells in a column that hangs, or below the first."""
    rows = tuple(rows)
    column = max((max_cells(first) for first, _ in rows), default=0) + GAP
    row = _beside if width - column >= LEAST else _below
    return "\n".join(row(first, second, column, width) for first, second in rows)


def _beside(first: str, second: str, column: int, width: int) -> str:
    return (first + " " * (column - max_cells(first)) + _hanging(second, column, width)).rstrip()


def _below(first: str, second: str, _column: int, width: int) -> str:
    return (wrap(first, width) + "\n" + " " * INDENT + _hanging(second, INDENT, width)).rstrip()


def _hanging(text: str, column: int, width: int) -> str:
    return wrap(text, width - column).replace("\n", "\n" + " " * column)
