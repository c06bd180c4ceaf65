"""Write a file whole or not at all: beside the one it replaces, then renamed into its place.

Knows no contents. Raises OSError as the system gives it; the sentence for the user is the caller's.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

BUFFER = 1 << 18  # bytes: many small pieces take the system twice as long


@contextmanager
def replacing(
    path: Path,
    *,
    durable: bool = False,
    backup: Path | None = None,
    temporary: str = "",
    private: bool = False,
    buffering: int = -1,
) -> Iterator[BinaryIO]:
    """Open a new file that takes the place of `path` when the block ends well, and is removed when it does not.

    A program that is killed at any moment leaves the old file or the new one, whole. `durable`: so does a power
    failure. The folder is not synced: that cost a turn 15 to 25 ms, to keep the very last file instead of the one
    before it. For what its sums tell from a torn file, or what only saves time, it is not needed. `backup`: the old
    file is kept under this name, in the same folder, without a moment in which there is neither. `temporary`: the name
    to write under, in the same folder, which nobody else may write under; "" is a hidden one with the number of this
    process. What a killed program left there is written anew. `private`: nobody else may read the file, whatever the
    umask. `buffering`: as `open` takes it.
    """
    with _removed_unless_renamed(path.with_name(temporary or f".{path.name}.{os.getpid()}.tmp")) as beside:
        mode = 0o600 if private else 0o666
        with open(beside, "xb", buffering, opener=lambda name, flags: os.open(name, flags, mode)) as file:
            yield file
            if durable:
                file.flush()
                os.fsync(file.fileno())
        if backup:
            _keep(path, backup)
        beside.replace(path)


def make_folder(path: Path) -> None:
    """Make a folder, and those above it that are not there, which nobody else may look into, whatever the umask."""
    if not path.is_dir():
        make_folder(path.parent)
        path.mkdir(0o700, exist_ok=True)


def write(
    path: Path, *data: bytes | bytearray, durable: bool = False, backup: Path | None = None, private: bool = False
) -> None:
    """Write all of a file's contents, piece by piece, as `replacing` does."""
    with replacing(path, durable=durable, backup=backup, private=private, buffering=BUFFER) as file:
        file.writelines(data)


@contextmanager
def _removed_unless_renamed(beside: Path) -> Iterator[Path]:
    beside.unlink(missing_ok=True)  # and not written into: it could be a link to somewhere else
    try:
        yield beside
    except BaseException:  # also Ctrl-C
        with suppress(OSError):
            beside.unlink()
        raise


def _keep(path: Path, backup: Path) -> None:
    """Make the file that is there its own backup as well."""
    if not path.exists():
        return
    with _removed_unless_renamed(path.with_name(f".{backup.name}.{os.getpid()}.tmp")) as link:
        try:
            os.link(path, link)
        except OSError:  # a file system without hard links
            shutil.copy(path, link)  # with who may read it
        link.replace(backup)
