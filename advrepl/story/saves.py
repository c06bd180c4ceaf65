"""Stories on disk: one JSON file each, written beside and renamed, the version before kept as .bak, locked in use.

Holds text, never tokens. Does not know how a story is played.
"""

import os
import re
import socket
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import filelock
import msgspec

from advrepl import AdvreplError, atomic, program
from advrepl.cards.character import Character
from advrepl.lore.activation import LoreState
from advrepl.lore.books import Book
from advrepl.story.migrations import MIGRATIONS
from advrepl.story.scenario import Scenario
from advrepl.story.tree import Turn

SCHEMA = len(MIGRATIONS) + 1

BESIDE = (".json.bak", ".kv", ".kv.tmp")  # files that belong to a save and go with it
LOCK_PATIENCE = 0.3  # seconds


class ModelRef(msgspec.Struct, frozen=True):
    """The model a story was last played on."""

    name: str = ""
    fingerprint: str = ""
    spec: str = ""  # what --model was, so that the story goes on with the same one


class Save(msgspec.Struct, frozen=True, omit_defaults=True):
    """A save file, field by field. Whoever goes on with the story replaces it; only the list of turns grows."""

    schema: int
    title: str
    created: str
    updated: str
    model: ModelRef
    format: str
    sampling: dict[str, Any]
    scenario: Scenario
    turns: list[Turn]
    head: int | None
    window_start: int = 0  # the first block that the model sees: example dialogues, then the turns to the head
    character: Character | None = None  # who the model plays, so that {{user}} can be filled in anew
    books: tuple[Book, ...] = ()  # lore that was added to the character's own
    lore_state: LoreState = LoreState()  # what the story remembers of its lore
    macro_values: dict[str, str] = {}  # what macros rolled, and their variables; never changed in place
    rng_seed: str = ""  # what macros and lore roll with
    card_path: str = ""  # the path of the character's card, for its picture; it may be gone


def with_scenario(save: Save, **fields: Any) -> Save:
    """Return the save with these fields of its scenario changed."""
    return msgspec.structs.replace(save, scenario=msgspec.structs.replace(save.scenario, **fields))


def now() -> str:
    """Return the time as saves have it: ISO 8601 in UTC."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def check_name(name: str) -> str:
    """Return the name if a story can have it: never a path out of the folder; else raise AdvreplError."""
    if not re.fullmatch(r"[^\W_][\w .()-]{0,99}", name) or name.endswith((" ", ".")):
        raise AdvreplError(f"{name!r} cannot be the name of a story: use letters, digits, spaces and - _ . ( )")
    return name


def path_of(folder: Path, name: str) -> Path:
    """Return the save file of a story's name, or the file itself where a path to one was given (NAME.json)."""
    return Path(name).expanduser() if name.endswith(".json") else folder / f"{check_name(name)}.json"


def free_name(saves: Path, name: str) -> str:
    """Return `name`, or `name-2`, `name-3`, … : the first that no story has."""
    number, candidate = 1, name
    while (saves / f"{candidate}.json").exists() or (saves / f"{candidate}.json.bak").exists():
        number += 1
        candidate = f"{name}-{number}"
    return candidate


def parse(data: bytes, source: str) -> Save:
    """Read a save of any schema up to this one; AdvreplError names the source and the path of a wrong field."""
    try:
        plain = msgspec.json.decode(data.removeprefix(b"\xef\xbb\xbf"))
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise AdvreplError(f"{source} is damaged: {_sentence(error)}") from error
    schema = plain.get("schema") if isinstance(plain, dict) else None
    if not isinstance(schema, int) or schema < 1:
        raise AdvreplError(f"{source} is no story of advrepl: it has no schema number")
    if schema > SCHEMA:
        raise NewerSave(f"{source} was written by a newer advrepl (schema {schema}, this one knows {SCHEMA}): update")
    for migrate in MIGRATIONS[schema - 1 :]:
        plain = migrate(plain)
    try:
        save = msgspec.convert(plain, Save)
    except msgspec.ValidationError as error:
        raise AdvreplError(f"{source} is damaged: {_sentence(error)}") from error
    _check_tree(save, source)
    return save


class NewerSave(AdvreplError):
    """A save that only a newer version can read; there is nothing to recover."""


def load(path: Path) -> Save:
    """Read a save from its file; raises AdvreplError."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise AdvreplError(
            f"there is no story {path}: `{program.command('saves', 'list')}` shows those there are"
        ) from None
    except OSError as error:
        raise AdvreplError(f"{path} cannot be read: {error.strerror}") from error
    return parse(data, str(path))


def backup_of(path: Path) -> Path:
    """Return where the version before the last one of a save is kept."""
    return path.with_name(path.name + ".bak")


def title_of(path: Path) -> str:
    """Return the title of a story; empty: its file cannot be read."""
    try:
        return load(path).title
    except AdvreplError:
        return ""


def find(saves: Path) -> list[Path]:
    """Return the save files of a folder, the one changed last first."""
    paths = [path for path in saves.glob("*.json") if not path.name.startswith(".")] if saves.is_dir() else []
    return sorted(paths, key=lambda path: path.stat().st_mtime_ns, reverse=True)


def delete(path: Path) -> None:
    """Remove a story and what belongs to it; refused while it is being played."""
    with SaveFile(path) as file:
        file.delete()


class SaveFile:
    """A save that is open for writing: locked against other programs until closed."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            # A lock file that its holder removes just now is found out by filelock, and taken the next time.
            self._lock = filelock.FileLock(self._lock_path, timeout=LOCK_PATIENCE)
            self._lock.acquire()
        except filelock.Timeout:
            raise AdvreplError(f"{path} is being played by {self._holder()}: leave it there first") from None
        except OSError as error:
            raise AdvreplError(
                f"{path.parent} cannot be written ({error.strerror}): choose another folder with --saves"
            ) from error
        with suppress(OSError):  # only there to be shown
            self._lock_path.write_text(f"{os.getpid()} on {socket.gethostname()}")

    def __enter__(self) -> "SaveFile":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def load(self) -> tuple[Save, str]:
        """Read the story, with a notice if it had to be taken from the version before.

        A damaged file is moved aside, so that it is never overwritten. Raises AdvreplError, NewerSave among them.
        """
        try:
            return load(self.path), ""
        except NewerSave:
            raise
        except AdvreplError as error:
            backup = backup_of(self.path)
            if not backup.exists():
                raise
            save = load(backup)
            if not self.path.exists():
                return save, f"{self.path} was missing: its last backup goes on"
            aside = self.path.with_name(free_name(self.path.parent, self.path.stem + "-damaged") + ".json.txt")
            self.path.rename(aside)
            return save, f"{error}; it is kept as {aside.name}, and the version before it goes on"

    def write(self, save: Save) -> None:
        """Write beside, flush, rename; a crash at any moment leaves this version or the one before.

        The time of writing goes into the file, not into `save`.
        """
        save = msgspec.structs.replace(save, schema=SCHEMA, updated=now())
        data = msgspec.json.format(msgspec.json.encode(save), indent=1)
        try:
            atomic.write(self.path, data, durable=True, backup=backup_of(self.path))
        except OSError as error:
            raise AdvreplError(
                f"{self.path} could not be written ({error.strerror}): the story goes on, but only in memory"
            ) from error

    def delete(self) -> None:
        """Remove the story and what belongs to it; raises AdvreplError."""
        for name in (self.path.name, *(self.path.stem + ending for ending in BESIDE)):
            try:
                self.path.with_name(name).unlink(missing_ok=True)
            except OSError as error:
                raise AdvreplError(f"{self.path.with_name(name)} cannot be removed: {error.strerror}") from error

    def close(self) -> None:
        """Let other programs have the story."""
        if self._lock.is_locked:
            with suppress(OSError):  # Windows removes no file that is open; there filelock does it in a moment
                self._lock_path.unlink()
            self._lock.release()

    @property
    def _lock_path(self) -> Path:
        return self.path.with_name(f".{self.path.stem}.lock")

    def _holder(self) -> str:
        try:
            return f"process {self._lock_path.read_text()}"
        except (OSError, UnicodeDecodeError):
            return "another program"


def _check_tree(save: Save, source: str) -> None:
    for index, turn in enumerate(save.turns):
        if turn.parent is not None and not 0 <= turn.parent < index:
            raise AdvreplError(f"{source} is damaged: turns[{index}].parent names a turn that is not before it")
    if save.head is not None and not 0 <= save.head < len(save.turns):
        raise AdvreplError(f"{source} is damaged: head names turn {save.head} of {len(save.turns)}")
    if save.window_start < 0:
        raise AdvreplError(f"{source} is damaged: window_start is negative")


def _sentence(error: Exception) -> str:
    text = str(error)
    return text[:1].lower() + text[1:]
