"""The sum of a save, its last field: by it a changed byte is told from a story.

A save without one is taken as it is: those of older versions have none, and whoever edits a story by hand takes the
line out. Does not read stories (saves.py).
"""

import hashlib
import re

_SEAL = re.compile(rb',\n "sum": "([^"\n]*)"\n\}\s*\Z')

_LIKE_SEAL = re.compile(rb'"sum":|: "[0-9a-f]{32}"\s*\}\s*\Z')  # one of which a byte was changed


def closing(begun: "hashlib._Hash") -> bytes:
    """Return what stands at the end of a save, its sum and a bracket; `begun`: the SHA-256 of what is before that."""
    whole = begun.copy()
    whole.update(b"\n}")
    return f',\n "sum": "{_short(whole)}"\n}}'.encode()


def is_altered(data: bytes) -> bool:
    """Tell whether a save has a sum and is not what it was written as."""
    found = _SEAL.search(data)
    if not found:
        return _LIKE_SEAL.search(data[-128:]) is not None
    return found[1].decode("utf-8", "replace") != _short(hashlib.sha256(data[: found.start()] + b"\n}"))


def _short(whole: "hashlib._Hash") -> str:
    return whole.hexdigest()[:32]
