"""MD5 and SHA-256 sums: computed beside other work, and read from the lists that rhash and coreutils write.

Knows neither which sums a release has (releases.py) nor what a wrong one means (verify.py).
"""

import hashlib
import re
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

from convert import ConvertError
from convert.tensor import Progress

Algorithm = Literal["md5", "sha256"]
DIGITS: dict[Algorithm, int] = {"md5": 32, "sha256": 64}
CHUNK = 1 << 20
MAX_LIST = 16 << 20

_PLAIN = re.compile(r"(?P<sum>[0-9a-fA-F]+) [ *](?P<name>.+)")
_BSD = re.compile(r"(?P<kind>MD5|SHA-?256) ?\((?P<name>.+)\) ?= ?(?P<sum>[0-9a-fA-F]+)")


@dataclass(frozen=True, slots=True)
class Sums:
    """The sums of one file, as far as they are known, in lower-case hexadecimal digits."""

    md5: str | None = None
    sha256: str | None = None

    def __bool__(self) -> bool:
        return self.md5 is not None or self.sha256 is not None

    def over(self, other: "Sums") -> "Sums":
        """These sums, and the other's where they have none."""
        return Sums(self.md5 or other.md5, self.sha256 or other.sha256)

    def agree(self, other: "Sums") -> bool | None:
        """Whether the sums both have are the same; None where they have none in common."""
        pairs = ((self.md5, other.md5), (self.sha256, other.sha256))
        common = [mine == theirs for mine, theirs in pairs if mine and theirs]
        return all(common) if common else None


class Digester:
    """Sums of a stream, each in a thread of its own: hashlib lets the reader and writer go on meanwhile."""

    def __init__(self, algorithms: Iterable[Algorithm]) -> None:
        self._hashes = {name: hashlib.new(name, usedforsecurity=False) for name in algorithms}
        self._pool = ThreadPoolExecutor(max(1, len(self._hashes)))
        self._running: list[Future[None]] = []

    def __enter__(self) -> "Digester":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._pool.shutdown()

    def update(self, chunk: bytes | memoryview) -> None:
        """Take the next bytes, which must stay as they are until the next call."""
        self._wait()  # one chunk at a time keeps their order and the memory small
        self._running = [self._pool.submit(digest.update, chunk) for digest in self._hashes.values()]

    def sums(self) -> Sums:
        self._wait()
        return Sums(**{name: digest.hexdigest() for name, digest in self._hashes.items()})

    def _wait(self) -> None:
        for future in self._running:
            future.result()


def sum_file(path: Path, algorithms: Iterable[Algorithm], progress: Progress | None = None) -> Sums:
    size, done = path.stat().st_size, 0
    with path.open("rb") as source, Digester(algorithms) as digester:
        while chunk := source.read(CHUNK):
            digester.update(chunk)
            done += len(chunk)
            if progress:
                progress(path.name, done, size)
        return digester.sums()


def sum_text(text: str) -> Sums:
    raw = text.encode()
    return Sums(hashlib.md5(raw, usedforsecurity=False).hexdigest(), hashlib.sha256(raw).hexdigest())


def read_list(path: Path, algorithm: Algorithm) -> dict[str, Sums]:
    """Read a file of sums: `HASH  name`, `HASH *name` or `MD5 (name) = HASH` on each line."""
    try:
        if path.stat().st_size > MAX_LIST:
            raise ConvertError(f"{path}: too large for a list of sums")
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ConvertError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConvertError(f"{path}: is no list of sums") from error
    return parse_list(text, algorithm, path.name)


def parse_list(text: str, algorithm: Algorithm, label: str) -> dict[str, Sums]:
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
