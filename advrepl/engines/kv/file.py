"""The format of NAME.kv beside a save: what a model held in its cache, so that it need not read the story again.

Written beside and renamed; read with suspicion, because whatever is wrong with the file may only cost time.
Does not know llama.cpp (llama/model.py), and not when a file is written or which ones have to go (store.py).
"""

import mmap
import struct
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Protocol, runtime_checkable

import msgspec

from advrepl import atomic, regular
from advrepl.prompt.segments import Segment, Window

MAGIC = b"\x89advkv\r\n"
VERSION = 5
# magic, version, bytes of the contents, bytes of the state; then the CRC-32 of these fields and the contents
FRONT = struct.Struct("<8sIIQ")
SUM = struct.Struct("<I")
CHUNK = 1 << 24  # bytes summed or written in one go; Ctrl-C is heard between two


class KvKey(msgspec.Struct, frozen=True):
    """Name what a cache can be used with: nothing else, even where the shapes agree."""

    model: str  # fingerprint of its file
    context: int  # tokens
    types: str  # of keys and values, and how they lie there
    library: str  # version


class WindowShape(msgspec.Struct, frozen=True):
    """Describe the window that a cache was built for, as far as the next one is compared with it."""

    head: bytes  # digest of its segments
    blocks: tuple[int, ...]  # tokens of each
    evicted: int  # blocks
    head_size: int = 0  # tokens of the head, with what stands before it


class KvSnapshot(msgspec.Struct, frozen=True):
    """Say what is in a cache, position by position."""

    key: KvKey
    tokens: list[int]
    # A reply keeps the tokens it was sampled as, which may be others than those its text is split into:
    # for each segment of the window, by its digest, its tokens.
    segments: dict[bytes, tuple[int, ...]]
    shape: WindowShape
    unshifted: int | None  # so many tokens at its front were never moved; None: none was
    # Copies of its recurrent part, if it has one: for how many tokens, of which kind (kv/snapshots.py), the copy.
    copies: list[tuple[int, int, bytes]] = []


@runtime_checkable
class KvPersistent(Protocol):
    """An engine whose cache can be put away and taken back."""

    key: KvKey

    def snapshot(self, window: Window) -> KvSnapshot | None:
        """Return what the cache holds; `window` is what the next one will look like. None: nothing worth keeping.

        To be called in the thread that plays: moved keys are brought to their places before.
        """

    def state_size(self) -> int:
        """Return how many bytes `copy_state` needs; from any thread."""

    def copy_state(self, snapshot: KvSnapshot, memory: Callable[[int], memoryview]) -> memoryview | None:
        """Copy the cache into `memory(bytes)`, from any thread; None if it no longer holds just that snapshot."""

    def front(self, blocks: int) -> KvSnapshot | None:
        """Return what the cache holds of the window's head and so many blocks behind it; None: not all of that."""

    def copy_front(self, snapshot: KvSnapshot, memory: Callable[[int], memoryview]) -> memoryview | None:
        """Copy that much of the cache, as `copy_state` does all of it."""

    def restore(self, snapshot: KvSnapshot, state: memoryview) -> bool:
        """Take the cache back; False, and an empty cache, if it is not one that fits."""


class UnusableError(Exception):
    """A file that is of no use; the words complete "the cache file NAME.kv …"."""


@dataclass(frozen=True, slots=True)
class StoredKv:
    """Hold what was read from a file; `state` is a view of the mapped file."""

    snapshot: KvSnapshot
    state: memoryview


def segments_digest(segments: Iterable[Segment], first: bool = False) -> bytes:
    """Return 16 bytes that stand for segments.

    `first`: they are the very beginning of a prompt, where SentencePiece puts a space before the text.
    """
    digest = blake2b(bytes([first]), digest_size=16)
    for segment in segments:
        for text in (segment.mark, segment.text):
            data = text.encode("utf-8", "surrogatepass")
            digest.update(len(data).to_bytes(8, "little") + data)
    return digest.digest()


def write(path: Path, snapshot: KvSnapshot, state: memoryview) -> int:
    """Write the file whole or not at all, and return its size in bytes; raises OSError.

    Not flushed to the disk: after a power failure a torn file is known by its sums, and only costs time.
    """
    contents = msgspec.msgpack.encode(snapshot)
    front = FRONT.pack(MAGIC, VERSION, len(contents), len(state))
    # One program per story: one name is enough.
    with atomic.replacing(path, temporary=path.name + ".tmp", private=True) as file:
        file.write(front + SUM.pack(_sum(contents, zlib.crc32(front))) + contents)
        total = 0
        for start in range(0, len(state), CHUNK):
            part = state[start : start + CHUNK]
            total = zlib.crc32(part, total)
            file.write(part)
        file.write(SUM.pack(total))
        return file.tell()


def read(path: Path, key: KvKey) -> StoredKv:
    """Return what the file holds for this key; raises UnusableError.

    CRC-32 finds every accident that is at all likely, twice as fast as a digest that also withstands forgers.
    """
    try:
        with regular.opened(path) as file:
            data = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    except ValueError:  # an empty file cannot be mapped
        raise UnusableError("is empty") from None
    except OSError as error:
        raise UnusableError(f"cannot be read ({error.strerror})") from None
    snapshot, start, end = _contents(data)
    _compare(snapshot.key, key)
    if _sum(data[start:end]) != SUM.unpack(data[end:])[0]:
        raise UnusableError("is damaged")
    return StoredKv(snapshot, data[start:end])


def _contents(data: memoryview) -> tuple[KvSnapshot, int, int]:
    """Return what stands before the state, and where the state begins and ends."""
    if bytes(data[: len(MAGIC)]) != MAGIC[: len(data)]:
        raise UnusableError("is none of advrepl's")
    if len(data) < FRONT.size + SUM.size:
        raise UnusableError("is cut short")
    _, version, n_contents, n_state = FRONT.unpack(data[: FRONT.size])
    if version != VERSION:
        raise UnusableError("was written by another version of advrepl")
    begin = FRONT.size + SUM.size
    start, end = begin + n_contents, begin + n_contents + n_state
    if end + SUM.size != len(data):
        raise UnusableError("is cut short" if end + SUM.size > len(data) else "is damaged")
    contents = data[begin:start]
    if _sum(contents, zlib.crc32(data[: FRONT.size])) != SUM.unpack(data[FRONT.size : begin])[0]:
        raise UnusableError("is damaged")
    try:
        return msgspec.msgpack.decode(contents, type=KvSnapshot), start, end
    except (msgspec.DecodeError, msgspec.ValidationError):
        raise UnusableError("is damaged") from None


def _compare(found: KvKey, wanted: KvKey) -> None:
    if found.model != wanted.model:
        raise UnusableError("is of another model")
    if found.context != wanted.context:
        raise UnusableError(f"is of a context of {found.context} tokens")
    if found.types != wanted.types:
        raise UnusableError(f"is of cache type {found.types}")
    if found != wanted:
        raise UnusableError("was written with another version of llama.cpp")


def _sum(data: memoryview | bytes, total: int = 0) -> int:
    for start in range(0, len(data), CHUNK):
        total = zlib.crc32(data[start : start + CHUNK], total)
    return total
