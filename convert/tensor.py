"""One tensor of a checkpoint: where it lies in its file, and how to look at it.

Knows the element types, not the file formats (checkpoint/) and not what a tensor is for (archs/).
"""

import mmap
from collections.abc import Callable
from dataclasses import dataclass, replace
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from advrepl import regular
from convert import ConvertError

# What long work reports: a label, bytes done, bytes in all.
Progress = Callable[[str, int, int], None]

# numpy has no bfloat16: its bits come as uint16. Both file formats store little-endian.
NUMPY_TYPES: dict[str, np.dtype[Any]] = {
    "F32": np.dtype("<f4"),
    "F16": np.dtype("<f2"),
    "BF16": np.dtype("<u2"),
    "F64": np.dtype("<f8"),
    "I64": np.dtype("<i8"),
    "I32": np.dtype("<i4"),
    "I16": np.dtype("<i2"),
    "I8": np.dtype("i1"),
    "U8": np.dtype("u1"),
    "BOOL": np.dtype("?"),
}

MAX_DIMENSIONS = 32  # numpy 1.26's own limit
# Beyond this a tensor is a trick, not a weight; it also keeps byte counts far from 64-bit overflow.
MAX_ELEMENTS = 1 << 40


def is_count(value: Any) -> bool:
    """Is it an int that is not negative?"""
    # bool is an int to isinstance, and True is not a size.
    return type(value) is int and value >= 0


@dataclass(frozen=True, slots=True)
class TensorRef:
    """A tensor in its file; `load` hands out its values."""

    name: str
    dtype: str  # a key of NUMPY_TYPES
    shape: tuple[int, ...]
    file: Path
    offset: int  # of the first element, in bytes from the start of the file
    strides: tuple[int, ...]  # in elements

    @property
    def numel(self) -> int:
        """Number of elements."""
        return prod(self.shape)

    @property
    def nbytes(self) -> int:
        """Bytes of the elements packed together, which a view may spread over more of its file."""
        return self.numel * NUMPY_TYPES[self.dtype].itemsize

    def load(self) -> npt.NDArray[Any]:
        """Map the tensor's values, of its shape, read-only; BF16 comes as its bits, in uint16.

        Pages come in when touched and go when the last reference to the array does. Raises ConvertError if the file
        has gone or shrunk.
        """
        kind = NUMPY_TYPES[self.dtype]
        if not self.numel:
            empty = np.empty(self.shape, kind)
            empty.flags.writeable = False
            return empty
        # A map starts on a page border, so the array begins `skip` bytes into it.
        start = self.offset - self.offset % mmap.ALLOCATIONGRANULARITY
        skip = self.offset - start
        return np.ndarray(
            self.shape,
            kind,
            buffer=self._map(start, skip + self.span * kind.itemsize),
            offset=skip,
            strides=tuple(stride * kind.itemsize for stride in self.strides),
        )

    def rows(self, first: int, last: int) -> npt.NDArray[Any]:
        """Map the rows from the first to before the last, as `load` maps all."""
        start = self.offset + first * self.strides[0] * NUMPY_TYPES[self.dtype].itemsize
        return replace(self, shape=(last - first, *self.shape[1:]), offset=start).load()

    @property
    def span(self) -> int:
        """Elements from the first to the last one, both counted."""
        return span(self.shape, self.strides)

    def _map(self, start: int, length: int) -> mmap.mmap:
        try:
            with regular.opened(self.file) as source:
                return mmap.mmap(source.fileno(), length, access=mmap.ACCESS_READ, offset=start)
        except (OSError, ValueError) as error:  # ValueError: the file shrank since it was opened
            raise ConvertError(f"{self.file.name}: tensor {self.name!r} cannot be mapped: {error}") from error


def span(shape: tuple[int, ...], strides: tuple[int, ...]) -> int:
    """Elements from the first to the last of a view: `span((2, 3), (3, 1)) == 6`."""
    if 0 in shape:
        return 0
    return 1 + sum(stride * (size - 1) for size, stride in zip(shape, strides, strict=True))


def contiguous_strides(shape: tuple[int, ...]) -> tuple[int, ...]:
    """The strides, in elements, of a tensor without gaps: `contiguous_strides((2, 3)) == (3, 1)`."""
    return tuple(prod(shape[axis + 1 :]) for axis in range(len(shape)))
