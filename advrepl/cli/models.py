"""`advrepl models`: a table of what can be played on this machine."""

import os
from pathlib import Path
from typing import Annotated

import typer

from advrepl import paths, program
from advrepl.cli.doctor import home_trouble
from advrepl.cli.flags import say, tell
from advrepl.cli.tables import listing, screen_width

HEADINGS = ("  model", "architecture", "size", "type", "format", "context")


def show(
    known: Annotated[bool, typer.Option("--known", help="Models that people play with, to be fetched.")] = False,
) -> None:
    """Show the models that can be played, and which is the default."""
    from advrepl.engines import catalog, models

    if known:
        _show_known()
        return
    if trouble := home_trouble():
        tell(f"{trouble}: set ADVREPL_HOME to a folder of yours before you fetch or convert one")
    found = catalog.entries()
    default = _default()
    if not found:
        say(models.how_to_get_one())
        return
    rows = []
    for entry in found:
        name = f"{'*' if entry.path == default else ' '} {models.name_of(entry.path)}"
        architecture = " ".join(filter(None, (entry.architecture, _billions(entry.parameters))))
        size, context = f"{entry.bytes / 1e9:.2f} GB", str(entry.context or "")
        rows.append((name, architecture, size, entry.kind, entry.format, context))
    for line in listing(HEADINGS, rows, screen_width(), right=("size",)):
        say(line)
    for entry in found:
        if entry.problem:
            named = entry.problem.startswith(entry.path.name)
            say(entry.problem if named else f"{entry.path.name}: {entry.problem}")
    say(f"\n* is the default. They are looked for in {paths.models_folder()}")


def _show_known() -> None:
    import psutil

    from advrepl.engines.known import KNOWN

    memory = psutil.virtual_memory().total / 1e9
    rows = [
        (each.name, f"{each.memory_gb:g} GB", "yes" if each.memory_gb < memory else "no", each.about, each.repo)
        for each in KNOWN
    ]
    for line in listing(("name", "memory", "fits here", "what it is", "from"), rows, screen_width(), right=("memory",)):
        say(line)
    say(f"\n`{program.command('pull')} NAME` fetches one; the page of each says more, also its licence.")


def _default() -> Path | None:
    """Return the model that is played if none is named; None: there is none."""
    from advrepl.engines import models

    return models.resolve(None) if os.environ.get("ADVREPL_MODEL") else models.default()


def _billions(parameters: int | None) -> str:
    if not parameters:
        return ""
    return f"{parameters / 1e9:.1f}B" if parameters >= 1e9 else f"{parameters / 1e6:.0f}M"
