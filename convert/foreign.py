"""Files of other people: JSON read with suspicion, what Git LFS left, and foreign names in our sentences."""

import json
from pathlib import Path
from typing import Any

from convert import ConvertError

MANY = 5  # names told in one sentence


def is_lfs_pointer(path: Path) -> bool:
    with path.open("rb") as source:
        return source.read(24) == b"version https://git-lfs."


def parse_json(raw: bytes, label: str) -> Any:
    """Read JSON whose keys are unique; what is wrong is a ConvertError that begins with the label."""

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key, value in pairs:
            if key in found:
                raise ConvertError(f"{label}: the name {short(key)} occurs twice")
            found[key] = value
        return found

    try:
        return json.loads(raw.decode("utf-8"), object_pairs_hook=unique)
    except (ValueError, RecursionError) as error:  # UnicodeDecodeError and JSONDecodeError are ValueErrors
        raise ConvertError(f"{label}: is not readable as JSON; fetch it again") from error


def listed(names: list[str]) -> str:
    more = f" and {len(names) - MANY} more" if len(names) > MANY else ""
    return ", ".join(names[:MANY]) + more


def short(name: str) -> str:
    """Quote foreign text for a sentence: no control characters, no flood."""
    return ascii(name if len(name) <= 80 else name[:77] + "...")
