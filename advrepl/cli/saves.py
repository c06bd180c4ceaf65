"""`advrepl saves`: list, show, rename, check, encrypt, replay and delete stories."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from advrepl import AdvreplError, paths, program
from advrepl.cli import completion, exchange, passphrases, replay
from advrepl.cli.flags import SavesFolder, say, tell
from advrepl.cli.questions import agrees
from advrepl.cli.tables import INDENT, listing, screen_width

if TYPE_CHECKING:
    from advrepl.story.checking import Finding

app = typer.Typer(
    no_args_is_help=True, help="List, show, rename, check, encrypt, replay and delete stories; import and export."
)
app.command("import")(exchange.import_stories)
app.command("export")(exchange.export_story)
app.command("replay")(replay.replay)
app.command("share")(replay.share)

StoryName = Annotated[str, typer.Argument(autocompletion=completion.stories, help="The story's name.")]
HEADINGS = ("name", "title", "turns", "changed", "model", "cache")
MEASURE = 100  # columns of a story's last words


@app.command("list")
def show_list(folder: SavesFolder = None) -> None:
    """Show the stories there are, the newest first."""
    from advrepl.story.glance import find, glance
    from advrepl.terminal.text import clip, one_line

    found = list(map(glance, find(place := paths.saves_folder(folder))))
    if not found:
        say(f"There is no story in {place} yet: `{program.command('play')}` begins one.")
        return
    width = screen_width()
    rows = [(each.name, each.title, each.length, each.changed, each.model, _cache(each.path)) for each in found]
    room = min(width, MEASURE) - len(INDENT) - 1  # the last column would be for a blank
    below = [clip(one_line(each.last), room) if each.readable else _problem(each.path) for each in found]
    for line in listing(HEADINGS, rows, width, below=below):
        say(line)


@app.command("rename")
def rename(
    name: StoryName, new: Annotated[str, typer.Argument(help="Its new name.")], folder: SavesFolder = None
) -> None:
    """Give a story another name."""
    from advrepl.story import renaming, saves

    say(f"It is {renaming.rename(saves.path_of(paths.saves_folder(folder), name), new)} now.")


@app.command("show")
def show_story(
    name: StoryName,
    folder: SavesFolder = None,
    as_html: Annotated[bool, typer.Option("--html", help="As a page to read and print.")] = False,
) -> None:
    """Print a story as it was read."""
    from advrepl.play import lookup
    from advrepl.prompt import options as menu
    from advrepl.story import saves
    from advrepl.story.tree import Story

    passphrases.unlock(path := lookup.saved(name, paths.saves_folder(folder), tell))
    save = saves.load(path)
    if as_html:
        from advrepl.exchange import pages

        say(pages.html(save))
        return
    say(f"{save.title}\n")
    for turn in Story(save.turns, save.head).path_turns():
        if turn.role == "user":
            say(f"> {turn.text}\n")
            continue
        prose, options = menu.parted(turn.text, save.scenario.options)
        lines = [prose, *(f"{number}. {option}" for number, option in enumerate(options, 1))]
        say("\n".join(lines) + "\n")


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
    from advrepl.story import checking
    from advrepl.story.glance import find

    place = paths.saves_folder(folder)
    chosen = [lookup.saved(name, place, tell)] if name else find(place)
    if name:
        passphrases.unlock(chosen[0])
    found = list(map(checking.check, chosen))
    if not found:
        say(f"There is no story in {place} yet: `{program.command('play')}` begins one.")
    for each in found:
        _tell(each, repair=repair)
    if any(each.trouble for each in found):
        raise typer.Exit(1)


def _tell(each: "Finding", *, repair: bool) -> None:
    from advrepl.story import checking, saves

    if each.locked:
        say(f"{each.path.name}: encrypted, `{program.command('saves', 'check', each.path.stem)}` looks into it")
    elif not each.trouble:
        say(f"{each.path.name}: whole, {each.length}")
    else:
        say(each.trouble)
        if each.found and repair:
            say(f"  {each.source} is kept as {checking.repair(each).name}, {saves.length(each.found)}")
        else:
            say(f"  {each.mend}")


@app.command("passphrase")
def change_passphrase(
    name: StoryName,
    folder: SavesFolder = None,
    remove: Annotated[bool, typer.Option("--remove", help="Keep it in the clear from now on.")] = False,
) -> None:
    """Encrypt a story, or give it another passphrase, or none."""
    from advrepl.story import relocking, saves

    path = saves.path_of(paths.saves_folder(folder), name)
    passphrases.unlock(path)
    was = saves.load(path).lock
    if remove and not was:
        raise AdvreplError(f"{path.name} is not encrypted")
    relocking.relock(path, None if remove else passphrases.new_lock(variable=passphrases.NEW))
    if remove:
        say(f"{path} is in the clear now.")
    elif was:
        say(f"{path} has another passphrase now.")
    else:
        say(
            f"{path} is encrypted now. What stood in the clear was removed, but a disk may still hold it; "
            f"lines that you typed may be in {paths.history()}."
        )


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
        say("Kept.")
        return
    save_file.delete(path)
    say(f"Deleted {path}.")


def _problem(path: Path) -> str:
    from advrepl.story import saves  # which takes its time, and is seldom needed for a list

    return saves.problem(path)


def _cache(path: Path) -> str:
    """Return the size of a story's cache file; empty if it has none."""
    try:
        return f"{max(path.with_name(path.stem + paths.CACHE_SUFFIX).stat().st_size >> 20, 1)} MB"
    except OSError:
        return ""
