"""Open a Hugging Face folder: `open_checkpoint(folder)` gives its tensors by name, with nothing loaded.

Knows which files there can be (one or shards with an index, safetensors before .bin) and reads safetensors headers.
The safetensors package cannot hand out raw BF16 without torch, and copies what it loads; so the header, which is
a length and some JSON, is read here, with the checks its specification asks for. PyTorch files are read_torch.py's.
"""

import json
import os
import struct
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

from convert import ConvertError
from convert.read_torch import read_torch
from convert.tensor import MAX_DIMENSIONS, NUMPY_TYPES, TensorRef, packed
from convert.unpickle import MAX_ELEMENTS, is_count, short

__all__ = ["TensorRef", "is_lfs_pointer", "open_checkpoint", "parse_json", "read_safetensors"]

MAX_HEADER = 100 << 20  # the specification's own cap
MAX_INDEX = 64 << 20  # a 7B model's index has 27 kB
MANY = 5  # names told in one sentence


@dataclass(frozen=True, slots=True)
class _Layout:
    whole: str  # name of the only file
    index: str  # name of the index of several


SAFETENSORS = _Layout("model.safetensors", "model.safetensors.index.json")
PYTORCH = _Layout("pytorch_model.bin", "pytorch_model.bin.index.json")


def open_checkpoint(folder: Path) -> dict[str, TensorRef]:
    """Find every tensor of a model's folder; files that are missing, cut off or hostile are a ConvertError."""
    if not folder.is_dir():
        raise ConvertError(f"{folder}: no such folder")
    try:
        return _choose(folder)
    except OSError as error:
        raise ConvertError(f"{folder}: cannot be read: {error.strerror}") from error


def _choose(folder: Path) -> dict[str, TensorRef]:
    problems: list[str] = []
    for layout in (SAFETENSORS, PYTORCH):
        files = _files(folder, layout)
        problem = _incomplete(folder, files)
        if files and not problem:
            return _open(folder, layout, files)
        if problem:
            problems.append(problem)
    raise ConvertError(problems[0] if problems else _nothing(folder))


def _files(folder: Path, layout: _Layout) -> list[str]:
    """Every file the layout needs here, shards in order; nothing where the layout is not in use."""
    if (folder / layout.whole).exists():
        return [layout.whole]
    if not (folder / layout.index).exists():
        return []
    if is_lfs_pointer(folder / layout.index):
        return [layout.index]
    return sorted(set(_weight_map(folder / layout.index).values()))


def _incomplete(folder: Path, files: list[str]) -> str | None:
    missing = [name for name in files if not (folder / name).is_file()]
    if missing:
        return f"{folder}: {listed(missing)} missing; download the whole folder"
    pointers = [name for name in files if is_lfs_pointer(folder / name)]
    if pointers:
        return f"{folder}: Git LFS left only a pointer for {listed(pointers)}; run `git lfs pull` there"
    return None


def _nothing(folder: Path) -> str:
    shards = sorted(path.name for path in folder.glob("*-of-*") if path.suffix in (".safetensors", ".bin"))
    if shards:
        index = SAFETENSORS.index if shards[0].endswith(".safetensors") else PYTORCH.index
        return f"{folder}: holds {shards[0]} but no {index}, which says what is in which file; download it too"
    return f"{folder}: holds no weights; looked for {SAFETENSORS.whole}, {PYTORCH.whole} and their indexes"


def _open(folder: Path, layout: _Layout, files: list[str]) -> dict[str, TensorRef]:
    read = read_safetensors if layout is SAFETENSORS else read_torch
    tensors: dict[str, TensorRef] = {}
    for file in files:
        for tensor in read(folder / file):
            other = tensors.setdefault(tensor.name, tensor)
            if other is not tensor:
                raise ConvertError(f"{file}: tensor {short(tensor.name)} is also in {other.file.name}")
    if files != [layout.whole]:
        _check_promises(folder / layout.index, tensors)
    return tensors


def _check_promises(index: Path, tensors: dict[str, TensorRef]) -> None:
    missing = [
        f"{short(name)} ({file})"
        for name, file in _weight_map(index).items()
        if name not in tensors or tensors[name].file.name != file
    ]
    if missing:
        raise ConvertError(f"{index.name}: promises tensors that are not where it says: {listed(missing)}")


def _weight_map(index: Path) -> dict[str, str]:
    """Tensor name -> shard, from an index whose file names cannot lead out of the folder."""
    if index.stat().st_size > MAX_INDEX:
        raise ConvertError(f"{index.name}: larger than an index can be")
    value = parse_json(index.read_bytes(), index.name)
    shards = value.get("weight_map") if isinstance(value, dict) else None
    if not isinstance(shards, dict) or not shards:
        raise ConvertError(f"{index.name}: has no weight_map")
    for shard in shards.values():
        if not isinstance(shard, str) or not _is_plain_name(shard):
            raise ConvertError(f"{index.name}: names the file {short(str(shard))}, which is not in its own folder")
    return shards


def _is_plain_name(name: str) -> bool:
    return name not in ("", ".", "..") and name.isprintable() and not any(mark in name for mark in "/\\:\0")


def is_lfs_pointer(path: Path) -> bool:
    with path.open("rb") as source:
        return source.read(24) == b"version https://git-lfs."


def parse_json(raw: bytes, label: str) -> Any:
    """Read JSON whose keys are unique; what is wrong is a ConvertError that begins with the label."""

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key, value in pairs:
            if key in found:
                raise ConvertError(f"{label}: the name {short(key)} occurs twice")
            found[key] = value
        return found

    try:
        return json.loads(raw.decode("utf-8"), object_pairs_hook=unique)
    except (ValueError, RecursionError) as error:  # UnicodeDecodeError and JSONDecodeError are ValueErrors
        raise ConvertError(f"{label}: is not readable as JSON; fetch it again") from error


def listed(names: list[str]) -> str:
    more = f" and {len(names) - MANY} more" if len(names) > MANY else ""
    return ", ".join(names[:MANY]) + more


def read_safetensors(path: Path) -> list[TensorRef]:
    """List the tensors of one safetensors file: 8 bytes of header length, the header in JSON, the bytes."""
    try:
        with path.open("rb") as source:
            size = os.fstat(source.fileno()).st_size
            start = source.read(8)
            length = struct.unpack("<Q", start)[0] if len(start) == 8 else size
            if length > min(MAX_HEADER, size - 8):
                raise ConvertError(f"{path.name}: is cut off or no safetensors file: its header does not fit")
            header = source.read(length)
    except OSError as error:
        raise ConvertError(f"{path.name}: cannot be read: {error.strerror}") from error
    value = parse_json(header, path.name) if header.startswith(b"{") else None
    if not isinstance(value, dict):
        raise ConvertError(f"{path.name}: its header is no JSON object, so it is no safetensors file")
    value.pop("__metadata__", None)
    tensors = [_tensor(path, name, entry, 8 + length) for name, entry in value.items()]
    _check_cover(path, tensors, 8 + length, size)
    return tensors


def _tensor(path: Path, name: str, entry: Any, start: int) -> TensorRef:
    where = f"{path.name}: tensor {short(name)}"
    if not isinstance(entry, dict) or set(entry) != {"dtype", "shape", "data_offsets"}:
        raise ConvertError(f"{where} lacks its dtype, shape or data_offsets")
    dtype, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
    if not isinstance(dtype, str) or dtype not in NUMPY_TYPES:
        raise ConvertError(f"{where} is of type {short(str(dtype))}, which is not read here")
    if not _are_counts(shape) or len(shape) > MAX_DIMENSIONS or prod(shape) > MAX_ELEMENTS:
        raise ConvertError(f"{where} has no proper shape")
    if not _are_counts(offsets) or len(offsets) != 2:
        raise ConvertError(f"{where} has no proper data_offsets")
    tensor = TensorRef(name, dtype, tuple(shape), path, start + offsets[0], packed(tuple(shape)))
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
            raise ConvertError(f"{path.name}: tensor {short(tensor.name)} {word}")
        end += tensor.nbytes
    if end != size:
        word = "is cut off" if end > size else "goes on behind its last tensor"
        raise ConvertError(f"{path.name}: {word}: {size:,} bytes instead of {end:,}")
