"""Pictures of a real session for the docs, as SVG: `make shots` plays it on the starter model and draws the screen."""

import html
import os
import re
import tempfile
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

import pyte

from advrepl.engines import installed
from tests import ROOT
from tests.pty_play import Terminal

OPTIONS = ("--seed", "13", "--threads", "1", "--max-tokens", "90", "--no-ahead")
FOLDER = ROOT / "docs" / "shots"
CELL, LINE, EDGE = 8.4, 18, 14  # pixels of a column, a row, the border
DIM = re.compile(rb"\x1b\[(0;)?2m")  # pyte knows no dim text: it is drawn in bright black
DARK = {
    "default": "#d8d8d8", "background": "#16181d", "brightblack": "#7d828c", "brightred": "#ff6b6b", "green": "#8fd694",
    "blue": "#7aa2f7", "magenta": "#d79bef", "cyan": "#6cc7d9", "brown": "#e0c46c", "white": "#ffffff",
}  # fmt: skip
LIGHT = DARK | {
    "default": "#22252b", "background": "#fbfbf8", "brightblack": "#6b7079", "red": "#b3261e", "green": "#2b7a33",
    "blue": "#2450b0", "magenta": "#8b2fa0", "cyan": "#0f7585", "white": "#000000",
}  # fmt: skip


def svg(raw: bytes, columns: int, rows: int, colors: dict[str, str], since: str = "") -> str:
    """Draw what a terminal of this size shows after these bytes, from the line that begins like this."""
    raw = raw.replace(os.fsencode(Path.cwd()) + b"/", b"~/")
    screen = pyte.Screen(columns, rows)
    pyte.ByteStream(screen).feed(DIM.sub(b"\x1b[\\g<1>90m", raw))
    written = [y for y in range(rows) if screen.display[y].strip()] or [0]
    first, last = next(y for y in written if screen.display[y].startswith(since)), written[-1]
    width, height = columns * CELL + 2 * EDGE, (last + 1 - first) * LINE + 2 * EDGE
    lines = "\n".join(_row(screen, y, y - first, colors) for y in range(first, last + 1))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}">\n'
        f'<rect width="100%" height="100%" rx="8" fill="{colors["background"]}"/>\n'
        f'<g font-family="ui-monospace, DejaVu Sans Mono, Menlo, Consolas, monospace" font-size="14" '
        f'fill="{colors["default"]}" xml:space="preserve">\n{lines}\n</g>\n</svg>\n'
    )


def _row(screen: pyte.Screen, y: int, place: int, colors: dict[str, str]) -> str:
    runs = groupby(range(screen.columns), key=lambda x: _style(screen, y, x, colors))
    return "".join(_run(screen, y, place, list(places), style) for style, places in runs)


def _style(screen: pyte.Screen, y: int, x: int, colors: dict[str, str]) -> str:
    char = screen.buffer[y][x]
    styles = [f'fill="{colors.get(char.fg, colors["default"])}"'] if char.fg != "default" else []
    styles += ['font-weight="bold"'] if char.bold else []
    styles += ['font-style="italic"'] if char.italics else []
    return " ".join(styles)


def _run(screen: pyte.Screen, y: int, place: int, places: list[int], style: str) -> str:
    text = "".join(screen.buffer[y][x].data for x in places)
    if not text.strip():
        return ""
    at, down, long = EDGE + places[0] * CELL, EDGE + (place + 0.75) * LINE, len(places) * CELL
    return (
        f'<text x="{at:.1f}" y="{down:.1f}" textLength="{long:.1f}" lengthAdjust="spacingAndGlyphs" {style}>'
        f"{html.escape(text)}</text>"
    )


def shots(columns: int = 80, rows: int = 24) -> Iterator[tuple[str, str]]:
    """Play, and yield the names of pictures and what they show."""
    model = installed.starter_model()
    assert model, "make installs the starter model"
    with tempfile.TemporaryDirectory() as folder:
        # As if it were installed, and typed in a folder of one's own: no picture shows a path of this machine.
        Path(folder, "sitecustomize.py").write_text(
            "import advrepl.program\nadvrepl.program._program = lambda: ['advrepl']"
        )
        own: dict[str, Any] = {"ADVREPL_HOME": "home", "ADVREPL_SAVES": "saves", "PYTHONPATH": f"{ROOT}:{folder}"}
        own |= {"columns": columns, "rows": rows}
        os.chdir(folder)
        yield from _story(columns, rows, own)
        with Terminal(**own) as terminal:
            terminal.until("Where to?")
            terminal.until("letters filter")
            terminal.press("down")
            terminal.until(lambda: any(line.startswith("❯ play start") for line in terminal.lines))
            yield "first-screen", svg(terminal.raw, columns, rows, DARK)
        with Terminal("play", "brindle", "--you", "Anna", "--theme", "light", *OPTIONS, **own) as terminal:
            terminal.ready()
            terminal.wait(1)
            yield "light", svg(terminal.raw, columns, rows, LIGHT)


def _story(columns: int, rows: int, own: dict[str, Any]) -> Iterator[tuple[str, str]]:
    with Terminal("play", "start", *OPTIONS, **own) as terminal:
        terminal.ready()
        terminal.line("1")
        terminal.replied(2)
        terminal.wait(1)
        yield "play", svg(terminal.raw, columns, rows, DARK)
        terminal.line("/context")
        terminal.until("first words")
        terminal.ready()
        yield "context", svg(terminal.raw, columns, rows, DARK, since="> /context")
        terminal.press("ctrl-d")
        terminal.left()


def main() -> None:
    """Write the pictures."""
    FOLDER.mkdir(exist_ok=True)
    for name, picture in shots():
        (FOLDER / f"{name}.svg").write_text(picture)


if __name__ == "__main__":
    main()
