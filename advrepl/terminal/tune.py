"""`advrepl tune`: search, show what was measured as a table or as JSON, keep what was found.

The measuring is in advrepl/tune.py.
"""

import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date

import msgspec
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from advrepl.engines import models, tuned
from advrepl.engines.base import Tuning
from advrepl.engines.loading import devices
from advrepl.engines.log import Log
from advrepl.engines.machine import this_machine
from advrepl.tune import LATE, Result, Row, Search

BUSY = 0.15  # of the machine, used by others
UNSTEADY = 0.3  # variation between takes of the same


def run(model: str | None, ctx: int | None, seconds: float | None, as_json: bool) -> None:
    path, screen = models.resolve(model), Console(stderr=True)
    log = Log(models.home() / "llama.log")
    with screen.status("tuning") as status:
        search = Search(path, ctx, seconds, log, lambda doing: status.update(escape(doing)))
        with _stopped_by_ctrl_c(search.stop):
            result = search.run()
    entry = tuned.Entry(
        result.model, result.fingerprint, this_machine(devices()), result.tuning, date.today().isoformat()
    )
    file = tuned.keep(models.home(), entry)
    if as_json:
        sys.stdout.write(msgspec.json.format(msgspec.json.encode(result), indent=2).decode() + "\n")
        return
    out = Console(markup=False, highlight=False)
    out.print(table(result))
    out.print()
    for line in summary(result):
        out.print(line)
    out.print(f"Kept in {file}; play, resume and bench use it.", soft_wrap=True)


def table(result: Result) -> Table:
    title = f"{result.model}, {result.seconds:.0f} s; medians, tokens/s"
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    for name in ("", "", "read", "write", "memory", "takes", ""):
        table.add_column(name, justify="right" if name else "left")
    above = ""
    for row in result.rows:
        name, above = "" if row.axis == above else row.axis, row.axis
        memory = f"{row.memory_mb:.0f} MB" if row.memory_mb else ""
        marks = ", ".join(filter(None, ("chosen" if row.chosen else "", row.note)))
        table.add_row(name, row.candidate, _rate(row, row.feed), _rate(row, row.write), memory, _takes(row), marks)
    return table


def summary(result: Result) -> Iterator[str]:
    if result.tuning == Tuning():
        yield "The defaults are best here, as far as it could be told."
    else:
        yield f"Best here: {tuned.in_words(result.tuning)}. {_faster(result)}"
    if result.others > BUSY:
        yield f"Other programs used {result.others:.0%} of this machine meanwhile: tune again when they are done."
    elif result.variation > UNSTEADY:
        yield f"This machine is unsteady: takes of the same differed by {result.variation:.0%}. Tune again some time."


def _faster(result: Result) -> str:
    if result.faster < 1.005:
        return "As fast as the defaults."
    least = "at least " if any(row.note == LATE for row in result.rows) else ""
    return f"An ordinary turn is {least}{result.faster:.2f} times as fast as with the defaults."


def _rate(row: Row, value: float | None) -> str:
    most = "< " if row.note == LATE else ""
    return "" if value is None else f"{most}{value:.1f}"


def _takes(row: Row) -> str:
    return str(row.takes) if row.takes else ""


@contextmanager
def _stopped_by_ctrl_c(stop: Callable[[], None]) -> Iterator[None]:
    before = signal.signal(signal.SIGINT, lambda *_: stop())
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
