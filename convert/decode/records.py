"""What earlier runs of `decode` made, kept in a small file in OUT so that a later run can skip it.

A record counts only while payload and base are unchanged; whether the file still has its sum is for run.py to see.
"""

import json
import time
from pathlib import Path
from typing import Any

from advrepl.atomic import write
from convert.foreign import NotJson, read_json
from convert.sums import Sums

FILE = ".advrepl-decode.json"
MAX_FILE = 1 << 26
EVERY = 1.0  # seconds

Stamp = list[int]


def file_stamp(path: Path | None) -> Stamp:
    """Size and time of change, enough to see that a file was replaced; [] for no file."""
    if path is None:
        return []
    status = path.stat()
    return [status.st_size, status.st_mtime_ns]


class Records:
    """The sums of the files in a folder that were decoded into it before.

    They are written at most once a second, as there may be thousands: what a killed run had not noted is done again.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE
        self._files = _load(self._path)
        self._written = time.monotonic()
        self._noted = True

    def find(self, name: str, payload: Stamp, base: Stamp) -> Sums | None:
        """The sums that a file came out with from just this payload and base; None if that is not known."""
        record = self._files.get(name)
        if not isinstance(record, dict) or record.get("payload") != payload or record.get("base") != base:
            return None
        digest = record.get("sha256")
        return Sums(sha256=digest) if isinstance(digest, str) else None

    def add(self, name: str, payload: Stamp, base: Stamp, sums: Sums) -> None:
        """Note what a file came out with, and write the notes if it is time to; raises OSError."""
        self._files[name] = {"payload": payload, "base": base, "sha256": sums.sha256}
        self._noted = False
        if time.monotonic() - self._written >= EVERY:
            self.write()

    def write(self) -> None:
        """Write what is not written yet; raises OSError."""
        if not self._noted:
            write(self._path, json.dumps(self._files, indent=1).encode())
            self._noted, self._written = True, time.monotonic()


def _load(path: Path) -> dict[str, Any]:
    # A damaged record only costs decoding again.
    try:
        value = read_json(path, MAX_FILE)
    except (OSError, NotJson):
        return {}
    return value if isinstance(value, dict) else {}
