"""Stream a model into a GGUF file, one tensor in memory at a time.

Knows nothing of architectures or vocabularies: it gets keys, rules and tensors. Does not quantize (quantize/).
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
GGUF_TYPES = {
    "F32": (gguf.GGMLQuantizationType.F32, 4),
    "F16": (gguf.GGMLQuantizationType.F16, 2),
    "BF16": (gguf.GGMLQuantizationType.BF16, 2),
}
ALIGNMENT: int = gguf.GGUF_DEFAULT_ALIGNMENT  # bytes
HEADER_SEARCH = 1 << 20  # the strings to replace stand before the vocabulary, well within the first MiB


def stored_type(rule: Rule, dtype: str) -> str:
    """The type of one tensor in a file of this type, both keys of GGUF_TYPES.

    Vectors (norms, biases) are always F32: llama.cpp adds and multiplies them in F32 only.
    """
    return "F32" if len(rule.shape) == 1 else dtype


def stored_bytes(rule: Rule, dtype: str) -> int:
    """Bytes of one tensor in a file of this type."""
    return prod(rule.shape) * GGUF_TYPES[stored_type(rule, dtype)][1]


def tensor_bytes(rules: Sequence[Rule], dtype: str) -> int:
    """Bytes of all tensors as they lie in a file of this type, padding included."""
    return sum(padded(stored_bytes(rule, dtype)) for rule in rules)


def padded(size: int) -> int:
    """Return how far the next tensor is from one of so many bytes."""
    return -(-size // ALIGNMENT) * ALIGNMENT


def cast(values: Array, dtype: str, wanted: str) -> Array:
    """Values of a checkpoint's dtype as one of GGUF_TYPES, rounded to the nearest; BF16 is its bits in uint16.

    What F16 cannot hold becomes infinite.
    """
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


def tensor_data(rule: Rule, tensor: TensorRef | None, wanted: str) -> Array:
    """The array to write for one rule, contiguous and of the wanted type; `tensor` None: its own values, in F32.

    Raises ConvertError for values that F16 cannot hold.
    """
    if tensor is None:
        return np.array(rule.values, np.float32) if rule.values else np.zeros(rule.shape, np.float32)
    values = cast(rule.transform(tensor.load()), tensor.dtype, wanted)
    if wanted == "F16" and tensor.dtype != "F16" and np.isinf(values).any():
        raise ConvertError(f"tensor {tensor.name!r} holds values beyond what F16 can express; convert with -q BF16")
    return np.ascontiguousarray(values)


def write_gguf(
    path: Path,
    fields: Mapping[str, Field],
    rules: Sequence[Rule],
    tensors: Mapping[str, TensorRef],
    dtype: str,
    progress: Progress,
) -> None:
    """Write the header with every shape, then the tensors in its order, as `dtype`, a key of GGUF_TYPES.

    `fields` are the header's, by key, "general.architecture" among them; `tensors` the checkpoint's, by name. Raises
    ConvertError for values that do not fit, or if the file has another size than it should have.
    """
    writer = _begun(path, fields, rules, dtype)
    try:
        header = path.stat().st_size
        _write_tensors(writer, rules, tensors, dtype, progress)
    finally:
        writer.close()
    expected = padded(header) + tensor_bytes(rules, dtype)
    if path.stat().st_size != expected:
        raise ConvertError(f"{path}: {path.stat().st_size:,} bytes were written where {expected:,} are due; disk full?")


def write_header(path: Path, fields: Mapping[str, Field], rules: Sequence[Rule], dtype: str) -> int:
    """Write what stands before the first tensor, as `write_gguf` does; return where that is to stand, in bytes."""
    _begun(path, fields, rules, dtype).close()
    return padded(path.stat().st_size)


def _begun(path: Path, fields: Mapping[str, Field], rules: Sequence[Rule], dtype: str) -> gguf.GGUFWriter:
    """Return a writer that has written the header."""
    logging.getLogger("gguf.gguf_writer").setLevel(logging.ERROR)
    writer = gguf.GGUFWriter(path, str(fields["general.architecture"]))
    try:
        for key, value in fields.items():
            _add_field(writer, key, value)
        for rule in rules:
            kind = GGUF_TYPES[stored_type(rule, dtype)][0]
            writer.add_tensor_info(rule.name, rule.shape, np.dtype(np.float32), stored_bytes(rule, dtype), kind)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_ti_data_to_file()
    except BaseException:
        writer.close()
        raise
    return writer


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
    dtype: str,
    progress: Progress,
) -> None:
    total, done = tensor_bytes(rules, dtype), 0
    for rule in rules:
        progress(rule.name, done, total)
        tensor = None if rule.source is None else tensors[rule.source]
        writer.write_tensor_data(tensor_data(rule, tensor, stored_type(rule, dtype)))
        done += padded(stored_bytes(rule, dtype))
    progress("written", total, total)


def replace_strings(path: Path, old: Sequence[str], new: Sequence[str]) -> None:
    """Overwrite strings of a GGUF header in place, each by one of the same length; ValueError if it is not.

    For values that are known only after the tensors are written.
    """
    if list(map(len, old)) != list(map(len, new)):
        raise ValueError("a header string can only be replaced by one of the same length")
    with path.open("r+b") as file:
        header = file.read(HEADER_SEARCH)
        for before, after in zip(old, new, strict=True):
            file.seek(header.index(before.encode()))
            file.write(after.encode())
