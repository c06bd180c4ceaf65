"""Find the tensors in a PyTorch .bin file, without torch: `read_torch(path)`.

Both layouts torch.save has used: zip archives (torch 1.6 and later) and the older run of five pickles. Everything is
checked before the first tensor is touched, and no tensor's bytes are read. The pickle inside is unpickle.py's.
"""

import os
import struct
from collections.abc import Iterable
from math import prod
from pathlib import Path
from typing import Any, BinaryIO

from advrepl import regular
from convert import ConvertError
from convert.checkpoint.stored_zip import ZIP_LOCAL, ZipEntry, bytes_at, content, stored_files
from convert.checkpoint.torch_objects import Storage, View
from convert.checkpoint.unpickle import MAX_PICKLE, unpickle
from convert.foreign import quote
from convert.tensor import MAX_ELEMENTS, NUMPY_TYPES, TensorRef, span

LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
LEGACY_START = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19\x2e"
LEGACY_PROTOCOL = 1001


def read_torch(path: Path) -> list[TensorRef]:
    """List the tensors of a .bin file; all that is wrong with it is a ConvertError that names the file."""
    try:
        with regular.opened(path) as source:
            size = os.fstat(source.fileno()).st_size
            views, starts = _read(source, size)
        return [_locate(path, name, view, starts[view.storage.key]) for name, view in views.items()]
    except OSError as error:
        raise ConvertError(f"{path.name}: cannot be read: {error.strerror}") from error
    except ConvertError as error:
        raise ConvertError(f"{path.name}: {error}") from error


def _read(source: BinaryIO, size: int) -> tuple[dict[str, View], dict[str, int]]:
    """The tensors by name, and where each storage begins."""
    head = source.read(512)
    if head.startswith(ZIP_LOCAL):
        return _read_zip(source, size)
    if head.startswith(LEGACY_START):
        return _read_legacy(source, size)
    raise ConvertError(_not_torch(head))


def _not_torch(head: bytes) -> str:
    if head.startswith(b"version https://git-lfs"):
        return "is a Git LFS pointer, not the file itself; run `git lfs pull` in its folder"
    if head[257:262] == b"ustar":
        return "is a tar archive of torch before 0.1.12; load it with an old torch and save it again"
    if head.startswith(b"\x80"):
        return "is a bare pickle, not a file torch.save wrote; it is not read"
    if not head.strip(b"\0"):
        return "is empty or begins with zeros only; fetch or decode it again"
    return "is no PyTorch file: it begins neither as a zip archive nor with torch's magic number"


def _tensors(value: Any) -> dict[str, View]:
    if type(value) is not dict:
        raise ConvertError("holds no dict of tensors")
    for name, view in value.items():
        if type(name) is not str:
            raise ConvertError(f"a tensor is named by the number {quote(str(name))}, not by text")
        if type(view) is not View:
            raise ConvertError(f"the entry {quote(name)} is no tensor; only a plain state dict is read")
        _check_view(name, view)
    return value


def _check_view(name: str, view: View) -> None:
    if prod(view.shape) > MAX_ELEMENTS:
        raise ConvertError(f"tensor {quote(name)} claims more than {MAX_ELEMENTS:,} elements")
    reach = view.offset + span(view.shape, view.strides)
    if reach > view.storage.numel:
        raise ConvertError(f"tensor {quote(name)} reaches to element {reach} of a storage of {view.storage.numel}")


def _storages(views: Iterable[View]) -> dict[str, Storage]:
    found: dict[str, Storage] = {}
    for view in views:
        storage = found.setdefault(view.storage.key, view.storage)
        if storage != view.storage:
            raise ConvertError(f"storage {storage.key} is described in two ways")
    return found


def _locate(path: Path, name: str, view: View, start: int) -> TensorRef:
    dtype = view.storage.dtype
    offset = start + view.offset * NUMPY_TYPES[dtype].itemsize
    return TensorRef(name, dtype, view.shape, path, offset, view.strides)


# The zip layout: ROOT/data.pkl, ROOT/data/0, ROOT/data/1, …, ROOT/version and, in newer files, ROOT/byteorder.


def _read_zip(source: BinaryIO, size: int) -> tuple[dict[str, View], dict[str, int]]:
    entries = stored_files(source, size)
    pickles = [name for name in entries if name == "data.pkl" or name.endswith("/data.pkl")]
    if len(pickles) != 1:
        raise ConvertError(f"holds {len(pickles)} files named data.pkl instead of one")
    root = pickles[0].removesuffix("data.pkl")
    order = entries.get(f"{root}byteorder")
    if order is not None and content(source, order, 16) != b"little":
        raise ConvertError("was written on a big-endian machine, or its byte order is unknown")
    pickle = content(source, entries[pickles[0]], MAX_PICKLE)
    value, end = unpickle(pickle)
    if end != len(pickle):
        raise ConvertError(f"data.pkl goes on for {len(pickle) - end} bytes behind its end")
    views = _tensors(value)
    starts = {key: _record(entries, root, storage) for key, storage in _storages(views.values()).items()}
    return views, starts


def _record(entries: dict[str, ZipEntry], root: str, storage: Storage) -> int:
    entry = entries.get(f"{root}data/{storage.key}")
    if entry is None:
        raise ConvertError(f"the storage data/{storage.key} is missing")
    wanted = storage.numel * NUMPY_TYPES[storage.dtype].itemsize
    if entry.size != wanted:
        raise ConvertError(f"the storage data/{storage.key} has {entry.size} bytes instead of {wanted}")
    return entry.start


# The legacy layout: five pickles (magic, protocol, machine, tensors, storage keys), then per key a count and the bytes.


def _read_legacy(source: BinaryIO, size: int) -> tuple[dict[str, View], dict[str, int]]:
    pickles = bytes_at(source, 0, min(size, MAX_PICKLE))
    values, position = [], 0
    for _ in range(5):
        value, position = unpickle(pickles, position)
        values.append(value)
    magic, protocol, machine, tensors, keys = values
    if magic != LEGACY_MAGIC or protocol != LEGACY_PROTOCOL:
        raise ConvertError("is of a torch format that is not known here")
    if type(machine) is not dict or machine.get("little_endian") is not True:
        raise ConvertError("was written on a big-endian machine, or its byte order is unknown")
    views = _tensors(tensors)
    storages = _storages(views.values())
    if type(keys) is not list or not all(type(key) is str for key in keys) or sorted(keys) != sorted(storages):
        raise ConvertError("the list of storages does not match the tensors")
    return views, _legacy_starts(source, size, position, [storages[key] for key in keys])


def _legacy_starts(source: BinaryIO, size: int, position: int, storages: list[Storage]) -> dict[str, int]:
    starts: dict[str, int] = {}
    for storage in storages:
        count = struct.unpack("<Q", bytes_at(source, position, 8))[0]
        if count != storage.numel:
            raise ConvertError(f"storage {storage.key} has {count} elements instead of {storage.numel}")
        starts[storage.key] = position + 8
        position += 8 + count * NUMPY_TYPES[storage.dtype].itemsize
    if position != size:
        word = "is cut off" if position > size else "goes on behind its last tensor"
        raise ConvertError(f"{word}: {size:,} bytes instead of {position:,}")
    return starts
