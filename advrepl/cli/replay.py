"""`advrepl saves replay`: writes a story's replies again, and shows where they differ."""

import sys
from collections import Counter
from typing import TYPE_CHECKING, Annotated

import typer

from advrepl import AdvreplError, paths
from advrepl.cli import completion, passphrases
from advrepl.cli.options import AsJson, GpuLayers, SavesFolder, Threads, option, say, tell
from advrepl.cli.tables import show_json

if TYPE_CHECKING:
    from advrepl.play.replay import Compared, Result

AROUND = 40  # characters that are shown of a difference


def replay(
    name: Annotated[str, typer.Argument(autocompletion=completion.stories, help="The story's name.")],
    folder: SavesFolder = None,
    model: Annotated[
        str | None, option("-m", "--model", help="Another model than the story's.", autocompletion=completion.models)
    ] = None,
    threads: Threads = None,
    gpu_layers: GpuLayers = None,
    as_json: AsJson = False,
) -> None:
    """Write a story's replies again from their seeds, and show where they differ (exit code 1)."""
    from rich.console import Console
    from rich.progress import track

    from advrepl.play.replay import opened
    from advrepl.play.settings import Settings
    from advrepl.story import saves

    passphrases.unlock(path := saves.path_of(paths.saves_folder(folder), name))
    save = saves.load(path)
    again, engine = opened(save, Settings(model=model, threads=threads, gpu_layers=gpu_layers), tell)
    replies = list["Compared"]()
    try:
        bar = Console(stderr=True)
        for each in track(again.compared(), "replies", len(again), console=bar, disable=not sys.stderr.isatty()):
            replies.append(each)
            if each.result not in ("same", "unknown") and not as_json:
                say(_line(each))
    finally:
        engine.close()
    found = Counter(each.result for each in replies)
    if as_json:
        show_json({"same": found["same"], "replies": replies})
    else:
        say(_summary(found, exact=save.played.exact))
    if not found["same"] and not found["differs"]:
        raise AdvreplError(f"{path.name} has no reply that could be written again")
    if found["differs"] or found["other prompt"]:
        raise typer.Exit(1)


def _line(each: "Compared") -> str:
    from advrepl.terminal.text import one_line, visible

    if each.result == "other prompt":
        return f"turn {each.turn}: its prompt is another one now (the story before it or its settings were changed)"
    start = max(each.at - AROUND // 2, 0)
    was, now = (visible(one_line(text[start : start + AROUND])) for text in (each.was, each.now))
    return f"turn {each.turn}: from character {each.at + 1} on it was “{was}”, and is “{now}” now"


def _summary(found: "Counter[Result]", *, exact: bool) -> str:
    compared = found["same"] + found["differs"]
    told = f"{found['same']} of {compared} replies are the same"
    if found["other prompt"]:
        told += f", {found['other prompt']} could not be compared"
    if found["unknown"]:
        told += f"; {found['unknown']} were not written by the model, or nothing is kept of how"
    if found["differs"] and not exact:
        told += "; it was not played with --exact, so what slid out or was read ahead leaves traces"
    return told
