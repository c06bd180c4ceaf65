"""Read the lists of sums that rhash and coreutils write.

Knows neither which sums a release has (releases.py) nor what a wrong one means (verify.py).
"""

import re
from pathlib import Path
from typing import Any

from advrepl import regular
from convert import ConvertError
from convert.sums import Algorithm, Sums

DIGITS: dict[Algorithm, int] = {"md5": 32, "sha256": 64}
MAX_LIST = 16 << 20  # bytes

_PLAIN = re.compile(r"(?P<sum>[0-9a-fA-F]+) [ *](?P<name>.+)")
_BSD = re.compile(r"(?P<kind>MD5|SHA-?256) ?\((?P<name>.+)\) ?= ?(?P<sum>[0-9a-fA-F]+)")


def read_list(path: Path, algorithm: Algorithm) -> dict[str, Sums]:
    """Read a file of sums, by file name: `HASH  name`, `HASH *name` or `MD5 (name) = HASH` on each line.

    Raises ConvertError if it is no such list.
    """
    try:
        if path.stat().st_size > MAX_LIST:
            raise ConvertError(f"{path}: too large for a list of sums")
        text = regular.read(path).decode("utf-8-sig")
    except OSError as error:
        raise ConvertError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConvertError(f"{path}: is no list of sums") from error
    return parse_list(text, algorithm, path.name)


def parse_list(text: str, algorithm: Algorithm, label: str) -> dict[str, Sums]:
    """Read the text of a list of sums as `read_list` does; `label` begins its errors."""
    found: dict[str, Sums] = {}
    for number, line in enumerate(text.splitlines(), 1):
        # rhash begins its comments with a semicolon, coreutils' readers skip '#'.
        if not line.strip() or line.startswith((";", "#")):
            continue
        name, value = _parse_line(line.strip(), algorithm, f"{label}, line {number}")
        fields: dict[str, Any] = {algorithm: value}
        if found.setdefault(name, Sums(**fields)) != Sums(**fields):
            raise ConvertError(f"{label}, line {number}: another sum for {name} than before")
    if not found:
        raise ConvertError(f"{label}: holds no sums; expected lines such as `HASH  config.json`")
    return found


def _parse_line(line: str, algorithm: Algorithm, where: str) -> tuple[str, str]:
    match = _BSD.fullmatch(line) or _PLAIN.fullmatch(line)
    if match is None:
        raise ConvertError(f"{where}: is no line of a list of sums, such as `HASH  config.json`")
    value, kind = match["sum"].lower(), match.groupdict().get("kind")
    wrong_kind = kind is not None and kind.replace("-", "").lower() != algorithm
    if wrong_kind or len(value) != DIGITS[algorithm]:
        raise ConvertError(f"{where}: is no {algorithm.upper()} sum of {DIGITS[algorithm]} digits")
    # Lists are often made from outside the folder: `md5sum pygmalion-7b/*`.
    return match["name"].replace("\\", "/").rsplit("/", 1)[-1], value
