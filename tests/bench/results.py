"""What was measured: rows with their goals, kept in docs/performance.json, shown in docs/performance.md.

Measures nothing. Each part replaces its own section; the text around the generated part of the page stays.
"""

import statistics
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TypedDict, Unpack

import msgspec

from advrepl import AdvreplError
from tests import ROOT
from tests.bench import plot, waiting
from tests.bench.setup import machine

RESULTS = ROOT / "docs" / "performance.json"
BEGIN = "<!-- written by `make bench` -->"
END = "<!-- end of what `make bench` writes -->"
DIGITS = {"ms": 1, "s": 2, "tokens/s": 1, "tokens": 0, "lines": 0, "MB": 0, "%": 0, "nats": 3, "": 2}
ORDER = (
    "playing", "opened", "peers", "picked", "typed", "keys", "guided", "resumed", "branches", "memory", "rates", "long",
    "books", "drift", "seven", "opened-seven", "typed-seven", "convert",
)  # fmt: skip


class Row(msgspec.Struct, frozen=True, omit_defaults=True):
    """One figure: the middle of its takes and their ends, and what it should be."""

    figure: str
    value: float | None  # None: it cannot be measured here, the note says why
    unit: str = ""
    least: float | None = None
    most: float | None = None
    at_most: float | None = None  # goals
    at_least: float | None = None
    note: str = ""

    @property
    def met(self) -> bool | None:
        """None: there is no goal, or nothing was measured."""
        if self.value is None or (self.at_most is None and self.at_least is None):
            return None
        too_much = self.at_most is not None and self.value > self.at_most
        too_little = self.at_least is not None and self.value < self.at_least
        return not (too_much or too_little)


class Goal(TypedDict, total=False):
    """What a row's figure should be."""

    at_most: float
    at_least: float


class Section(msgspec.Struct, frozen=True, omit_defaults=True):
    """What one part measured."""

    key: str
    title: str
    text: str
    rows: list[Row]
    command: str
    taken: str
    model: str = ""
    curves: dict[str, list[float]] = {}  # name -> milliseconds to the first piece, by turn


class Results(msgspec.Struct):
    machine: dict[str, str]
    sections: dict[str, Section]


def row(figure: str, takes: Sequence[float], unit: str, **goal: Unpack[Goal]) -> Row:
    """The median of some takes, with the least and the most."""
    if not takes:
        return missing(figure, "nothing was taken")
    return Row(figure, statistics.median(takes), unit, min(takes), max(takes), **goal)


def missing(figure: str, why: str, **goal: Unpack[Goal]) -> Row:
    return Row(figure, None, note=why, **goal)


def section(key: str, title: str, text: str, rows: list[Row], model: str, **more: dict[str, list[float]]) -> Section:
    """What this command has measured now."""
    spec = getattr(sys.modules["__main__"], "__spec__", None)
    command = " ".join(["python -m", spec.name if spec else "tests.bench", *_without_paths(sys.argv[1:])])
    return Section(key, title, text, rows, command, datetime.now(UTC).strftime("%Y-%m-%d %H:%M"), model, **more)


def _without_paths(arguments: Sequence[str]) -> list[str]:
    return [Path(argument).name if "/" in argument else argument for argument in arguments]


def keep(found: Section, path: Path | None) -> None:
    """Print a section, and bring the file and the page up to date."""
    print(f"\n{markdown(found)}", flush=True)
    if not path:
        return
    results = read(path)
    results.machine = machine()
    results.sections[found.key] = found
    path.write_bytes(msgspec.json.format(msgspec.json.encode(results), indent=1) + b"\n")
    page = path.with_suffix(".md")
    if page.exists():
        page.write_text(between(page.read_text(), document(results, path.with_suffix(".svg"))))


def read(path: Path) -> Results:
    if not path.exists():
        return Results({}, {})
    try:
        return msgspec.json.decode(path.read_bytes(), type=Results)
    except msgspec.MsgspecError as error:
        raise AdvreplError(f"{path} holds no results of the benchmark ({error}): move it away") from error


def between(page: str, new: str) -> str:
    """The page with what stands between the marks replaced; they are added at its end if they are not there."""
    if BEGIN not in page or END not in page:
        page = f"{page.rstrip()}\n\n{BEGIN}\n{END}\n"
    before, _, rest = page.partition(BEGIN)
    return f"{before}{BEGIN}\n\n{new.strip()}\n\n{END}{rest.partition(END)[2]}"


def document(results: Results, picture: Path) -> str:
    """All sections as Markdown; the picture of the curves is written beside."""
    facts = ", ".join(f"{name} {value}" for name, value in results.machine.items())
    shown = {key: {row.figure: value(row) for row in found.rows} for key, found in results.sections.items()}
    parts = [f"Machine: {facts}.", "### What is waited for", waiting.table(shown)]
    for key in sorted(results.sections, key=lambda key: ORDER.index(key) if key in ORDER else len(ORDER)):
        found = results.sections[key]
        parts.append(markdown(found))
        if found.curves:
            picture.write_text(plot.svg(found.curves, "time to the first piece, ms", "turn"))
            parts.append(f"![Time to the first piece by turn]({picture.name})")
    return "\n\n".join(parts)


def markdown(found: Section) -> str:
    model = f"{found.model}, " if found.model else ""
    lines = [f"### {found.title}", "", f"{found.text} ({model}{found.taken} UTC: `{found.command}`)", ""]
    lines += ["| figure | median (least to most) | goal | |", "|---|---|---|---|"]
    for row in found.rows:
        lines.append(f"| {row.figure} | {value(row)} | {goal(row)} | {verdict(row)} |")
    return "\n".join(lines)


def value(row: Row) -> str:
    if row.value is None:
        return row.note
    text = f"{number(row.value, row.unit)} {row.unit}".rstrip()
    if row.least is not None and row.most is not None and row.least != row.most:
        text += f" ({number(row.least, row.unit)} to {number(row.most, row.unit)})"
    return f"{text}; {row.note}" if row.note else text


def goal(row: Row) -> str:
    signs = (("≤", row.at_most), ("≥", row.at_least))
    return " ".join(f"{sign} {limit:g} {row.unit}".rstrip() for sign, limit in signs if limit is not None)


def verdict(row: Row) -> str:
    return {None: "", True: "met", False: "**missed**"}[row.met]


def number(value: float, unit: str) -> str:
    digits = DIGITS.get(unit, 2) if abs(value) >= 1 or not DIGITS.get(unit, 2) else 2
    return f"{value:,.{0 if abs(value) >= 1000 else digits}f}"
