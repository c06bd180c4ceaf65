"""What rich prints shows the codes of others' text, and obeys none."""

import io

from rich.console import Group
from rich.progress import Progress
from rich.table import Table
from rich.text import Text

from advrepl.cli.console import Shown

FOREIGN = "\x1b]0;x\x07\x1b[2J\x9b2J\u202eevil\U000e0041"


def test_tables_titles_bars_and_what_goes_on_are_inert() -> None:
    out = io.StringIO()
    console = Shown(file=out, width=200, markup=False, force_terminal=True, color_system=None)
    table = Table(FOREIGN, title=FOREIGN)
    table.add_row(FOREIGN)
    console.print(FOREIGN, Text(FOREIGN), Group(table, FOREIGN))
    with Progress(console=console) as bars:
        bars.add_task(FOREIGN)
    with console.status("a") as status:
        status.update(FOREIGN)
    told = out.getvalue()
    assert "evil" in told and "␛[2J" in told
    for code in ("\x1b]", "\x1b[2J", "\x07", "\x9b", "\u202e", "\U000e0041"):
        assert code not in told
