"""A GGUF file of which one tensor at a time is there: for a reader that takes them one after the other.

It lies in memory, and takes no more of it than its largest tensor. Where the system has no such files (Linux has),
a whole file has to be written instead. Does not know who reads it (process.py).
"""

import ctypes
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType

from convert import ConvertError
from convert.archs.rules import Rule
from convert.tensor import TensorRef
from convert.write import Field, padded, stored_bytes, stored_type, tensor_data, write_header

AVAILABLE = hasattr(os, "memfd_create")
SLAB = 16 << 20  # bytes written in one go
KEEP_SIZE, PUNCH_HOLE = 1, 2  # linux/falloc.h


class VirtualGguf:
    """Hold the header of a file of type `dtype`, a key of GGUF_TYPES, and whichever tensor was asked for last."""

    def __init__(
        self, fields: Mapping[str, Field], rules: Sequence[Rule], tensors: Mapping[str, TensorRef], dtype: str
    ) -> None:
        self._tensors, self._dtype = tensors, dtype
        self.fd = os.memfd_create("advrepl-convert")
        try:
            at = write_header(self.path, fields, rules, dtype)
            self._places: dict[str, tuple[Rule, int]] = {}
            for rule in rules:
                self._places[rule.name] = rule, at
                at += padded(stored_bytes(rule, dtype))
            os.truncate(self.fd, at)
        except BaseException:
            self.close()
            raise
        self._there: tuple[int, int] | None = None

    @property
    def path(self) -> Path:
        """Return its name for this process, and for a child that was given `fd`."""
        return Path(f"/proc/self/fd/{self.fd}")

    def bring(self, name: str) -> None:
        """Let this tensor be there, and no other; raises ConvertError for values that do not fit."""
        self._drop()
        rule, at = self._places[name]
        source = None if rule.source is None else self._tensors[rule.source]
        values = tensor_data(rule, source, stored_type(rule, self._dtype))
        data = values.reshape(-1).view("u1").data
        self._there = at, len(data)
        for start in range(0, len(data), SLAB):
            part = data[start : start + SLAB]
            if os.pwrite(self.fd, part, at + start) != len(part):
                raise ConvertError(f"no memory for the tensor {name!r}, which takes {len(data) >> 20} MB")

    def _drop(self) -> None:
        if self._there:
            start, length = self._there
            self._there = None
            fallocate = ctypes.CDLL(None, use_errno=True).fallocate
            fallocate.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64]
            fallocate(self.fd, KEEP_SIZE | PUNCH_HOLE, start, length)  # if that fails it only takes more memory

    def close(self) -> None:
        """Give its memory back."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1

    def __enter__(self) -> "VirtualGguf":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
