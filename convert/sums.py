"""MD5 and SHA-256 sums, computed beside other work."""

import hashlib
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Literal

from advrepl import regular
from convert.tensor import Progress

Algorithm = Literal["md5", "sha256"]
CHUNK = 1 << 20  # bytes


@dataclass(frozen=True, slots=True)
class Sums:
    """The sums of one file, as far as they are known, in lower-case hexadecimal digits."""

    md5: str | None = None
    sha256: str | None = None

    def __bool__(self) -> bool:
        return self.md5 is not None or self.sha256 is not None

    def filled_from(self, other: "Sums") -> "Sums":
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
        """The sums of all bytes so far; None for an algorithm that was not asked for."""
        self._wait()
        return Sums(**{name: digest.hexdigest() for name, digest in self._hashes.items()})

    def _wait(self) -> None:
        for future in self._running:
            future.result()


def sum_file(path: Path, algorithms: Iterable[Algorithm], progress: Progress | None = None) -> Sums:
    """Sum a file; `progress` hears its name, the bytes read and its size after each MiB, and may raise to stop."""
    size, done = path.stat().st_size, 0
    with regular.opened(path) as source, Digester(algorithms) as digester:
        while chunk := source.read(CHUNK):
            digester.update(chunk)
            done += len(chunk)
            if progress:
                progress(path.name, done, size)
        return digester.sums()


def sum_text(text: str) -> Sums:
    """Both sums of a text in UTF-8."""
    raw = text.encode()
    return Sums(hashlib.md5(raw, usedforsecurity=False).hexdigest(), hashlib.sha256(raw).hexdigest())
