"""A story's file while it is open for writing: locked, written beside and renamed, the version before kept as .bak.

What other programs did to it meanwhile is kept; what cannot be written here is written somewhere else. The contents are
saves.py's.
"""

import errno
import glob
import hashlib
import os
import socket
import tempfile
import warnings
from contextlib import suppress
from pathlib import Path

import filelock

from advrepl import AdvreplError, atomic, paths, program, regular
from advrepl.story import crypt
from advrepl.story.checking import whole_part
from advrepl.story.encoding import Encoder
from advrepl.story.saves import NewerSave, Save, backup_of, encoded, free_name, length, load, write_copy
from advrepl.story.seal import is_altered

BESIDE = (".json.bak", paths.CACHE_SUFFIX, f"{paths.CACHE_SUFFIX}.tmp")  # files that belong to a save and go with it
LOCK_PATIENCE = 0.3  # seconds
NO_LOCKS = (errno.ENOLCK, errno.EOPNOTSUPP)  # what a folder on another machine may say, which knows no locks
SCHEMA_WITHIN = 4096  # bytes of a save


class Played(AdvreplError):
    """Another program has the story open."""


class SaveFile:
    """A save that is open for writing: locked against other programs until closed."""

    def __init__(self, path: Path) -> None:
        path = path.resolve()  # a link stays one
        self.path = path
        self._written: tuple[int, bytes] | None = None  # when the file was last read or written, and its sum
        try:
            atomic.make_folder(path.parent)
            self._lock = _locked(self._lock_path)
        except filelock.Timeout as error:
            is_soft = error.lock_file == _soft(self._lock_path)
            or_else = f", or remove {error.lock_file} if nobody does" if is_soft else ""
            raise Played(f"{path} is being played by {self._holder()}: leave it there first{or_else}") from None
        except OSError as error:
            raise AdvreplError(
                f"{path.parent} cannot be written ({error.strerror}): choose another folder with --saves"
            ) from error
        self._encoder = Encoder()
        self._failing = False  # could it not be written the last time?
        self._changed: tuple[str, ...] = ()  # what is still to be said of a file that another program has changed
        self._rescued: tuple[Save, Path] | None = None
        # The lock is ours, so a program that was killed has left these.
        for left in path.parent.glob(f".{glob.escape(path.name)}.*tmp"):
            with suppress(OSError):
                left.unlink()
        if not hasattr(self._lock, "pid"):  # else it is in its file, and the lock
            with suppress(OSError):  # only there to be shown
                self._lock_path.write_text(f"{os.getpid()} on {socket.gethostname()}")

    @classmethod
    def of_new(cls, folder: Path, name: str) -> "SaveFile":
        """Open the save of a new story, by the first name that none has and no other program begins one under."""
        begun: list[str] = []  # there is nothing of these but the lock yet
        while True:
            try:
                return cls(folder / f"{(free := free_name(folder, name, begun))}.json")
            except Played:
                begun.append(free)

    def __enter__(self) -> "SaveFile":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def load(self) -> tuple[Save, str]:
        """Read the story, with a notice if it had to be taken from the version before.

        A damaged file is moved aside, so that it is never overwritten. Raises AdvreplError, NewerSave among them.
        """
        try:
            save = load(self.path)
            data = regular.read(self.path)
            self._written = self._changed_at(), hashlib.sha256(data).digest()
            return save, self._keep_before() if is_altered(data) else ""
        except NewerSave:
            raise
        except AdvreplError as error:
            if isinstance(error, crypt.Locked) and not crypt.is_open(backup_of(self.path)):
                raise
            found = self._before() or self._whole_part()
            if not found:
                raise
            save, goes_on = found
            if not self.path.exists():
                return save, f"{self.path} was missing: its last backup goes on"
            aside = self.path.with_name(free_name(self.path.parent, self.path.stem + "-damaged") + ".json.txt")
            self.path.rename(aside)
            return save, f"{error}; it is kept as {aside.name}, and {goes_on}"

    def _keep_before(self) -> str:
        """Put the version before aside, as the next turn would replace it; return a line that says why."""
        told = f"{self.path.name} is not what was written: it was edited by hand, or the disk has changed it"
        before = backup_of(self.path)
        if not regular.is_there(before):
            return told
        aside = self.path.with_name(free_name(self.path.parent, self.path.stem + "-before") + ".json")
        with suppress(OSError):
            atomic.write(aside, regular.read(before), private=True)
        return f"{told}; it goes on as it is, and the version before it is kept as {aside.name}"

    def _before(self) -> tuple[Save, str] | None:
        with suppress(AdvreplError):
            return load(backup_of(self.path)), "the version before it goes on"
        return None

    def _whole_part(self) -> tuple[Save, str] | None:
        with suppress(OSError, ValueError):
            save = whole_part(regular.read(self.path), str(self.path))
            return save, f"what could be read of it goes on, {length(save)}"
        return None

    def write(self, save: Save) -> None:
        """Write beside, flush, rename; a crash at any moment leaves this version or the one before."""
        try:
            atomic.make_folder(self.path.parent)  # a folder that was removed meanwhile
            self._set_changed_aside()
            backup = backup_of(self.path)
            data = encoded(save, self._encoder)
            atomic.write(self.path, *data.pieces, durable=True, backup=backup, private=True)
            self._written = self._changed_at(), data.digest
        except OSError as error:
            raise AdvreplError(
                f"{self.path} could not be written ({error.strerror}): the story goes on, but only in memory; "
                "it is tried again after each turn, and /save PATH writes it somewhere else"
            ) from error

    def keep(self, save: Save) -> tuple[str, ...]:
        """Write the save if that can be done now; return a line where that has changed."""
        failed, self._failing = self._failing, False
        try:
            self.write(save)
        except AdvreplError as error:
            self._failing = True
            return () if failed else (str(error),)
        again = (f"{self.path} could be written again: the story is kept",) if failed else ()
        changed, self._changed = self._changed, ()
        return again + changed

    def _set_changed_aside(self) -> None:
        """Keep a version that another program has written meanwhile, as one that copies files between computers."""
        if not self._written or not self.path.exists() or self._changed_at() == self._written[0]:
            return
        if not self.path.is_file() or hashlib.sha256(regular.read(self.path)).digest() != self._written[1]:
            aside = self.path.with_name(free_name(self.path.parent, self.path.stem + "-other") + ".json")
            self.path.rename(aside)
            self._changed += (f"{self.path} was changed by another program: its version is kept as {aside.name}",)

    def _changed_at(self) -> int:
        return self.path.stat().st_mtime_ns

    def write_or_rescue(self, save: Save) -> str:
        """Write the save for the last time: wherever it can be written, and then return a line that says where.

        Raises AdvreplError if there is no such place.
        """
        try:
            self.write(save)
        except AdvreplError:
            if not self._rescued or self._rescued[0] is not save:
                self._rescued = save, _write_elsewhere(self.path.stem, save)
            return f"{self.path} could not be written: go on with {program.resume_command(self._rescued[1])}"
        return ""

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
        for path in (self._lock_path, Path(_soft(self._lock_path))):
            with suppress(OSError, UnicodeDecodeError):
                if told := path.read_text().splitlines()[:2]:  # a soft one has more lines
                    return f"process {' on '.join(told)}"
        return "another program"


def _locked(path: Path) -> filelock.BaseFileLock:
    """Take the lock, by the system or, where the folder knows no locks, by a file that only one program can make.

    A lock file that its holder removes just now is found out by filelock, and taken the next time; a soft one is that
    of the process which it names, and no longer one when that has ended on this machine.
    """
    lock: filelock.BaseFileLock = filelock.FileLock(path, timeout=LOCK_PATIENCE, mode=0o600)
    try:
        with warnings.catch_warnings(action="ignore", category=UserWarning):  # where it takes a soft one by itself
            lock.acquire()
    except OSError as error:
        if error.errno not in NO_LOCKS:
            raise
        lock = filelock.SoftFileLock(_soft(path), timeout=LOCK_PATIENCE, mode=0o600)
        lock.acquire()
    return lock


def _soft(path: Path) -> str:
    return str(path.with_suffix(".soft.lock"))


def delete(path: Path) -> None:
    """Remove a story and what belongs to it; refused while it is being played, and for what is no story."""
    with suppress(OSError), regular.opened(path) as opened:  # what cannot be read cannot be removed either: told below
        if b'"schema"' not in opened.read(SCHEMA_WITHIN):  # it may be damaged behind that
            raise AdvreplError(f"{path} is no story of advrepl: nothing is removed")
    with SaveFile(path) as file:
        file.delete()


def _write_elsewhere(name: str, save: Save) -> Path:
    for folder in (Path.cwd(), Path.home(), Path(tempfile.gettempdir())):
        path = folder / f"{free_name(folder, name)}.json"
        with suppress(AdvreplError):
            write_copy(path, save)
            return path
    raise AdvreplError(f"the story {name} could not be written anywhere: it is lost")
