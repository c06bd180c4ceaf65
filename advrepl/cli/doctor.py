"""`advrepl doctor`: what is installed, what the engine can do here, and what is wrong with models, saves and settings.

Looks only: each thing that is wrong is told with what mends it.
"""

import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import typer
from msgspec import Struct

from advrepl import AdvreplError, __version__, paths, program
from advrepl.cli.flags import SavesFolder, say
from advrepl.cli.tables import screen_width

LEAST_FREE = 1e9  # bytes of disk
EXTRAS = (
    ("PIL", "pictures in the terminal", "pictures"),
    ("torch", "Hugging Face folders as they are", "hf"),
)


class Finding(Struct, frozen=True):
    """One line of the report; with a mend, something is wrong."""

    what: str
    told: str
    mend: str = ""


def doctor(folder: SavesFolder = None) -> None:
    """Look at the installation, the engine, models, saves and settings, and say how to mend what is wrong."""
    from advrepl.terminal.layout import lay_out

    found = [finding for check in CHECKS for finding in check(paths.saves_folder(folder))]
    rows = [(each.what, f"wrong: {each.told}\n→ {each.mend}" if each.mend else each.told) for each in found]
    say(lay_out(rows, min(screen_width(), 100)))
    wrong = sum(bool(each.mend) for each in found)
    say(f"\n{wrong} of these {'is' if wrong == 1 else 'are'} to be mended." if wrong else "\nAll is well.")
    raise typer.Exit(1 if wrong else 0)


def _installed(_saves: Path) -> Iterator[Finding]:
    import platform
    from importlib.util import find_spec

    yield Finding("advrepl", f"{__version__}, Python {platform.python_version()}, {platform.platform()}")
    for module, purpose, extra in EXTRAS:
        told = "yes" if find_spec(module) else f"no ({program.install(f'advrepl[{extra}]')})"
        yield Finding(f"extra {extra}", f"{purpose}: {told}")


def _engine(_saves: Path) -> Iterator[Finding]:
    from importlib.metadata import PackageNotFoundError, version

    from advrepl.engines.llama.loading import devices
    from advrepl.machine import GIB, physical_cores, this_machine

    try:
        library = version("llama-cpp-python")
    except PackageNotFoundError:
        yield Finding("engine", "llama-cpp-python is missing", program.install("llama-cpp-python"))
        return
    machine = this_machine(names := devices())
    yield Finding("engine", f"llama-cpp-python {library} on {', '.join(names) or 'the CPU'}")
    yield Finding("machine", f"{physical_cores()} cores, {machine.memory_gb} GB of memory")
    tuned = paths.tuning_file().exists()
    yield Finding("tuned", "yes" if tuned else f"no: `{program.command('tune')}` finds the fastest settings")
    free = shutil.disk_usage(_first_there(paths.home())).free
    mend = "make room, or set ADVREPL_HOME to another disk" if free < LEAST_FREE else ""
    yield Finding("disk", f"{free / GIB:.1f} GB free", mend)


def _home(_saves: Path) -> Iterator[Finding]:
    from advrepl.cli import config

    trouble = home_trouble()
    mend = "change its rights, or set ADVREPL_HOME to a folder of yours" if trouble else ""
    yield Finding("home", trouble or str(paths.home()), mend)
    try:
        config.arguments(paths.config_file())
        yield Finding(
            "config",
            "in order" if paths.config_file().exists() else f"none: `{program.command('config')}` sets defaults",
        )
    except AdvreplError as error:
        yield Finding(
            "config", str(error), f"mend that line, or remove it with `{program.command('config', 'NAME', '--unset')}`"
        )


def home_trouble() -> str:
    """Return why nothing can be kept in the program's own folder, as a sentence that names it; empty: all is well."""
    try:
        with tempfile.TemporaryFile(dir=_first_there(paths.home())) as file:  # rights alone tell nothing of a full disk
            file.writelines([bytes(4096)])
            file.flush()
    except OSError as error:
        return f"{paths.home()} cannot be written ({error.strerror})"
    return ""


def _terminal(_saves: Path) -> Iterator[Finding]:
    from advrepl.terminal.theme import Capabilities

    can = Capabilities.of(os.environ)
    encoding = (sys.stdout.encoding or "").lower()
    told = f"TERM={os.environ.get('TERM', '')}: {'line editing' if can.cursor else 'plain lines'}, "
    yield Finding("terminal", told + ("colors" if can.style else "no colors"))
    if "utf" not in encoding:
        yield Finding("encoding", f"the output is {encoding or 'unknown'}", "set LANG=C.UTF-8 (or PYTHONUTF8=1)")


def _models(_saves: Path) -> Iterator[Finding]:
    from advrepl.engines import catalog, models

    found = catalog.entries()
    good = [entry for entry in found if not entry.problem]
    if not good:
        yield Finding("models", "there is none that can be played", models.how_to_get_one())
    for entry in found:
        name = models.name_of(entry.path)
        if entry.problem and entry.path.is_dir():
            yield Finding(f"model {name}", entry.problem)
        elif entry.problem:
            yield Finding(f"model {name}", entry.problem, f"remove {entry.path}, or fetch it again")
        else:
            yield Finding(f"model {name}", f"{entry.architecture}, {entry.bytes / 1e9:.2f} GB, {entry.format}")
    incoming = paths.models_folder() / ".incoming"
    if incoming.is_dir() and any(incoming.iterdir()):
        names = ", ".join(path.name.replace("--", "/") for path in incoming.iterdir())
        yield Finding(
            "fetching", f"{names} is not whole", f"run `{program.command('pull')}` again, or remove {incoming}"
        )


def _stories(saves_folder: Path) -> Iterator[Finding]:
    from advrepl.story import checking
    from advrepl.story.glance import find

    found = find(saves_folder)
    yield Finding("stories", f"{len(found)} in {saves_folder}")
    for each in map(checking.check, found):
        if each.trouble:
            yield Finding(f"story {each.path.stem}", each.trouble, each.mend)
    caches = sum(path.stat().st_size for path in saves_folder.glob("*.kv")) if saves_folder.is_dir() else 0
    yield Finding("caches", f"{caches / 1e6:.0f} MB; they only save time, and can be removed")


def _first_there(path: Path) -> Path:
    return next(each for each in (path, *path.parents) if each.exists())


CHECKS: tuple[Callable[[Path], Iterator[Finding]], ...] = (_installed, _engine, _home, _terminal, _models, _stories)
