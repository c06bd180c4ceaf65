"""`advrepl saves`: list, show, rename, check and delete stories."""

from pathlib import Path
from typing import Annotated

import typer

from advrepl import paths, program
from advrepl.cli import completion, exchange
from advrepl.cli.flags import SavesFolder, say, tell
from advrepl.cli.questions import agrees
from advrepl.cli.tables import INDENT, listing, screen_width

app = typer.Typer(no_args_is_help=True, help="List, show, rename, check and delete stories; import and export.")
app.command("import")(exchange.import_stories)
app.command("export")(exchange.export_story)

StoryName = Annotated[str, typer.Argument(autocompletion=completion.stories, help="The story's name.")]
HEADINGS = ("name", "title", "turns", "changed", "model", "cache")
MEASURE = 100  # columns of a story's last words


@app.command("list")
def show_list(folder: SavesFolder = None) -> None:
    """Show the stories there are, the newest first."""
    from advrepl.story import saves
    from advrepl.story.glance import find, glance
    from advrepl.terminal.text import clip, one_line

    found = list(map(glance, find(place := paths.saves_folder(folder))))
    if not found:
        say(f"There is no story in {place} yet: `{program.command('play')}` begins one.")
        return
    width = screen_width()
    rows = [(each.name, each.title, each.length, each.changed, each.model, _cache(each.path)) for each in found]
    room = min(width, MEASURE) - len(INDENT)
    below = [clip(one_line(each.last), room) if each.readable else saves.problem(each.path) for each in found]
    for line in listing(HEADINGS, rows, width, below=below):
        print(line)


@app.command("rename")
def rename(
    name: StoryName, new: Annotated[str, typer.Argument(help="Its new name.")], folder: SavesFolder = None
) -> None:
    """Give a story another name."""
    from advrepl.story import renaming, saves

    say(f"It is {renaming.rename(saves.path_of(paths.saves_folder(folder), name), new)} now.")


@app.command("show")
def show_story(name: StoryName, folder: SavesFolder = None) -> None:
    """Print a story as it was read."""
    from advrepl.play import lookup
    from advrepl.prompt import options as menu
    from advrepl.story import saves
    from advrepl.story.tree import Story
    from advrepl.terminal.text import visible

    save = saves.load(lookup.saved(name, paths.saves_folder(folder), tell))
    print(visible(f"{save.title}\n"))
    for turn in Story(save.turns, save.head).path_turns():
        if turn.role == "user":
            print(visible(f"> {turn.text}\n"))
            continue
        prose, options = menu.parted(turn.text, save.scenario.options)
        lines = [prose, *(f"{number}. {option}" for number, option in enumerate(options, 1))]
        print(visible("\n".join(lines) + "\n"))


@app.command("check")
def check(
    name: Annotated[
        str | None, typer.Argument(autocompletion=completion.stories, help="The story's name; else all are checked.")
    ] = None,
    folder: SavesFolder = None,
    repair: Annotated[
        bool, typer.Option("--repair", help="Write what can be recovered as a story of its own.")
    ] = False,
) -> None:
    """Tell whether stories are what was written, and what can be recovered; changes none."""
    from advrepl.play import lookup
    from advrepl.story import checking, saves
    from advrepl.story.glance import find

    place = paths.saves_folder(folder)
    found = list(map(checking.check, [lookup.saved(name, place, tell)] if name else find(place)))
    if not found:
        say(f"There is no story in {place} yet: `{program.command('play')}` begins one.")
    for each in found:
        if not each.trouble:
            say(f"{each.path.name}: whole, {each.length}")
            continue
        say(each.trouble)
        if each.found and repair:
            say(f"  {each.source} is kept as {checking.repair(each).name}, {saves.length(each.found)}")
        else:
            say(f"  {each.mend}")
    if any(each.trouble for each in found):
        raise typer.Exit(1)


@app.command("delete")
def delete(
    name: StoryName,
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
