"""`advrepl models`: a table of what can be played on this machine."""

import os
from pathlib import Path

from advrepl import paths
from advrepl.cli.tables import listing, plain


def show() -> None:
    """Show the models that can be played, and which is the default."""
    from rich.console import Console

    from advrepl.engines import catalog, models

    found = catalog.entries()
    default = _default()
    if not found:
        print(f"There is no model yet. Put a GGUF file into {paths.models_folder()} or make one: advrepl convert")
        return
    table = listing(("", "model", "architecture", "size", "type", "format", "context"), right=("size",))
    for entry in found:
        mark = "*" if entry.path == default else ""
        architecture = " ".join(filter(None, (entry.architecture, _billions(entry.parameters))))
        size, context = f"{entry.bytes / 1e9:.2f} GB", str(entry.context or "")
        table.add_row(
            *map(plain, (mark, models.name_of(entry.path), architecture, size, entry.kind, entry.format, context))
        )
    console = Console(highlight=False)
    console.print(table)
    for entry in found:
        if entry.problem:
            named = entry.problem.startswith(entry.path.name)
            console.print(plain(entry.problem if named else f"{entry.path.name}: {entry.problem}"), soft_wrap=True)
    console.print(plain(f"\n* is the default. They are looked for in {paths.models_folder()}"), soft_wrap=True)


def _default() -> Path | None:
    """Return the model that is played if none is named; None: there is none."""
    from advrepl.engines import models

    return models.resolve(None) if os.environ.get("ADVREPL_MODEL") else models.default()


def _billions(parameters: int | None) -> str:
    if not parameters:
        return ""
    return f"{parameters / 1e9:.1f}B" if parameters >= 1e9 else f"{parameters / 1e6:.0f}M"
