"""Stream a model into a GGUF file, one tensor in memory at a time.

Knows nothing of architectures or vocabularies: it gets keys, rules and tensors. Does not quantise (quantize/).
"""

import logging
from collections.abc import Mapping, Sequence
from math import prod
from pathlib import Path

import gguf
import numpy as np
import numpy.typing as npt

from convert import ConvertError
from convert.archs.rules import Array, Rule
from convert.tensor import Progress, TensorRef

Field = str | int | float | bool | Sequence[str] | Sequence[int] | Sequence[float]

# dtype of a checkpoint -> GGUF type, bytes of one value
TYPES = {
    "F32": (gguf.GGMLQuantizationType.F32, 4),
    "F16": (gguf.GGMLQuantizationType.F16, 2),
    "BF16": (gguf.GGMLQuantizationType.BF16, 2),
}
FILE_TYPES = {"F32": 0, "F16": 1, "BF16": 32}  # general.file_type
ALIGNMENT: int = gguf.GGUF_DEFAULT_ALIGNMENT


def kept_type(rule: Rule, wanted: str) -> str:
    """Vectors (norms, biases) are always written as F32: llama.cpp adds and multiplies them in F32 only."""
    return "F32" if len(rule.shape) == 1 else wanted


def tensor_bytes(rules: Sequence[Rule], wanted: str) -> int:
    """Bytes of all tensors as they will lie in the file, padding included."""
    return sum(_padded(prod(r.shape) * TYPES[kept_type(r, wanted)][1]) for r in rules)


def _padded(size: int) -> int:
    return -(-size // ALIGNMENT) * ALIGNMENT


def to_type(values: Array, dtype: str, wanted: str) -> Array:
    """Values of a checkpoint's dtype as another; BF16 is carried as its uint16 bits on both sides."""
    if dtype == wanted:
        return values
    with np.errstate(over="ignore"):  # the caller looks for what did not fit
        wide = _to_f32(values, dtype)
        if wanted == "F16":
            return wide.astype(np.float16)
    return _to_bf16(wide) if wanted == "BF16" else wide


def _to_f32(values: Array, dtype: str) -> npt.NDArray[np.float32]:
    if dtype == "BF16":
        return (values.astype(np.uint32) << 16).view(np.float32)
    return values.astype(np.float32)


def _to_bf16(values: npt.NDArray[np.float32]) -> npt.NDArray[np.uint16]:
    """Round to the nearest, ties to even; NaN stays NaN where rounding would carry it to infinity."""
    bits = np.ascontiguousarray(values).view(np.uint32)
    rounded = ((bits + (0x7FFF + ((bits >> 16) & 1))) >> 16).astype(np.uint16)
    return np.where(np.isnan(values), np.uint16(0x7FC0), rounded)


def build(rule: Rule, tensor: TensorRef | None, wanted: str) -> Array:
    """The array to write for one rule, contiguous and of the wanted type."""
    if tensor is None:
        return np.zeros(rule.shape, np.float32)
    values = to_type(rule.change(tensor.load()), tensor.dtype, wanted)
    if wanted == "F16" and tensor.dtype != "F16" and np.isinf(values).any():
        raise ConvertError(f"tensor {tensor.name!r} holds values beyond what F16 can express; convert with -q BF16")
    return np.ascontiguousarray(values)


def write_gguf(
    path: Path,
    fields: Mapping[str, Field],
    rules: Sequence[Rule],
    tensors: Mapping[str, TensorRef],
    wanted: str,
    progress: Progress,
) -> None:
    """Write the header with every shape, then the tensors in its order; the file's size is checked at the end."""
    logging.getLogger("gguf.gguf_writer").setLevel(logging.ERROR)
    writer = gguf.GGUFWriter(path, str(fields["general.architecture"]))
    try:
        for key, value in fields.items():
            _add_field(writer, key, value)
        for rule in rules:
            kind, size = TYPES[kept_type(rule, wanted)]
            writer.add_tensor_info(rule.out, rule.shape, np.dtype(np.float32), prod(rule.shape) * size, kind)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_ti_data_to_file()
        header = path.stat().st_size
        _write_tensors(writer, rules, tensors, wanted, progress)
    finally:
        writer.close()
    expected = _padded(header) + tensor_bytes(rules, wanted)
    if path.stat().st_size != expected:
        raise ConvertError(f"{path}: {path.stat().st_size:,} bytes were written where {expected:,} are due; disk full?")


def _add_field(writer: gguf.GGUFWriter, key: str, value: Field) -> None:
    if key == "general.architecture":
        return  # the writer has added it itself
    if isinstance(value, bool):
        writer.add_bool(key, value)
    elif isinstance(value, int):
        writer.add_uint32(key, value)
    elif isinstance(value, float):
        writer.add_float32(key, value)
    elif isinstance(value, str):
        writer.add_string(key, value)
    else:
        writer.add_array(key, value)


def _write_tensors(
    writer: gguf.GGUFWriter,
    rules: Sequence[Rule],
    tensors: Mapping[str, TensorRef],
    wanted: str,
    progress: Progress,
) -> None:
    total, done = tensor_bytes(rules, wanted), 0
    for rule in rules:
        progress(rule.out, done, total)
        kept = kept_type(rule, wanted)
        tensor = None if rule.source is None else tensors[rule.source]
        writer.write_tensor_data(build(rule, tensor, kept))
        done += _padded(prod(rule.shape) * TYPES[kept][1])
    progress("written", total, total)


def replace_text(path: Path, old: Sequence[str], new: Sequence[str]) -> None:
    """Overwrite strings of a GGUF header in place; for values known only after the tensors are written."""
    if list(map(len, old)) != list(map(len, new)):
        raise ValueError("a header string can only be replaced by one of the same length")
    with path.open("r+b") as file:
        header = file.read(HEADER_SEARCH)
        for before, after in zip(old, new, strict=True):
            file.seek(header.index(before.encode()))
            file.write(after.encode())


HEADER_SEARCH = 1 << 20  # the strings to replace stand before the vocabulary, well within the first MiB
