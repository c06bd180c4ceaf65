"""Find what the player has named: a scenario or character, a story, the model that it is played on.

Opens nothing (session.py does).
"""

import shlex
from collections.abc import Callable
from pathlib import Path

from advrepl import AdvreplError, paths, program
from advrepl.cards.character import shipped
from advrepl.engines import models
from advrepl.engines.remote.address import Address, is_address
from advrepl.hints import understood
from advrepl.play.beginnings import own_cards
from advrepl.story import crypt, saves, scenario
from advrepl.story.saves import ModelRef

Notice = Callable[[str], None]
Agree = Callable[[str], bool]  # asks the player a question, and returns whether he agrees

# Stories that come with the program lie beside the package in a checkout, inside it when installed.
SHIPPED = ("the-old-house",)
SHIPPED_FOLDERS = tuple(parent / "saves" for parent in (paths.PACKAGE.parent, paths.PACKAGE))

LOOKED_AT = 20  # stories


def beginning(what: str, notice: Notice) -> str:
    """Return the name of the scenario or character that is meant, or the path of a card; raises AdvreplError."""
    known = (*scenario.BUILT_IN, *shipped())
    own = {name: str(path) for name, path in own_cards().items()}
    if what in known or Path(what).expanduser().is_file():
        return what
    if what in own:
        return own[what]
    titles = {story.title: name for name, story in scenario.BUILT_IN.items()}
    return understood(
        what,
        [dict(zip(known, known, strict=True)) | own, titles],
        f"there is no scenario {what!r} and no such card",
        f"there are {', '.join(scenario.BUILT_IN)}, and the characters {', '.join((*shipped(), *own))} "
        f"(a story goes on with `{program.command('resume')}`)",
        notice,
    )


def story(name: str | None, folder: Path, notice: Notice) -> tuple[Path, Path]:
    """Return the file to read and the file to write: the same, but for the stories that come with the program."""
    own = _own(folder)
    if name is None:
        newest = _newest(own, notice)
        if not newest:
            raise AdvreplError(f"there is no story in {folder} yet: `{program.command('play')}` begins one")
        return newest, newest
    path = saves.path_of(folder, name if name.endswith(".json") else _story_name(name, folder, own, notice))
    if not path.exists() and path.stem in SHIPPED:
        path = next((file for base in SHIPPED_FOLDERS if (file := base / f"{path.stem}.json").exists()), path)
    return path, folder / f"{saves.free_name(folder, path.stem)}.json" if _is_shipped(path) else path


def saved(name: str, folder: Path, notice: Notice) -> Path:
    """Return the file of a story that is only read: one whose name is not quite right is found as `story` does."""
    return story(name, folder, notice)[0]


def _newest(own: list[Path], notice: Notice) -> Path | None:
    """The newest file that is a story, or has the backup of one beside it; what is newer and is none is told."""
    for path in own:
        try:
            saves.load(path)
        except crypt.Locked:
            return path
        except AdvreplError as error:
            if not isinstance(error, saves.NewerSave) and saves.backup_of(path).exists():
                return path  # which is told when it is opened
            notice(f"{path.name} is passed over: {error}")
            continue
        return path
    return None


def _story_name(name: str, folder: Path, own: list[Path], notice: Notice) -> str:
    """The story of that name, else the only one whose name, or else whose title, it fits."""
    names = {story: story for story in (*(path.stem for path in own), *SHIPPED)}
    if name in names or saves.free_name(folder, name) != name:  # also one of which only the backup is left
        return name
    titles = {title: path.stem for path in reversed(own) if (title := saves.title_of(path))}
    unknown = f"there is no story {folder / name}.json"
    return understood(
        name, [names, titles], unknown, f"`{program.command('saves', 'list')}` shows those there are", notice
    )


def played_before(scenario: str, folder: Path) -> Path | None:
    """Return the newest story of a scenario or character in which the player has said something; None: there is none.

    Looks at the newest few stories only.
    """
    return next((path for path in _own(folder)[:LOOKED_AT] if _is_of(scenario, path)), None)


def _own(folder: Path) -> list[Path]:
    """The player's own stories, the newest first."""
    return [path for path in saves.find(folder) if not _is_shipped(path)]


def _is_of(scenario: str, path: Path) -> bool:
    try:
        save = saves.load(path)
    except AdvreplError:
        return False
    # The first words of an adventure are not the player's own.
    return save.scenario.name == scenario and any(t.role == "user" and t.parent is not None for t in save.turns)


def _is_shipped(path: Path) -> bool:
    return path.stem in SHIPPED and path.resolve().parent in SHIPPED_FOLDERS


def is_model(what: str) -> bool:
    """Tell whether this is a model where a scenario or card was to be."""
    path = Path(what).expanduser()
    return is_address(what) or path.suffix.casefold() == ".gguf" or (path / "config.json").is_file()


def model(played: ModelRef, asked: str | None, notice: Notice, agree: Agree | None) -> Path | Address:
    """Return the model that was asked for, else the one that the story was played on, else another if one agrees."""
    if asked or is_address(played.spec):
        return models.locate(asked or played.spec, notice)
    named = [path for spec in (played.spec, "") if (path := _resolved(spec))]
    if not named or not played.fingerprint:
        return named[0] if named else models.resolve(None)
    there = (path for path in named if models.fingerprint_of(path) == played.fingerprint)
    if found := next(there, None) or models.find(played.name, played.fingerprint):
        return found
    other = models.name_of(named[0])
    told = f"story was played on {played.name}, " + (
        "whose file is another one now" if other == played.name else "which is not here any more"
    )
    if not agree or not agree(f"This {told}. Go on with {other}?"):
        raise AdvreplError(f"this {told}: give `--model {shlex.quote(other)}` to go on with that")
    return named[0]


def _resolved(spec: str) -> Path | None:
    try:
        return models.resolve(spec)
    except AdvreplError:
        return None  # it has been moved or removed, or there is no default
