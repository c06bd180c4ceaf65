"""Read files that are files: never a pipe, a device or a folder that bears the name of one, and never without end.

Raises OSError, with a reason in words; the sentence for the user is the caller's.
"""

import errno
import os
import stat
from io import BufferedReader
from pathlib import Path

LARGEST = 1 << 30  # bytes, where a caller knows no better


def read(path: Path, limit: int = LARGEST) -> bytes:
    """Return the contents of a regular file of at most `limit` bytes, also through a link."""
    with opened(path) as file:
        data = file.read(limit + 1)
    if len(data) > limit:
        raise OSError(errno.EFBIG, f"it is larger than {limit:,} bytes", str(path))
    return data


def opened(path: Path) -> BufferedReader:
    """Return a regular file that is open for reading, also through a link."""
    file = open(path, "rb", opener=_open)  # noqa: SIM115 (the caller closes it)
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise OSError(errno.EINVAL, "it is no file, but a pipe or a device", str(path))
    return file


def is_there(path: Path) -> bool:
    """Tell whether there is a regular file by this name, whatever the name is: also one that no file can have."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def _open(name: str, flags: int) -> int:
    # Opening a pipe waits for a writer otherwise; a device may do something when it is opened for longer than that.
    return os.open(name, flags | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0))
