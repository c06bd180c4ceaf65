"""`advrepl saves replay`: writes a story's replies again, and shows where they differ."""

import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from advrepl import AdvreplError, paths, program
from advrepl.cli import completion, passphrases
from advrepl.cli.flags import AsJson, GpuLayers, SavesFolder, Threads, flag, say, tell
from advrepl.cli.tables import show_json

if TYPE_CHECKING:
    from advrepl.play.replay import Compared, Result
    from advrepl.play.settings import Settings

AROUND = 40  # characters that are shown of a difference


def share(
    name: Annotated[str, typer.Argument(autocompletion=completion.stories, help="The story's name.")],
    folder: SavesFolder = None,
) -> None:
    """Print a story that was played with --exact as one line, which a friend with the same model plays back."""
    from advrepl.play.shared import shared
    from advrepl.story import saves, sharing

    passphrases.unlock(path := saves.path_of(paths.saves_folder(folder), name))
    say(sharing.line_of(shared(saves.load(path))))


def replay(
    name: Annotated[
        str, typer.Argument(autocompletion=completion.stories, help="The story's name, or the line of `saves share`.")
    ],
    folder: SavesFolder = None,
    card: Annotated[Path | None, flag("--card", help="For a line: the character's card.")] = None,
    model: Annotated[
        str | None, flag("-m", "--model", help="Another model than the story's.", autocompletion=completion.models)
    ] = None,
    threads: Threads = None,
    gpu_layers: GpuLayers = None,
    as_json: AsJson = False,
) -> None:
    """Write a story's replies again from their seeds, and show where they differ (exit code 1)."""
    from rich.progress import track

    from advrepl.cli.console import Shown
    from advrepl.play.replay import opened
    from advrepl.play.settings import Settings
    from advrepl.story import saves, sharing

    if name.startswith(sharing.PREFIX):
        _play_back(name, Settings(saves=folder, threads=threads, gpu_layers=gpu_layers), card, as_json=as_json)
        return
    passphrases.unlock(path := saves.path_of(paths.saves_folder(folder), name))
    save = saves.load(path)
    again, engine = opened(save, Settings(model=model, threads=threads, gpu_layers=gpu_layers), tell)
    replies = list["Compared"]()
    try:
        bar = Shown(stderr=True)
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


def _play_back(line: str, settings: "Settings", card: Path | None, *, as_json: bool) -> None:
    """Write the story of a line as one of the player's own."""
    from rich.progress import track

    from advrepl.cli.console import Shown
    from advrepl.play.shared import begun, played_back
    from advrepl.story import sharing

    known = sharing.read(line)
    game = begun(known, settings, card, tell).open(tell, None)
    try:
        bar, quiet, steps = Shown(stderr=True), not sys.stderr.isatty(), len(known.steps)
        same = list(track(played_back(game, known), "replies", steps, console=bar, disable=quiet))
        game.save()
    finally:
        game.close()
    if as_json:
        show_json({"same": sum(same), "of": steps, "save": str(game.file.path)})
    else:
        say(f"{sum(same)} of {steps} replies are the same: {program.resume_command(game.file.path)} goes on")
    if not all(same):
        raise AdvreplError(f"reply {len(same)} is another one here, and what was said to it belongs to another story")


def _line(each: "Compared") -> str:
    from advrepl.terminal.text import one_line

    if each.result == "other prompt":
        return f"turn {each.turn}: its prompt is another one now (the story before it or its settings were changed)"
    start = max(each.at - AROUND // 2, 0)
    was, now = (one_line(text[start : start + AROUND]) for text in (each.was, each.now))
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
