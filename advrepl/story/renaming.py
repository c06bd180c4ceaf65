"""Give a story another name: its file, its backup and its cache go with it.

Does not know what a story is (saves.py) and asks nobody.
"""

from pathlib import Path

from advrepl import AdvreplError
from advrepl.story import crypt, saves
from advrepl.story.save_file import BESIDE, SaveFile


def rename(path: Path, name: str) -> Path:
    """Rename a story and what belongs to it, and return its new path; raises AdvreplError.

    Refused while the story is played, and where another one has the name. The story itself goes last, so that a
    program that is killed meanwhile leaves a story under its old name.
    """
    target = path.with_name(f"{saves.check_name(name)}.json")
    if not crypt.is_encrypted_file(path):
        saves.load(path)  # says that it is not there, or no story
    if target == path or saves.free_name(path.parent, name) != name:
        raise AdvreplError(f"there is a story {name} already: choose another name")
    with SaveFile(path) as old, SaveFile(target):
        for ending in (*(each for each in BESIDE if not each.endswith(".tmp")), ".json"):
            here = old.path.with_name(old.path.stem + ending)
            if here.exists():
                _move(here, target.with_name(name + ending))
    return target


def _move(here: Path, there: Path) -> None:
    try:
        here.rename(there)
    except OSError as error:
        raise AdvreplError(f"{here} cannot be renamed: {error.strerror}") from error
