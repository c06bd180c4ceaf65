"""Tables of what is not ours, names and titles from files, which are shown as they are and never obeyed; and JSON.

Does not know what is in them, nor how wide a screen is beyond asking for it.
"""

import os
import sys
from collections.abc import Collection, Iterator, Sequence
from typing import TextIO

GAP = "  "  # between the columns
INDENT = "    "  # of what stands below a name
ENDLESS = 1 << 30  # columns of what is no terminal, where nothing is folded


def screen_width(out: TextIO | None = None) -> int:
    """Return the columns of the terminal on stdout, or on another stream; a pipe has no end of them."""
    try:
        return os.get_terminal_size((out or sys.stdout).fileno()).columns or ENDLESS
    except (OSError, ValueError):
        return ENDLESS


def listing(
    headings: Sequence[str],
    rows: Sequence[Sequence[str]],
    width: int,
    *,
    right: Collection[str] = (),
    below: Sequence[str] = (),
) -> Iterator[str]:
    """Yield the lines of a table; where it is too wide, each row as its first cell with the others below it.

    No cell is ever cut, and none is folded within a word. Columns named in `right` hold numbers; one that is empty in
    all rows is left out. `below` has a line for each row, which stands under it; "" for none.
    """
    from advrepl.terminal.text import max_cells, visible

    kept = [at for at in range(len(headings)) if any(row[at] for row in rows)]
    table = [[visible(row[at]).replace("\n", " ") for at in kept] for row in (headings, *rows)]
    widths = [max(map(max_cells, column)) for column in zip(*table, strict=True)]
    fits = sum(widths) + len(GAP) * (len(widths) - 1) <= width
    numbers = [headings[at] in right for at in kept]

    def in_columns(row: Sequence[str]) -> str:
        return GAP.join(_padded(*each) for each in zip(row, widths, numbers, strict=True)).rstrip()

    if fits:
        yield in_columns(table[0])
    for row, more in zip(table[1:], below or [""] * len(rows), strict=True):
        yield in_columns(row) if fits else row[0].rstrip()
        yield from () if fits else _indented(" · ".join(filter(None, row[1:])), width)
        yield from _indented(visible(more).replace("\n", " "), width)


def _indented(text: str, width: int) -> Iterator[str]:
    from advrepl.terminal.text import wrap

    if text:
        yield from (INDENT + line.rstrip() for line in wrap(text, width - len(INDENT)).split("\n"))


def _padded(cell: str, width: int, is_number: bool) -> str:
    from advrepl.terminal.text import max_cells

    room = " " * (width - max_cells(cell))
    return room + cell if is_number else cell + room


def show_json(result: object) -> None:
    """Print one object, a msgspec.Struct, as indented JSON."""
    import json

    import msgspec

    print(json.dumps(msgspec.to_builtins(result), indent=2))  # in ASCII: no control of a name reaches the terminal
