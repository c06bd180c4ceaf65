"""Files of other people: JSON read with suspicion, what Git LFS left, and foreign names in our sentences."""

import json
from pathlib import Path
from typing import Any

from advrepl import regular

LONGEST_TEXT = 64 << 20  # bytes; merges of the largest vocabularies take 5 MB
MOST_VALUES = 2 << 20  # in a JSON text: up to 200 bytes of memory each; the largest tokenizers have 1,400,000
MANY = 5  # names told in one sentence
LFS_PULL = "run `git lfs pull` there"


def is_lfs_pointer(path: Path) -> bool:
    """Is this the little text that Git LFS leaves in the place of a file it has not fetched?"""
    with regular.opened(path) as source:
        return source.read(24) == b"version https://git-lfs."


def pointer_left(paths: list[Path]) -> str:
    """Say that Git LFS left only pointers in the place of these files of a folder, and what to do."""
    return f"{paths[0].parent}: Git LFS left only a pointer for {first_few([p.name for p in paths])}; {LFS_PULL}"


class NoText(Exception):
    """Bytes that are no text; the words complete "the file …"."""


class NotJson(Exception):
    """Bytes that are not read as JSON; the words complete "the file …"."""


def read_json(path: Path, limit: int, unique: bool = False) -> Any:
    """Read a file of at most `limit` bytes as `parse_json` does; raises NotJson, and OSError."""
    size = path.stat().st_size
    if size > limit:
        raise NotJson(f"has {size:,} bytes, more than the {limit:,} allowed")
    return parse_json(regular.read(path, limit), unique)


def read_text(path: Path, limit: int = LONGEST_TEXT) -> str:
    """Read a text in UTF-8, its lines as they are; raises NoText, whose words complete "the file …", and OSError."""
    try:
        return regular.read(path, limit).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise NoText(f"is no text in UTF-8 ({error.reason} at byte {error.start})") from error


def parse_json(raw: bytes, unique: bool = False) -> Any:
    """Read JSON in UTF-8, with or without a byte order mark; raises NotJson.

    `unique`: refuse a name that occurs twice in one object, of which two readers could take two different values.
    """
    if raw.count(b",") > MOST_VALUES:
        raise NotJson(f"holds more than {MOST_VALUES:,} values")
    try:
        value = json.loads(raw.decode("utf-8-sig"), object_pairs_hook=_unique if unique else None)
        if b"\\ud" in raw.lower():  # half a character, which no text can hold
            json.dumps(value, ensure_ascii=False).encode()
        return value
    except (ValueError, RecursionError) as error:  # UnicodeDecodeError and JSONDecodeError are ValueErrors
        raise NotJson(f"is not readable as JSON ({error})") from error


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise NotJson(f"holds the name {quote(key)} twice")
        found[key] = value
    return found


def first_few(names: list[str]) -> str:
    """Name the first of many in a sentence, and how many more there are."""
    more = f" and {len(names) - MANY} more" if len(names) > MANY else ""
    return ", ".join(names[:MANY]) + more


def quote(name: str) -> str:
    """Quote foreign text for a sentence: no control characters, no flood."""
    return ascii(name if len(name) <= 80 else name[:77] + "...")
