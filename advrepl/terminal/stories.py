"""`advrepl saves`: list, show and delete stories.

Does not play them.
"""

from datetime import datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from advrepl import AdvreplError
from advrepl.engines import keeper
from advrepl.prompt import options as menu
from advrepl.story import saves
from advrepl.story.tree import Story
from advrepl.terminal.view import visible


def show_list(folder: Path) -> None:
    """The newest first; a file that cannot be read is listed with the reason."""
    paths = saves.find(folder)
    if not paths:
        print(f"There is no story in {folder} yet: `advrepl play` begins one.")
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("name", "title", "turns", "changed", "model", "cache"):
        table.add_column(heading, justify="right" if heading in ("turns", "cache") else "left", overflow="fold")
    for path in paths:
        try:
            save = saves.load(path)
        except AdvreplError as error:
            table.add_row(*map(_plain, (path.stem, str(error), "", "", "", _cache(path))))
            continue
        turns = str(len(Story(save.turns, save.head).path))
        cells = (path.stem, save.title, turns, _when(save.updated), save.model.name, _cache(path))
        table.add_row(*map(_plain, cells))
    Console().print(table)


def show_story(folder: Path, name: str) -> None:
    """The turns from the beginning to where the reader stands, as plain text."""
    save = saves.load(path_of(folder, name))
    print(visible(f"{save.title}\n"))
    for turn in Story(save.turns, save.head).told():
        if turn.role == "user":
            print(visible(f"> {turn.text}\n"))
            continue
        prose, options = menu.split(turn.text)
        lines = [prose, *(f"{number}. {option}" for number, option in enumerate(options, 1))]
        print(visible("\n".join(lines) + "\n"))


def delete(folder: Path, name: str, sure: bool) -> None:
    path = path_of(folder, name)
    if not path.exists():
        saves.load(path)  # says that it is not there
    if not sure and input(f"Delete the story {path} for good? [y/N] ").strip().lower() not in ("y", "yes"):
        print("Kept.")
        return
    saves.delete(path)
    print(f"Deleted {path}.")


def path_of(folder: Path, name: str) -> Path:
    return Path(name) if name.endswith(".json") else folder / f"{saves.check_name(name)}.json"


def _cache(path: Path) -> str:
    """The size of a story's cache file; empty if it has none."""
    try:
        return f"{max(path.with_name(path.stem + keeper.ENDING).stat().st_size >> 20, 1)} MB"
    except OSError:
        return ""


def _plain(text: str) -> Text:
    return Text(visible(text))


def _when(stamp: str) -> str:
    try:
        return datetime.fromisoformat(stamp).astimezone().strftime("%Y-%m-%d %H:%M")
    except ValueError:
        return stamp
