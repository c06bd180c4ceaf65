"""`advrepl pull`: fetch a model from the Hugging Face hub, once it is told what it is and whether it fits."""

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from advrepl import AdvreplError, atomic, paths, program
from advrepl.cli import completion
from advrepl.cli.flags import say
from advrepl.cli.questions import agrees

if TYPE_CHECKING:
    from advrepl.engines.hub import Offer

GB = 1e9
BESIDE = 1.3  # of a file's size: the memory that it plays in, with a context


def pull(
    what: Annotated[
        str,
        typer.Argument(
            metavar="REPO[:FILE]",
            help="OWNER/NAME, or a name of models --known.",
            autocompletion=completion.known_models,
        ),
    ],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Fetch a model from the Hugging Face hub into the models folder; HF_ENDPOINT and HF_TOKEN are honoured."""
    # Before the library is loaded: it tells, and counts, less this way.
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    from advrepl.engines import hub, known

    repo, _, file = what.removeprefix("https://huggingface.co/").strip("/").partition(":")
    if (entry := known.find(repo)) and "/" not in repo:
        repo, file = entry.repo, file or entry.file
    if "/" not in repo:
        raise AdvreplError(
            f"{repo} is no OWNER/NAME, and none of those that `{program.command('models', '--known')}` lists"
        )
    folder = paths.models_folder()
    chosen = hub.offer(repo, file)
    for line in _summary(chosen):
        say(line)
    _require_room(chosen, folder)
    if not yes and sys.stdin.isatty() and not agrees(f"Fetch it into {folder}?"):
        say("Nothing was fetched.")
        return
    atomic.make_folder(folder)
    try:
        with _checking(chosen.bytes) as on_check:
            got = hub.fetch(chosen, folder, on_check)
    except KeyboardInterrupt:
        say(f"Broken off: `{program.command('pull', what)}` goes on where it stood.", err=True)
        raise
    say(_next(chosen, got))


def _summary(chosen: "Offer") -> list[str]:
    import psutil

    memory = psutil.virtual_memory().total
    count = f"{len(chosen.files)} files" if len(chosen.files) > 1 else chosen.files[0].name
    needs = chosen.bytes * BESIDE
    if chosen.kind != "gguf":
        needs /= 3  # as a Q4_K_M
    fits = "fits" if needs < memory * 0.9 else "is more than this machine has: it will be very slow, or not play at all"
    return [
        f"{chosen.repo}: {count}, {chosen.bytes / GB:.2f} GB",
        f"licence: {chosen.license or 'none is named, look at its page'}",
        f"memory: about {needs / GB:.1f} GB to play, of {memory / GB:.0f} GB here: {fits}",
    ]


def _require_room(chosen: "Offer", folder: Path) -> None:
    there = next(path for path in (folder, *folder.parents) if path.exists())
    free = shutil.disk_usage(there).free
    if free < chosen.bytes:
        raise AdvreplError(
            f"{there} has {free / GB:.1f} GB left, and this takes {chosen.bytes / GB:.1f} GB: make room, "
            "or set ADVREPL_HOME to another place"
        )


@contextmanager
def _checking(total: int) -> Iterator[Callable[[int], None]]:
    """A bar for the sums, which begins with the first of them: before that the hub's library shows its own."""
    from advrepl.cli.console import Report, bars

    done, report = 0, None
    with ExitStack() as opened:

        def on_check(count: int) -> None:
            nonlocal done, report
            found: Report = report or opened.enter_context(bars())("checking")
            report, done = found, done + count
            found("", done, total)

        yield on_check


def _next(chosen: "Offer", got: Path) -> str:
    if chosen.kind == "gguf":
        return f"Play it: {program.command('play', '-m', got.stem)}"
    if chosen.kind == "folder":
        return f"Next: {program.command('convert', str(got))}"
    decode = program.command("decode", str(got / "xor_encoded_files"), "LLAMA", "OUT")
    return f"Next, with the original LLaMA folder: {decode}"
