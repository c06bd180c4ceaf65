"""`advrepl tune`: search, show what was measured as a table or as JSON, keep what was found."""

import math
from collections.abc import Iterator
from datetime import date
from typing import TYPE_CHECKING, Annotated

import typer

from advrepl import paths
from advrepl.cli.flags import AsJson, ModelFlag, say, tell, whole
from advrepl.cli.tables import listing, screen_width, show_json

if TYPE_CHECKING:
    from pathlib import Path

    from advrepl.tuning.search import Row, TuneResult

BUSY = 0.15  # of the machine, used by others
UNSTEADY = 0.3  # variation between runs of the same measurement
NOT_KEPT = "So this is not kept: tune again on a quiet machine, or keep it all the same with --keep."


def tune(
    model: ModelFlag = None,
    ctx: Annotated[int | None, whole("--ctx", help="Context in tokens to measure with.", least=512)] = None,
    seconds: Annotated[
        int | None, whole("--seconds", help="About how long it may take; 30, or 90 where the model is slow.", least=5)
    ] = None,
    keep: Annotated[
        bool, typer.Option("--keep", help="Keep what is found also if the measurements are doubtful.")
    ] = False,
    json: AsJson = False,
) -> None:
    """Find the fastest way to run a model on this machine; play, resume and bench use it from then on."""
    from advrepl.engines import models

    result = _searched(models.resolve(model, tell), ctx, seconds)
    kept = f"Kept in {_keep(result)}; play, resume and bench use it." if keep or not doubt(result) else NOT_KEPT
    if json:
        show_json(result)
        if kept == NOT_KEPT:
            tell(f"{doubt(result)} {NOT_KEPT}")
        return
    say(f"{result.model}, {result.seconds:.0f} s; medians, tokens/s")
    for line in listing(HEADINGS, list(rows(result)), screen_width(), right=HEADINGS[1:5]):
        say(line)
    for line in ("", *summary(result), kept):
        say(line)


def _searched(path: "Path", ctx: int | None, seconds: float | None) -> "TuneResult":
    from advrepl.cli.console import bars
    from advrepl.engines.llama.log import Log
    from advrepl.terminal.interrupts import Interrupts
    from advrepl.tuning.search import Search

    with bars() as step:
        search = Search(path, ctx, seconds, Log(paths.llama_log()), step("tuning"))
        # However often it is pressed: the search ends by itself, once llama.cpp has let go of the model.
        with Interrupts(search.stop, patience=math.inf) as interrupts, interrupts.writing():
            return search.run()


def _keep(result: "TuneResult") -> "Path":
    from advrepl.engines.llama.loading import devices
    from advrepl.machine import this_machine
    from advrepl.tuning import store as tuning_store

    machine, today = this_machine(devices()), date.today().isoformat()
    entry = tuning_store.TuningRecord(result.model, result.fingerprint, machine, result.tuning, today)
    return tuning_store.keep(paths.tuning_file(), entry)


HEADINGS = ("tried", "read", "write", "memory", "runs", "note")


def rows(result: "TuneResult") -> Iterator[tuple[str, ...]]:
    """Yield every candidate that was tried, with its medians."""
    for row in result.rows:
        memory = f"{row.memory_mb:.0f} MB" if row.memory_mb else ""
        marks = ", ".join(filter(None, ("chosen" if row.chosen else "", row.note)))
        yield (
            f"{row.axis} {row.candidate}",
            _rate(row, row.prefill),
            _rate(row, row.generate),
            memory,
            _runs(row),
            marks,
        )


def summary(result: "TuneResult") -> Iterator[str]:
    """Say what is best here, and whether that is doubtful."""
    from advrepl.engines.base import UNTUNED
    from advrepl.tuning import store as tuning_store

    if result.tuning == UNTUNED:
        yield "The defaults are best here, as far as it could be told."
    else:
        yield f"Best here: {tuning_store.in_words(result.tuning)}. {_faster(result)}"
    if doubtful := doubt(result):
        yield doubtful


def doubt(result: "TuneResult") -> str:
    """Say what makes the measurements doubtful; empty: nothing does."""
    if result.others > BUSY:
        return f"Other programs used {result.others:.0%} of this machine meanwhile."
    if result.variation > UNSTEADY:
        return f"This machine is unsteady: runs of the same differed by {result.variation:.0%}."
    return ""


def _faster(result: "TuneResult") -> str:
    from advrepl.tuning.search import LATE

    if result.faster < 1.005:
        return "As fast as the defaults."
    least = "at least " if any(row.note == LATE for row in result.rows) else ""
    return f"An ordinary turn is {least}{result.faster:.2f} times as fast as with the defaults."


def _rate(row: "Row", value: float | None) -> str:
    from advrepl.tuning.search import LATE

    most = "< " if row.note == LATE else ""
    return "" if value is None else f"{most}{value:.1f}"


def _runs(row: "Row") -> str:
    return str(row.runs) if row.runs else ""
