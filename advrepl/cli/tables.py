"""Tables of what is not ours, names and titles from files, which are shown as they are and never obeyed; and JSON."""

import sys
from collections.abc import Collection
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.table import Table
    from rich.text import Text


def listing(headings: Collection[str], *, right: Collection[str] = ()) -> "Table":
    """Return an empty table whose cells are folded and never cut; columns named in `right` hold numbers."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in headings:
        table.add_column(heading, justify="right" if heading in right else "left", overflow="fold")
    return table


def plain(text: str) -> "Text":
    """Return foreign text for a cell or a line: neither markup nor control characters do anything in it."""
    from rich.text import Text

    from advrepl.terminal.text import visible

    return Text(visible(text))


def show_json(result: object) -> None:
    """Print one object, a msgspec.Struct, as indented JSON."""
    import msgspec

    sys.stdout.write(msgspec.json.format(msgspec.json.encode(result), indent=2).decode() + "\n")
