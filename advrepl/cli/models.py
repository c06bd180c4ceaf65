"""`advrepl models`: a table of what can be played on this machine."""

import os
from typing import TYPE_CHECKING

from advrepl import paths

if TYPE_CHECKING:
    from rich.text import Text


def show() -> None:
    """Show the models that can be played, and which is the default."""
    from rich.console import Console
    from rich.table import Table

    from advrepl.engines import catalog

    found = catalog.entries()
    default = _default()
    if not found:
        print(f"There is no model yet. Put a GGUF file into {paths.models_folder()} or make one: advrepl convert")
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading, side in (("", "left"), ("model", "left"), ("architecture", "left"), ("size", "right")):
        table.add_column(heading, justify=side, overflow="fold")  # type: ignore[arg-type]
    for heading in ("type", "format", "context"):
        table.add_column(heading, overflow="fold")
    for entry in found:
        mark = "*" if entry.path == default else ""
        name = entry.path.stem if entry.path.is_file() else entry.path.name
        architecture = " ".join(filter(None, (entry.architecture, _billions(entry.parameters))))
        size, context = f"{entry.bytes / 1e9:.2f} GB", str(entry.context or "")
        table.add_row(*map(_plain, (mark, name, architecture, size, entry.kind, entry.format, context)))
    console = Console(highlight=False)
    console.print(table)
    for entry in found:
        if entry.problem:
            console.print(_plain(f"{entry.path.name}: {entry.problem}"), soft_wrap=True)
    console.print(_plain(f"\n* is the default. They are looked for in {paths.models_folder()}"), soft_wrap=True)


def _default() -> object:
    from advrepl.engines import models

    if os.environ.get("ADVREPL_MODEL"):
        return models.resolve(None)
    playable = models.installed()
    return playable[0] if playable else None


def _billions(parameters: int | None) -> str:
    if not parameters:
        return ""
    return f"{parameters / 1e9:.1f}B" if parameters >= 1e9 else f"{parameters / 1e6:.0f}M"


def _plain(text: str) -> "Text":
    from rich.text import Text

    from advrepl.terminal.text import visible

    return Text(visible(text))
