"""A look at the stories of a folder, by which they can be told apart: quick, and of any schema.

Checks nothing but what it shows; saves.py reads a story for playing.
"""

import stat
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path

import msgspec

from advrepl import regular
from advrepl.story import crypt
from advrepl.story.tree import counted

LIST = "- "  # before each option at the end of a reply, as saves have it


class _Turn(msgspec.Struct, gc=False):
    parent: int | None
    role: str
    text: str


class _Model(msgspec.Struct):
    name: str = ""


class _Save(msgspec.Struct):
    schema: int
    title: str
    turns: list[_Turn]
    head: int | None
    updated: str = ""
    model: _Model = msgspec.field(default_factory=_Model)


class StoryLine(msgspec.Struct, frozen=True):
    """A story as a list shows it."""

    path: Path
    title: str = ""
    turns: int = 0  # on the path that is read
    changed: str = ""
    model: str = ""
    last: str = ""  # the last line of it, options apart
    readable: bool = True
    encrypted: bool = False  # then nothing of it is known

    @property
    def name(self) -> str:
        """Return what it is called on the command line."""
        return self.path.stem

    @property
    def length(self) -> str:
        """Return how many turns it has, in words; empty: nobody can tell."""
        return counted(self.turns) if self.readable and not self.encrypted else ""


def find(saves: Path) -> list[Path]:
    """Return the save files of a folder, the one changed last first."""
    changed = dict[Path, int]()
    for path in saves.glob("*.json") if saves.is_dir() else ():
        with suppress(OSError):  # a link into nowhere, or one that was removed just now
            told = path.stat()
            if stat.S_ISREG(told.st_mode) and not path.name.startswith("."):
                changed[path] = told.st_mtime_ns
    return sorted(changed, key=changed.__getitem__, reverse=True)


def glance(path: Path) -> StoryLine:
    """Return what a list shows of a story."""
    try:
        data = regular.read(path)
        if crypt.is_encrypted(data):
            changed = datetime.fromtimestamp(path.stat().st_mtime).astimezone().isoformat()
            return StoryLine(path, "(encrypted)", changed=when(changed), encrypted=True)
        save = msgspec.json.decode(data.removeprefix(b"\xef\xbb\xbf"), type=_Save)
        told = _path(save)
    except (OSError, ValueError, RecursionError, IndexError):
        return StoryLine(path, readable=False)
    return StoryLine(path, save.title, len(told), when(save.updated), save.model.name, _last_line(told))


def _path(save: _Save) -> list[_Turn]:
    """The turns to the head; IndexError: the tree is none."""
    told: list[_Turn] = []
    at = save.head
    while at is not None:
        if len(told) > len(save.turns):
            raise IndexError(at)
        told.append(save.turns[at])
        at = told[-1].parent
    return told[::-1]


def _last_line(told: list[_Turn]) -> str:
    lines = [line.strip() for line in told[-1].text.split("\n")] if told else []
    is_menu = told[-1].role == "model" and any(not line.startswith(LIST) for line in lines) if told else False
    return next((line for line in reversed(lines) if line and not (is_menu and line.startswith(LIST))), "")


def when(stamp: str, now: datetime | None = None) -> str:
    """Return a time of a save as people say it: today and yesterday with the hour, else the date."""
    try:
        then = datetime.fromisoformat(stamp).astimezone()
    except (ValueError, OverflowError):  # the second: a day before the first or behind the last that there is
        return stamp
    today = (now or datetime.now()).astimezone().date()
    for day, word in ((today, "today"), (today - timedelta(days=1), "yesterday")):
        if then.date() == day:
            return f"{word} {then:%H:%M}"
    return f"{then:%Y-%m-%d}"
