"""`advrepl saves`: list, show and delete stories."""

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from advrepl import AdvreplError, paths, program
from advrepl.cli.options import SavesFolder, say
from advrepl.cli.questions import agrees
from advrepl.cli.tables import listing, plain

app = typer.Typer(no_args_is_help=True, help="List, show and delete stories.")


@app.command("list")
def show_list(folder: SavesFolder = None) -> None:
    """Show the stories there are, the newest first."""
    from rich.console import Console

    from advrepl.story import saves
    from advrepl.story.tree import Story

    found = saves.find(place := paths.saves_folder(folder))
    if not found:
        say(f"There is no story in {place} yet: `{program.command('play')}` begins one.")
        return
    table = listing(("name", "title", "turns", "changed", "model", "cache"), right=("turns", "cache"))
    for path in found:
        try:
            save = saves.load(path)
        except AdvreplError as error:
            table.add_row(*map(plain, (path.stem, str(error), "", "", "", _cache(path))))
            continue
        turns = str(len(Story(save.turns, save.head).path))
        cells = (path.stem, save.title, turns, _when(save.updated), save.model.name, _cache(path))
        table.add_row(*map(plain, cells))
    Console().print(table)


@app.command("show")
def show_story(name: str, folder: SavesFolder = None) -> None:
    """Print a story as it was read."""
    from advrepl.prompt import options as menu
    from advrepl.story import saves
    from advrepl.story.tree import Story
    from advrepl.terminal.text import visible

    save = saves.load(saves.path_of(paths.saves_folder(folder), name))
    print(visible(f"{save.title}\n"))
    for turn in Story(save.turns, save.head).path_turns():
        if turn.role == "user":
            print(visible(f"> {turn.text}\n"))
            continue
        prose, options = menu.parted(turn.text, save.scenario.options)
        lines = [prose, *(f"{number}. {option}" for number, option in enumerate(options, 1))]
        print(visible("\n".join(lines) + "\n"))


@app.command("delete")
def delete(
    name: str,
    folder: SavesFolder = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Remove a story and what belongs to it."""
    from advrepl.story import save_file, saves

    path = saves.path_of(paths.saves_folder(folder), name)
    if not path.exists():
        saves.load(path)  # says that it is not there
    if not yes and not agrees(f"Delete the story {path} for good?"):
        print("Kept.")
        return
    save_file.delete(path)
    say(f"Deleted {path}.")


def _cache(path: Path) -> str:
    """Return the size of a story's cache file; empty if it has none."""
    from advrepl.engines.kv import store as kv_store

    try:
        return f"{max(path.with_name(path.stem + kv_store.SUFFIX).stat().st_size >> 20, 1)} MB"
    except OSError:
        return ""


def _when(stamp: str) -> str:
    try:
        return datetime.fromisoformat(stamp).astimezone().strftime("%Y-%m-%d %H:%M")
    except ValueError:
        return stamp
