"""The format of NAME.kv beside a save: what a model held in its cache, so that it need not read the story again.

A file is a row of records, each written behind the last. A record holds the cells of one block of tokens, or says which
blocks, of it and those before it, make up the cache, and where each belongs, or both: what slides or is taken back
moves nothing in the file. The last whole record that says so counts, so a program may be killed at any moment.
Read with suspicion, because whatever is wrong with the file may only cost time.
Does not know llama.cpp (llama/model.py), and not when a file is written or which ones have to go (store.py).
"""

import mmap
import struct
import zlib
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from hashlib import blake2b
from pathlib import Path
from typing import BinaryIO, Protocol, TypeVar, runtime_checkable

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from advrepl import atomic, regular
from advrepl.engines.kv.computed import Run
from advrepl.engines.kv.tails import Tails
from advrepl.prompt.segments import Segment, Window

MAGIC = b"\x89advkv\r\n"
VERSION = 7
HEADER = struct.Struct("<8sI")  # magic, version
# Of a record: bytes of the contents, bytes of the cells; the CRC-32 of these fields and the contents; the contents; the
# cells; the position of the first cell, how many there are; the CRC-32 of the cells and these two.
FRONT = struct.Struct("<IQ")
SUM = struct.Struct("<I")
BLOCK = struct.Struct("<II")
FIXED = FRONT.size + SUM.size + BLOCK.size + SUM.size  # bytes of a record that is empty
CHUNK = 1 << 24  # bytes summed or written in one go; Ctrl-C is heard between two


S = TypeVar("S", bound=msgspec.Struct)


class KvKey(msgspec.Struct, frozen=True):
    """Name what a cache can be used with: nothing else, even where the shapes agree."""

    model: str  # fingerprint of its file
    types: str  # of keys and values, and how they lie there
    library: str  # version


class WindowShape(msgspec.Struct, frozen=True):
    """Describe the window that a cache was built for, as far as the next one is compared with it."""

    head: bytes  # digest of its segments
    blocks: tuple[int, ...]  # tokens of each
    evicted: int  # blocks
    head_size: int = 0  # tokens of the head, with what stands before it

    def has_slid(self, last: "WindowShape") -> bool:
        """Tell whether blocks of the last window have left this one, and others stand behind the same head."""
        return last.head == self.head and self.evicted > last.evicted and len(self.blocks) > 1

    def goes_on(self, last: "WindowShape", keep: int) -> bool:
        """Tell whether this window only has more behind the last one, of which `keep` tokens are cached.

        Then no branch is left: what goes was sampled and is no part of the story, as thoughts are, or is spelled by
        other tokens there.
        """
        more = last.head == self.head and len(self.blocks) > len(last.blocks)
        return more and keep >= last.head_size + sum(last.blocks)


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
    chunks: list[int] = []  # where the chunks end that its tokens were decoded in (kv/canonical.py), if that is known


class Piece(msgspec.Struct, frozen=True, array_like=True):
    """Name some tokens of a block. The cache is a row of pieces, each of which belongs right behind the one before."""

    record: int  # where its record begins in the file, in bytes
    start: int  # the position that its first token had when the block was written
    length: int
    moved: bool  # was it moved before it was written?


class StoredPiece(Struct, frozen=True):
    """Hold a piece with the cells of its whole block, a view of the mapped file."""

    piece: Piece
    state: memoryview
    block: tuple[int, int]  # the first position of the block, and the one behind its last

    def part(self, start: int, end: int) -> "StoredPiece":
        """Return the piece from its token `start` to before `end`, counted from 0."""
        piece = Piece(self.piece.record, self.piece.start + start, end - start, self.piece.moved)
        return replace(self, piece=piece)


@runtime_checkable
class KvPersistent(Protocol):
    """An engine whose cache can be put away and taken back."""

    key: KvKey
    parts: bool  # in parts? Else only whole, as a state that stands for all tokens before it
    window: int  # tokens that some layers see at once: no part reaches over a multiple of it; 0: all see all
    tails: Tails  # what it keeps in memory of branches that were left

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

    # --- where `parts`

    def computed(self) -> tuple[Run, ...]:
        """Return the numbers of the cached tokens; to be called right after `snapshot` or `front`."""

    def copy_part(
        self, snapshot: KvSnapshot, start: int, end: int, memory: Callable[[int], memoryview]
    ) -> memoryview | None:
        """Copy the cells from position `start` to before `end`, from any thread; None if they are others by now."""

    def restore_parts(
        self, snapshot: KvSnapshot, pieces: Sequence[StoredPiece], window: Callable[[], Window] | None
    ) -> list[StoredPiece]:
        """Take back what fits of these pieces, which make up the snapshot; return what the cache holds then.

        `window` gives what comes next; it is asked, and chooses, where the context has no room for all.
        """


class UnusableError(Exception):
    """A file that is of no use; the words complete "the cache file NAME.kv …"."""


class StoredKv(Struct, frozen=True):
    """Hold what was read from a file."""

    snapshot: KvSnapshot  # of as many tokens as there are in the pieces
    pieces: tuple[StoredPiece, ...]
    end: int  # bytes of the file that are whole: what follows them is to be cut off before a record is added


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


class Contents(KvSnapshot, frozen=True, kw_only=True):
    """Say what a cache is made of, as far as the file has it."""

    pieces: list[Piece]

    def cut(self, length: int) -> KvSnapshot:
        """Return what the cache holds in its first so many tokens."""
        return replace(_as(KvSnapshot, self), tokens=self.tokens[:length])


def begin(file: BinaryIO) -> int:
    """Write what stands before the first record; return where that is to be."""
    return write_all(file, HEADER.pack(MAGIC, VERSION))


def contents(snapshot: KvSnapshot, pieces: Sequence[Piece]) -> bytes:
    """Return what a record says of what is where."""
    return msgspec.msgpack.encode(_as(Contents, snapshot, pieces=list(pieces)))


def append(file: BinaryIO, contents: bytes, block: tuple[int, int], state: memoryview | bytes) -> int:
    """Write a record at the file's end, and return its bytes; raises OSError.

    `contents`: none where a later record says what is where. `state`: the cells of the block, which are at its first
    position to before its second one. Not flushed to the disk: after a power failure what is torn is known by its sums.
    """
    front = FRONT.pack(len(contents), len(state))
    written = write_all(file, front + SUM.pack(_sum(contents, zlib.crc32(front))) + contents)
    total = 0
    for begun in range(0, len(state), CHUNK):
        part = state[begun : begun + CHUNK]
        total = zlib.crc32(part, total)
        written += write_all(file, part)
    place = BLOCK.pack(block[0], block[1] - block[0])
    return written + write_all(file, place + SUM.pack(zlib.crc32(place, total)))


def write_all(file: BinaryIO, data: memoryview | bytes) -> int:
    """Write all of it to a file without a buffer, so that what is written is in the file; return how much."""
    left = memoryview(data)
    while left:
        left = left[file.write(left) :]
    return len(data)


def write(path: Path, snapshot: KvSnapshot, state: memoryview) -> int:
    """Write a file of one record, whole or not at all, and return its size in bytes; raises OSError."""
    with replacing(path) as file:
        at = begin(file)
        length = len(snapshot.tokens)
        return at + append(file, contents(snapshot, [Piece(at, 0, length, False)]), (0, length), state)


def replacing(path: Path) -> AbstractContextManager[BinaryIO]:
    """Open a file without a buffer that takes the place of `path` once it is whole."""
    # One program per story: one name is enough.
    return atomic.replacing(path, temporary=path.name + ".tmp", private=True, buffering=0)


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
    if bytes(data[: len(MAGIC)]) != MAGIC[: len(data)]:
        raise UnusableError("is none of advrepl's")
    if len(data) < HEADER.size:
        raise UnusableError("is cut short")
    if HEADER.unpack(data[: HEADER.size])[1] != VERSION:
        raise UnusableError("was written by another version of advrepl")
    contents, end = _last_whole(data)
    _compare(contents.key, key)
    pieces = _whole_pieces(data, contents, end)
    length = sum(stored.piece.length for stored in pieces)
    if not length and contents.tokens:
        raise UnusableError("is damaged")
    return StoredKv(contents.cut(length), pieces, end)


def _last_whole(data: memoryview) -> tuple[Contents, int]:
    """Return what the last record says that is whole but for its cells, and where it ends."""
    found, at = list[tuple[int, int]](), HEADER.size
    while at + FIXED <= len(data):
        n_contents, n_state = FRONT.unpack(data[at : at + FRONT.size])
        end = at + FIXED + n_contents + n_state
        if end > len(data):
            break
        found.append((at, end))
        at = end
    if not found:
        raise UnusableError("is cut short")
    for at, end in reversed(found):
        if contents := _contents(data, at):
            return contents, end
    raise UnusableError("is damaged")


def _contents(data: memoryview, at: int) -> Contents | None:
    front, start = data[at : at + FRONT.size], at + FRONT.size + SUM.size
    contents = data[start : start + FRONT.unpack(front)[0]]
    if _sum(contents, zlib.crc32(front)) != SUM.unpack(data[start - SUM.size : start])[0]:
        return None
    try:
        return msgspec.msgpack.decode(contents, type=Contents)
    except (msgspec.DecodeError, RecursionError):
        return None


def _whole_pieces(data: memoryview, contents: Contents, end: int) -> tuple[StoredPiece, ...]:
    """Return the pieces up to the first one that is not there as it was written."""
    blocks, pieces = dict[int, tuple[memoryview, tuple[int, int]] | None](), list[StoredPiece]()
    for piece in contents.pieces:
        if piece.record not in blocks:
            blocks[piece.record] = _block(data[:end], piece.record)
        if not (block := blocks[piece.record]):
            break
        state, (start, stop) = block
        if piece.length <= 0 or not start <= piece.start <= stop - piece.length:
            break
        pieces.append(StoredPiece(piece, state, (start, stop)))
    return tuple(pieces)


def _block(data: memoryview, at: int) -> tuple[memoryview, tuple[int, int]] | None:
    """Return the cells of a record and their positions; None if they are damaged."""
    if not HEADER.size <= at <= len(data) - FIXED:
        return None
    n_contents, n_state = FRONT.unpack(data[at : at + FRONT.size])
    begin = at + FRONT.size + SUM.size + n_contents
    end = begin + n_state + BLOCK.size
    if len(data) < end + SUM.size or _sum(data[begin:end]) != SUM.unpack(data[end : end + SUM.size])[0]:
        return None
    start, length = BLOCK.unpack(data[end - BLOCK.size : end])
    return data[begin : end - BLOCK.size], (start, start + length)


def _as(kind: type[S], snapshot: KvSnapshot, **more: object) -> S:
    fields = {name: getattr(snapshot, name) for name in KvSnapshot.__struct_fields__}
    return kind(**fields, **more)


def _compare(found: KvKey, wanted: KvKey) -> None:
    if found.model != wanted.model:
        raise UnusableError("is of another model")
    if found.types != wanted.types:
        raise UnusableError(f"is of cache type {found.types}")
    if found != wanted:
        raise UnusableError("was written with another version of llama.cpp")


def _sum(data: memoryview | bytes, total: int = 0) -> int:
    for start in range(0, len(data), CHUNK):
        total = zlib.crc32(data[start : start + CHUNK], total)
    return total
