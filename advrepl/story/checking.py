"""Is a story on the disk what was written, and what can be had of it if it is not? Changes no file that is there.

What is done while it is played: save_file.py.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from advrepl import AdvreplError, program, regular
from advrepl.story import crypt
from advrepl.story.recovery import salvage
from advrepl.story.saves import NewerSave, Save, backup_of, free_name, from_plain, length, load, parse, write_copy
from advrepl.story.seal import is_altered
from advrepl.story.tree import Turn


class Finding(Struct, frozen=True):
    """What was found of one story."""

    path: Path
    length: str = ""  # of what can be read of it as it is, in words
    trouble: str = ""  # what is wrong with it, as a sentence; empty: nothing
    found: Save | None = None  # what can be had instead
    source: str = ""  # where that is from, in words
    locked: bool = False  # is it encrypted, and cannot be looked into?

    @property
    def mend(self) -> str:
        """Return what can be done about the trouble, in words."""
        if not self.found:
            return "nothing of it can be recovered"
        again = program.command("saves", "check", self.path.stem, "--repair")
        return f"{self.source} can be had, {length(self.found)}: `{again}`"


def check(path: Path) -> Finding:
    """Look at a story and what is beside it."""
    try:
        data = regular.read(path)
        save = parse(data, path.name)
    except NewerSave as error:
        return Finding(path, trouble=str(error))
    except crypt.Locked:
        return Finding(path, locked=True)
    except OSError as error:
        return _with_rescue(path, "", f"{path.name} cannot be read: {error.strerror}", b"")
    except AdvreplError as error:
        return _with_rescue(path, "", str(error), data)
    if is_altered(data):
        words = f"{path.name} is not what was written: it was edited by hand (then take out its last line, the sum) or "
        return _with_rescue(path, length(save), words + "the disk has changed it", b"")
    return Finding(path, length(save))


def repair(finding: Finding) -> Path:
    """Write what can be had as a story of its own, beside the damaged one; raises AdvreplError."""
    assert finding.found
    folder = finding.path.parent
    path = folder / f"{free_name(folder, finding.path.stem + '-recovered')}.json"
    write_copy(path, finding.found)
    return path


def whole_part(data: bytes, source: str) -> Save:
    """Return a save with all its turns up to the first that is damaged; raises ValueError if there is none."""
    fields = salvage(data)
    turns = list(_valid(fields["turns"]))
    if not turns:
        raise ValueError("no whole turn")
    try:
        return from_plain({**fields, "turns": turns, "head": len(turns) - 1}, source)
    except AdvreplError as error:
        raise ValueError(str(error)) from error


def _with_rescue(path: Path, readable: str, trouble: str, data: bytes) -> Finding:
    try:
        save = load(backup_of(path))
        return Finding(path, readable, trouble, save, "the version before it")
    except AdvreplError:
        pass
    try:
        return Finding(path, readable, trouble, whole_part(data, path.name), "what could be read of it")
    except ValueError:
        return Finding(path, readable, trouble)


def _valid(turns: list[Any]) -> Iterator[Any]:
    for index, turn in enumerate(turns):
        try:
            parent = msgspec.convert(turn, Turn).parent
        except msgspec.ValidationError:
            return
        if parent is not None and not 0 <= parent < index:
            return
        yield turn
