"""`advrepl saves import` and `export`: stories from other programs, and to them."""

import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from advrepl import AdvreplError, atomic, paths, program
from advrepl.cli import completion, passphrases
from advrepl.cli.flags import SavesFolder, say, tell
from advrepl.cli.questions import agrees

if TYPE_CHECKING:
    from advrepl.story.saves import Save

MOST_TOLD = 50  # files that were not taken
Source = Annotated[Path, typer.Argument(help="A chat of another program, or a folder of them.", show_default=False)]


def import_stories(
    source: Source,
    name: Annotated[str | None, typer.Option("--name", help="What to call the story.", show_default=False)] = None,
    folder: SavesFolder = None,
) -> None:
    """Take stories from SillyTavern, KoboldAI, text-generation-webui, Agnai, RisuAI, AI Dungeon, Clover and others."""
    place = paths.saves_folder(folder)
    if source.is_dir():
        _import_folder(source, place)
        return
    for path, remarks, is_new in _import_file(source, place, name):
        if not is_new:
            say(f"{path.name} has this story already: {program.resume_command(path)} goes on with it")
            say(f"  --name NAME takes {source.name} once more", err=True)
            continue
        say(f"{path.name}: {program.resume_command(path)} goes on with it")
        for remark in remarks:
            say(f"  {remark}", err=True)


def _import_file(source: Path, place: Path, name: str | None = None) -> Iterator[tuple[Path, list[str], bool]]:
    """Write the stories of a file, each under a name that no story has; all of them are read before one is written.

    Yields where each is, what was left out of it, and whether it is new: what was taken before is not taken again,
    unless it is given a name.
    """
    from advrepl.exchange.reading import read
    from advrepl.story.roleplay import slug
    from advrepl.story.saves import check_name, free_name, write_copy

    if name:
        check_name(name)
    chats = read(source)
    stories = [(chat, chat.save(name or chat.title or source.stem)) for chat in chats]
    atomic.make_folder(place)
    for chat, save in stories:
        wanted = name or slug(chat.title if len(chats) > 1 and chat.title else source.stem)
        if not name and (before := _taken_before(save, place, wanted)):
            yield before, [], False
            continue
        path = place / f"{free_name(place, wanted)}.json"
        write_copy(path, save)
        yield path, chat.remarks, True


def _taken_before(save: "Save", place: Path, name: str) -> Path | None:
    """The story of that name, or of one that `free_name` made of it, that begins as this one, whatever came after."""
    from advrepl.story import saves

    free = saves.free_name(place, name)
    number, path = 1, place / f"{name}.json"
    while path.stem != free:
        with suppress(AdvreplError):  # a damaged one is none
            told = saves.load(path).turns[: len(save.turns)]
            if [(turn.parent, turn.role, turn.text) for turn in told] == [
                (turn.parent, turn.role, turn.text) for turn in save.turns
            ]:
                return path
        number += 1
        path = place / f"{name}-{number}.json"
    return None


def _import_folder(source: Path, place: Path) -> None:
    """Take all that can be taken, and say of the rest why not."""
    from rich.progress import track

    from advrepl.cli.console import Shown

    files = sorted(path for path in source.rglob("*") if path.is_file() and not path.name.startswith("."))
    taken, there, refused, left_out = 0, 0, list[str](), list[str]()
    quiet = not sys.stderr.isatty()
    for path in track(files, "stories", console=Shown(stderr=True), disable=quiet):
        try:
            for story, remarks, is_new in _import_file(path, place):
                taken, there = taken + is_new, there + (not is_new)
                left_out += [f"{story.name}: {remark}" for remark in remarks]
        except AdvreplError as error:
            refused.append(str(error))
    say(f"{taken} stories taken from {len(files)} files into {place}")
    if there:
        say(f"there already: {there}", err=True)
    _tell("not taken", refused)
    _tell("taken, but not all of it", left_out)
    if files and not taken and not there:
        raise AdvreplError(f"no file of {source} is a chat that is known here")


def _tell(what: str, lines: list[str]) -> None:
    """Say how many there are, and the first of them."""
    if lines:
        say(f"{what}: {len(lines)}", err=True)
    for line in lines[:MOST_TOLD]:
        say(f"  {line}", err=True)
    if len(lines) > MOST_TOLD:
        say(f"  and {len(lines) - MOST_TOLD} more", err=True)


def export_story(
    name: Annotated[str, typer.Argument(help="The story's name.", autocompletion=completion.stories)],
    form: Annotated[
        str,
        typer.Option(
            "--as",
            metavar="sillytavern|kobold|markdown|html|text|epub",
            help="Its form.",
            autocompletion=completion.forms,
        ),
    ],
    out: Annotated[
        Path | None, typer.Option("-o", "--output", help="Where to.  [default: NAME.…]", show_default=False)
    ] = None,
    folder: SavesFolder = None,
    clear: Annotated[
        bool, typer.Option("--clear", help="Write an encrypted story in the clear without asking.")
    ] = False,
) -> None:
    """Write a story for SillyTavern or Kobold Lite, or as a page to read."""
    from advrepl.exchange.pages import FORMS
    from advrepl.hints import did_you_mean
    from advrepl.play import lookup
    from advrepl.story import saves

    if form not in FORMS:
        hint = did_you_mean(form, {each: each for each in FORMS}) or f"give one of {', '.join(FORMS)}"
        raise AdvreplError(f"--as {form!r} is no form of a story: {hint}")
    source = lookup.saved(name, paths.saves_folder(folder), tell)
    suffix, write = FORMS[form]
    passphrases.unlock(source)
    save, path = saves.load(source), out or Path(source.stem + suffix)
    if save.lock and not clear and not _agrees_to_clear(source, path):
        return
    written = write(save)
    data = written if isinstance(written, bytes) else written.encode("utf-8", "replace")
    if path.exists():
        raise AdvreplError(f"{path} is there already: give another name with -o")
    try:
        atomic.write(path, data, private=save.lock is not None)
    except OSError as error:
        raise AdvreplError(f"{path} could not be written ({error.strerror}): give another place with -o") from error
    say(f"written to {path}")


def _agrees_to_clear(source: Path, path: Path) -> bool:
    """Ask whether an encrypted story is to be written in the clear."""
    warning = f"{source.name} is encrypted, and {path} would hold it in the clear"
    if not sys.stdin.isatty():
        raise AdvreplError(f"{warning}: give --clear if that is meant")
    agreed = agrees(f"{warning}. Write it?")
    if not agreed:
        say("Nothing is written.")
    return agreed
