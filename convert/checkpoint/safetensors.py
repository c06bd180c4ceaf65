"""Find the tensors in a safetensors file: `read_safetensors(path)`.

The safetensors package cannot hand out raw BF16 without torch, and copies what it loads; so the header, which is
a length and some JSON, is read here, with the checks its specification asks for.
"""

import os
import struct
from math import prod
from pathlib import Path
from typing import Any

from advrepl import regular
from convert import ConvertError
from convert.foreign import NotJson, parse_json, quote
from convert.tensor import MAX_DIMENSIONS, MAX_ELEMENTS, NUMPY_TYPES, TensorRef, contiguous_strides, is_count

MAX_HEADER = 100 << 20  # the specification's own cap
MAX_TENSORS = 1 << 17  # a kilobyte of memory each; the largest models have 100,000, in many files


def read_safetensors(path: Path) -> list[TensorRef]:
    """List the tensors of one safetensors file: 8 bytes of header length, the header in JSON, the bytes.

    Raises ConvertError if the file is anything else, also where its tensors overlap or leave bytes uncovered.
    """
    try:
        with regular.opened(path) as source:
            size = os.fstat(source.fileno()).st_size
            start = source.read(8)
            length = struct.unpack("<Q", start)[0] if len(start) == 8 else size
            if length > min(MAX_HEADER, size - 8):
                raise ConvertError(f"{path.name}: is cut off or no safetensors file: its header does not fit")
            header = source.read(length)
    except OSError as error:
        raise ConvertError(f"{path.name}: cannot be read: {error.strerror}") from error
    if not header.startswith(b"{"):  # what a bare parser would take too
        raise ConvertError(f"{path.name}: its header is no JSON object, so it is no safetensors file")
    if header.count(b"data_offsets") > MAX_TENSORS:
        raise ConvertError(f"{path.name}: its header names more than {MAX_TENSORS:,} tensors")
    try:
        value = parse_json(header, unique=True)
    except NotJson as error:
        raise ConvertError(f"{path.name}: its header {error}; fetch it again") from error
    value.pop("__metadata__", None)
    tensors = [_tensor(path, name, entry, 8 + length) for name, entry in value.items()]
    _check_cover(path, tensors, 8 + length, size)
    return tensors


def _tensor(path: Path, name: str, entry: Any, start: int) -> TensorRef:
    where = f"{path.name}: tensor {quote(name)}"
    if not isinstance(entry, dict) or set(entry) != {"dtype", "shape", "data_offsets"}:
        raise ConvertError(f"{where} lacks its dtype, shape or data_offsets")
    dtype, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
    if not isinstance(dtype, str) or dtype not in NUMPY_TYPES:
        raise ConvertError(f"{where} is of type {quote(str(dtype))}, which is not read here")
    if not _are_counts(shape) or len(shape) > MAX_DIMENSIONS or prod(shape) > MAX_ELEMENTS:
        raise ConvertError(f"{where} has no proper shape")
    if not _are_counts(offsets) or len(offsets) != 2:
        raise ConvertError(f"{where} has no proper data_offsets")
    tensor = TensorRef(name, dtype, tuple(shape), path, start + offsets[0], contiguous_strides(tuple(shape)))
    if offsets[1] - offsets[0] != tensor.nbytes:
        raise ConvertError(f"{where} claims {offsets[1] - offsets[0]:,} bytes, its shape needs {tensor.nbytes:,}")
    return tensor


def _are_counts(values: Any) -> bool:
    return isinstance(values, list) and all(is_count(value) for value in values)


def _check_cover(path: Path, tensors: list[TensorRef], start: int, size: int) -> None:
    """The tensors must lie one behind the other and fill the file: no overlap, no hole, no bytes left over."""
    end = start
    for tensor in sorted(tensors, key=lambda tensor: (tensor.offset, tensor.nbytes)):
        if tensor.offset != end:
            word = "overlaps the one before it" if tensor.offset < end else "leaves a hole before it"
            raise ConvertError(f"{path.name}: tensor {quote(tensor.name)} {word}")
        end += tensor.nbytes
    if end != size:
        word = "is cut off" if end > size else "goes on behind its last tensor"
        raise ConvertError(f"{path.name}: {word}: {size:,} bytes instead of {end:,}")
