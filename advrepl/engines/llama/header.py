"""Read the header of a GGUF file without llama.cpp, which ends the process at some.

Every count is held against the file. Checks the format alone; whether the values make a model is header_checks.py's.
The format: ggml's docs/gguf.md.
"""

import os
import struct
from functools import lru_cache
from math import prod
from pathlib import Path
from typing import Any

from msgspec import Struct

from advrepl import regular

MOST_KEYS = MOST_TENSORS = 1 << 17
LARGEST = 1 << 26  # bytes of all that stands before the tensors' data; the largest vocabularies take 16 MB
AT_ONCE = 1 << 20  # bytes that are read at least
LONGEST_KEY, LONGEST_NAME = 1 << 12, 63  # bytes; llama.cpp keeps 64 for a tensor's name
MOST_TOKENS = MOST_NUMBERS = 1 << 21  # in a list; the longest are of one for each token
MOST_TEXTS = 1 << 21  # in all lists; a large vocabulary and its merges are 800,000
MOST_DIMS = 4
LENGTH = struct.Struct("<Q")  # of a text
STRING, ARRAY = 8, 9
# gguf_type -> its name in struct; BOOL is a byte.
SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
FLOATS, WHOLE = (6, 12), (0, 1, 2, 3, 4, 5, 10, 11)
# ggml_type -> values in a block, bytes of one (ggml.c); types that are gone are not among them.
BLOCKS = {
    0: (1, 4), 1: (1, 2), 2: (32, 18), 3: (32, 20), 6: (32, 22), 7: (32, 24), 8: (32, 34), 9: (32, 36),
    10: (256, 84), 11: (256, 110), 12: (256, 144), 13: (256, 176), 14: (256, 210), 15: (256, 292), 16: (256, 66),
    17: (256, 74), 18: (256, 98), 19: (256, 50), 20: (32, 18), 21: (256, 110), 22: (256, 82), 23: (256, 136),
    24: (1, 1), 25: (1, 2), 26: (1, 4), 27: (1, 8), 28: (1, 8), 29: (256, 56), 30: (1, 2), 34: (256, 54),
    35: (256, 66), 39: (32, 17), 40: (64, 36), 41: (128, 18), 42: (64, 18),
}  # fmt: skip


def _numbers(data: bytes, kind: int) -> tuple[Any, ...]:
    code = SCALARS[kind]
    return struct.unpack(f"<{len(data) // struct.calcsize(code)}{code}", data)


class BadHeader(Exception):
    """A header that is no header; the words complete "its header …"."""


class Tensor(Struct, frozen=True):
    """One tensor as the header tells of it, its data at `offset` behind the header."""

    name: str
    shape: tuple[int, ...]
    kind: int
    offset: int

    @property
    def bytes(self) -> int:
        """Return the bytes of its data."""
        values, size = BLOCKS[self.kind]
        return prod(self.shape) // values * size


class GgufHeader:
    """The values of a header; None where it has none of that name and type. Raises BadHeader, and OSError."""

    def __init__(self, path: Path) -> None:
        with regular.opened(path) as file:  # not mapped: a disk that cannot read on would end the process
            self._file, self._size = file, os.fstat(file.fileno()).st_size
            self._data, self._at, self._n_texts = b"", 4, 0
            version, n_tensors, n_keys = (self._number(kind) for kind in "IQQ")
            if version not in (2, 3):
                raise BadHeader(f"is of version {version}, which is not read; 2 and 3 are")
            if n_keys > MOST_KEYS or n_tensors > MOST_TENSORS:
                raise BadHeader(f"promises {n_keys} values and {n_tensors} tensors")
            self._kinds: dict[str, tuple[int, int]] = {}  # a key -> its gguf_type, and that of what is in it
            self._values: dict[str, Any] = {}
            for _ in range(n_keys):
                self._read_key()
            self.alignment = self._alignment()
            self.tensors = tuple(self._tensor() for _ in range(n_tensors))
            self.data_offset = -(-self._at // self.alignment) * self.alignment
            self._check_tensors()
        del self._data, self._file

    # --- values

    def text(self, key: str) -> str | None:
        """Return a text."""
        return self._values[key].decode("utf-8", "replace") if self.kind(key) == STRING else None

    def number(self, key: str) -> int | None:
        """Return a whole number, or a truth value as 0 or 1."""
        return int(self._values[key]) if self.kind(key) in (*WHOLE, 7) else None

    def numbers(self, key: str) -> tuple[Any, ...] | None:
        """Return a list of numbers."""
        kind, inner = self._kinds.get(key, (None, STRING))
        return _numbers(self._values[key], inner) if kind == ARRAY and inner != STRING else None

    def texts(self, key: str) -> list[bytes] | None:
        """Return a list of texts as they stand there."""
        return self._values[key] if self.kind(key) == ARRAY and self._kinds[key][1] == STRING else None

    def value(self, key: str) -> Any:
        """Return a value of any type; a list of numbers as its bytes."""
        return self._values.get(key)

    def kind(self, key: str) -> int | None:
        """Return a value's gguf_type."""
        return self._kinds[key][0] if key in self._kinds else None

    @property
    def names(self) -> tuple[str, ...]:
        """Return the names of all values."""
        return tuple(self._kinds)

    @property
    def n_tensors(self) -> int:
        """Return how many tensors the file holds."""
        return len(self.tensors)

    @property
    def end(self) -> int:
        """Return the bytes of a whole file."""
        return self.data_offset + max((tensor.offset + tensor.bytes for tensor in self.tensors), default=0)

    # --- reading

    def _take(self, size: int) -> int:
        """Go on by so many bytes, if they are there; return where they begin."""
        at, self._at = self._at, self._at + size
        if self._at > len(self._data):
            self._read_up_to(self._at)
        return at

    def _read_up_to(self, end: int) -> bytes:
        """Return the file's bytes up to there, and some more."""
        if end > self._size:
            raise BadHeader("ends too early")
        if end > LARGEST:
            raise BadHeader(f"is larger than {LARGEST >> 20} MB")
        there = len(self._data)
        self._data += self._file.read(max(end - there, min(there, LARGEST - there), AT_ONCE))
        if end > len(self._data):  # it was longer a moment ago
            raise BadHeader("ends too early")
        return self._data

    def _number(self, kind: str) -> Any:
        at = self._take(struct.calcsize(kind))
        return struct.unpack_from("<" + kind, self._data, at)[0]

    def _name(self, longest: int) -> str:
        size = self._number("Q")
        if not 0 < size <= longest:
            raise BadHeader(f"has a name of {size} bytes")
        at = self._take(size)
        return self._data[at : at + size].decode("utf-8", "replace")

    def _read_key(self) -> None:
        key, kind = self._name(LONGEST_KEY), self._number("I")
        if key in self._kinds:
            raise BadHeader(f"holds {key[:60]!r} twice")
        inner, count = (self._number("I"), self._number("Q")) if kind == ARRAY else (kind, 1)
        if inner == STRING:
            found: Any = self._texts(count) if kind == ARRAY else self._texts(1)[0]
        elif inner in SCALARS:
            if count > MOST_NUMBERS:
                raise BadHeader(f"gives {key[:60]!r} {count} numbers")
            size = struct.calcsize(SCALARS[inner]) * count
            at = self._take(size)
            found = self._data[at : at + size]  # as Python's numbers they take ten times as much
        else:
            raise BadHeader(f"holds {key[:60]!r} of an unknown type, {inner}")
        self._kinds[key] = (kind, inner)
        self._values[key] = found if kind in (ARRAY, STRING) else _numbers(found, kind)[0]

    def _texts(self, count: int) -> list[bytes]:
        self._n_texts += count
        if self._n_texts > MOST_TEXTS:
            raise BadHeader(f"holds {self._n_texts} texts")
        data, at, texts, ahead, length = self._data, self._at, list[bytes](), LENGTH.size, LENGTH.unpack_from
        end = len(data)
        for _ in range(count):
            begin = at + ahead
            if begin > end:
                data = self._read_up_to(begin)
                end = len(data)
            at = begin + length(data, begin - ahead)[0]
            if at > end:
                data = self._read_up_to(at)
                end = len(data)
            texts.append(data[begin:at])
        self._at = at
        return texts

    def _alignment(self) -> int:
        value = self.value("general.alignment")
        if value is None:
            return 32
        if self.kind("general.alignment") != 4 or not 8 <= value <= 1 << 16 or value & (value - 1):
            raise BadHeader(f"has an alignment of {value}, which is no power of two from 8 to 65536")
        return int(value)

    def _tensor(self) -> Tensor:
        name, dims = self._name(LONGEST_NAME), self._number("I")
        if not 0 < dims <= MOST_DIMS:
            raise BadHeader(f"gives the tensor {name!r} {dims} dimensions")
        shape = tuple(self._number("Q") for _ in range(dims))
        kind, offset = self._number("I"), self._number("Q")
        if kind not in BLOCKS:
            raise BadHeader(f"gives the tensor {name!r} an unknown type, {kind}")
        if not all(0 < size < 1 << 40 for size in shape) or prod(shape) >= 1 << 60 or shape[0] % BLOCKS[kind][0]:
            raise BadHeader(f"gives the tensor {name!r} a shape that cannot be, {' x '.join(map(str, shape))}")
        return Tensor(name, shape, kind, offset)

    def _check_tensors(self) -> None:
        names, expected = set[str](), 0
        for tensor in self.tensors:
            if tensor.name in names:
                raise BadHeader(f"holds the tensor {tensor.name!r} twice")
            if tensor.offset != expected:
                raise BadHeader(f"puts the tensor {tensor.name!r} where it cannot stand")
            names.add(tensor.name)
            expected += -(-tensor.bytes // self.alignment) * self.alignment


def read_header(path: Path) -> GgufHeader:
    """Return the header of a file; the last one is remembered, until `forget_header`, while the file stays as it is.

    Several ask for it while a model is chosen and loaded, and a large vocabulary takes 50 ms. Raises as GgufHeader.
    """
    status = path.stat()
    return _read_header(path, status.st_size, status.st_mtime_ns)


@lru_cache(maxsize=1)
def _read_header(path: Path, _size: int, _changed: int) -> GgufHeader:
    return GgufHeader(path)


def forget_header() -> None:
    """Give up the remembered header, which takes some MB."""
    _read_header.cache_clear()
