"""Quantize a checkpoint to a GGUF file by blocks of rows, on all cores: the child's side of one pass (__main__.py).

llama.cpp says which tensor gets which type, in a dry run over a file that is a header and a hole; its library writes
the header and quantizes the rows. What is in between, reading, reordering, writing, is done here, beside each other.
Loads llama_cpp.
"""

import ctypes
import os
import re
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

import gguf
import numpy as np
import numpy.typing as npt
from llama_cpp import _ggml

from convert import ConvertError
from convert.archs.rules import Array, Rule, unchanged
from convert.quantize.imatrix import Floats
from convert.quantize.process import Checkpoint
from convert.tensor import TensorRef
from convert.write import cast, padded, stored_type, tensor_data

BLOCK = 1 << 19  # weights quantized at once by one thread: 2 MiB of F32
EMBEDDING = "token_embd.weight"
# What a dry run says of a tensor: "[ 1/ 9] NAME - [SHAPE], type = f16, size = 8 MiB -> 2 MiB (q4_K)". One that keeps
# its type has no bracket at the end.
TENSOR = re.compile(r"\[ *\d+/ *\d+\] (\S+) .*?type = +(\w+), size = [^(\n]*(?:\((\w+)\))?")


@dataclass(frozen=True, slots=True)
class Target:
    """One tensor of the result."""

    name: str
    before: str  # llama.cpp's names of types
    after: str


def targets(log: str) -> list[Target]:
    """Read from the log of a dry run which tensor becomes what, in the order of the file."""
    return [Target(name, before, after or before) for name, before, after in TENSOR.findall(log)]


def stream(
    checkpoint: Checkpoint,
    out: Path,
    found: Sequence[Target],
    keys: Mapping[str, int | str],
    matrix: Mapping[str, Floats],
    threads: int,
    say: Callable[[str], None],
) -> None:
    """Write `out`; `say` hears of each tensor in llama.cpp's words.

    `keys` are the header's besides those of the checkpoint's header; `matrix`: mean squares by tensor, or nothing.
    Raises ConvertError for values that are no numbers.
    """
    rules = {rule.name: rule for rule in checkpoint.rules}
    header, places, size = _layout(checkpoint.header, found, keys)
    with out.open("wb") as file, _Workers(threads) as workers:
        file.write(header)
        file.truncate(size)  # the gaps between tensors are zeros
        writer = _Writer(file)
        for number, (target, at) in enumerate(zip(found, places, strict=True), 1):
            became = f"converting to {target.after}" if target.after != target.before else ""
            say(f"[{number}/{len(found)}] {target.name} - type = {target.before}, {became}\n")
            squares, write = matrix.get(target.name), partial(writer.write, at)
            for block in _blocks(rules[target.name], target, checkpoint, squares, write):
                workers.submit(block)


class _Workers:
    """Threads that work on no more blocks at once than keeps them busy; leaving waits for all of them."""

    def __init__(self, threads: int) -> None:
        self._pool, self._most, self._running = ThreadPoolExecutor(threads), 2 * threads, deque[Future[None]]()

    def submit(self, work: Callable[[], None]) -> None:
        """Start this, if need be once the oldest is done; raises what that raised."""
        if len(self._running) == self._most:
            self._running.popleft().result()
        self._running.append(self._pool.submit(work))

    def __enter__(self) -> "_Workers":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.shutdown(cancel_futures=error is not None)
        while error is None and self._running:
            self._running.popleft().result()


class _Writer:
    """Write at a place of a file from any thread."""

    def __init__(self, file: BinaryIO) -> None:
        self._file, self._lock = file, threading.Lock()

    def write(self, start: int, offset: int, data: Array) -> None:
        with self._lock:
            self._file.seek(start + offset)
            self._file.write(data.reshape(-1).view("u1").data)


def _blocks(
    rule: Rule, target: Target, checkpoint: Checkpoint, squares: Floats | None, write: Callable[[int, Array], None]
) -> Iterator[Callable[[], None]]:
    """Cut what has to be done for one tensor into pieces that can be done at the same time."""
    source = None if rule.source is None else checkpoint.tensors[rule.source]
    if target.after == target.before:
        yield partial(_copy, rule, source, stored_type(rule, checkpoint.dtype), write)
        return
    assert source is not None  # values of our own are vectors, which no type quantizes
    quantizer = Quantizer(rule.name, target.after, rule.shape[-1], squares)
    rows = source.rows if rule.transform is unchanged else _reordered(rule, source)
    step = max(1, BLOCK // quantizer.columns)
    for first in range(0, rule.shape[0], step):
        last = min(first + step, rule.shape[0])
        yield partial(
            _quantize, partial(rows, first, last), source.dtype, quantizer, partial(write, first * quantizer.row)
        )


def _reordered(rule: Rule, source: TensorRef) -> Callable[[int, int], Array]:
    values = rule.transform(source.load())
    return lambda first, last: values[first:last]


def _copy(rule: Rule, source: TensorRef | None, kind: str, write: Callable[[int, Array], None]) -> None:
    data = tensor_data(rule, source, kind)
    if not np.isfinite(cast(data, kind, "F32")).all():
        raise ConvertError(no_numbers(rule.name))
    write(0, data)


def _quantize(rows: Callable[[], Array], dtype: str, quantizer: "Quantizer", write: Callable[[Array], None]) -> None:
    write(quantizer.quantize(_wide(np.ascontiguousarray(rows()), dtype)))


def _wide(values: Array, dtype: str) -> Floats:
    """Return the same numbers in F32."""
    widen = _widen() if dtype == "F16" else None
    if widen is None:
        return cast(values, dtype, "F32")
    wide = np.empty(values.shape, np.float32)
    widen(values.ctypes.data, wide.ctypes.data, wide.size)
    return wide


@cache
def _widen() -> Any:
    """F16 to F32 by the processor's own instruction, for which numpy takes 20 times (ggml-cpu.h); None: not there."""
    lib = _ggml.libggml
    if not hasattr(lib, "ggml_cpu_fp16_to_fp32"):  # llama.cpp was built to load what is for its processor later
        return None
    lib.ggml_cpu_init()  # without it a processor that has no such instruction reads zeros from an empty table
    lib.ggml_cpu_fp16_to_fp32.argtypes = ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64
    return lib.ggml_cpu_fp16_to_fp32


class Quantizer:
    """Quantize rows of one tensor with ggml; may be used by several threads."""

    def __init__(self, name: str, kind: str, columns: int, squares: Floats | None) -> None:
        self.name, self.columns, self._squares = name, columns, squares
        self._kind = number_of(kind)
        self._lib = library()
        self.row = int(self._lib.ggml_row_size(self._kind, columns))  # bytes
        if squares is not None and len(squares) != columns:
            if name != EMBEDDING:
                raise ConvertError(f"the importance matrix has {len(squares)} columns for {name!r}, not {columns}")
            self._squares = None  # matrices have odd entries for it, or none; llama.cpp does without, too
        if self._squares is None and self._lib.ggml_quantize_requires_imatrix(self._kind):
            raise ConvertError(f"{kind.upper()} needs an importance matrix, and {name!r} has no entry in it")

    def quantize(self, rows: Floats) -> npt.NDArray[np.uint8]:
        """Return the bytes of these rows, shape (any, columns); raises ConvertError for values that are no numbers."""
        if not np.isfinite(rows).all():
            raise ConvertError(no_numbers(self.name))
        out = np.empty(len(rows) * self.row, np.uint8)
        squares = None if self._squares is None else self._squares.ctypes.data
        args = rows.ctypes.data, out.ctypes.data, 0, len(rows), self.columns, squares
        size = self._lib.ggml_quantize_chunk(self._kind, *args)
        if size != out.nbytes or not self._lib.ggml_validate_row_data(self._kind, out.ctypes.data, out.nbytes):
            raise ConvertError(no_numbers(self.name))
        return out


def number_of(kind: str) -> int:
    """Return enum ggml_type's number for one of llama.cpp's names."""
    return int(gguf.GGMLQuantizationType[kind.upper()].value)


def no_numbers(name: str) -> str:
    """Say that a tensor cannot be used."""
    return f"tensor {name!r} holds values that are no numbers; the file is damaged: fetch it again"


@cache
def library() -> Any:
    """ggml's own library, with the types of what is called here (ggml.h, gguf.h)."""
    lib, pointer, size, whole = _ggml.libggml, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int64
    for name, result, *args in (
        ("ggml_row_size", size, ctypes.c_int, whole),
        ("ggml_quantize_requires_imatrix", ctypes.c_bool, ctypes.c_int),
        ("ggml_quantize_chunk", size, ctypes.c_int, pointer, pointer, whole, whole, whole, pointer),
        ("ggml_validate_row_data", ctypes.c_bool, ctypes.c_int, pointer, size),
        ("ggml_get_tensor", pointer, pointer, ctypes.c_char_p),
        ("ggml_free", None, pointer),
        ("gguf_init_from_file", pointer, ctypes.c_char_p, GgufInitParams),
        ("gguf_init_empty", pointer),
        ("gguf_free", None, pointer),
        ("gguf_set_kv", None, pointer, pointer),
        ("gguf_set_val_u32", None, pointer, ctypes.c_char_p, ctypes.c_uint32),
        ("gguf_set_val_str", None, pointer, ctypes.c_char_p, ctypes.c_char_p),
        ("gguf_add_tensor", None, pointer, pointer),
        ("gguf_set_tensor_type", None, pointer, ctypes.c_char_p, ctypes.c_int),
        ("gguf_get_tensor_offset", size, pointer, whole),
        ("gguf_get_tensor_size", size, pointer, whole),
        ("gguf_get_meta_size", size, pointer),
        ("gguf_get_meta_data", None, pointer, pointer),
    ):
        function = getattr(lib, name)
        function.restype, function.argtypes = result, args
    return lib


class GgufInitParams(ctypes.Structure):
    """struct gguf_init_params (gguf.h)."""

    _fields_ = (("no_alloc", ctypes.c_bool), ("ctx", ctypes.POINTER(ctypes.c_void_p)))


def _layout(source: Path, found: Sequence[Target], keys: Mapping[str, int | str]) -> tuple[bytes, list[int], int]:
    """Make the header as llama_model_quantize does: with it where each tensor begins, and how long the file is."""
    lib, tensors = library(), ctypes.c_void_p()
    read = lib.gguf_init_from_file(os.fsencode(source), GgufInitParams(True, ctypes.pointer(tensors)))
    made = lib.gguf_init_empty()
    try:
        lib.gguf_set_kv(made, read)
        for key, value in keys.items():
            if isinstance(value, int):
                lib.gguf_set_val_u32(made, key.encode(), value)
            else:
                lib.gguf_set_val_str(made, key.encode(), value.encode())
        for target in found:
            lib.gguf_add_tensor(made, lib.ggml_get_tensor(tensors, target.name.encode()))
            lib.gguf_set_tensor_type(made, target.name.encode(), number_of(target.after))
        header = ctypes.create_string_buffer(lib.gguf_get_meta_size(made))
        lib.gguf_get_meta_data(made, header)
        places = [len(header) + lib.gguf_get_tensor_offset(made, number) for number in range(len(found))]
        return header.raw, places, places[-1] + padded(lib.gguf_get_tensor_size(made, len(found) - 1))
    finally:
        lib.gguf_free(made)
        lib.gguf_free(read)
        lib.ggml_free(tensors)
