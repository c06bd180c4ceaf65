"""Find the tensors in a PyTorch .bin file, without torch: `read_torch(path)`.

Both layouts torch.save has used: zip archives (torch 1.6 and later) and the older run of five pickles. Everything is
checked before the first tensor is touched, and no tensor's bytes are read. The pickle inside is unpickle.py's.
"""

import os
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any, BinaryIO

from convert import ConvertError
from convert.tensor import NUMPY_TYPES, TensorRef, span
from convert.unpickle import MAX_ELEMENTS, MAX_PICKLE, Storage, View, short, unpickle

LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
LEGACY_START = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19\x2e"
LEGACY_PROTOCOL = 1001

# A 7B shard's directory has some 320 entries of 80 bytes.
MAX_DIRECTORY = 4 << 20

ZIP_END, ZIP64_END, ZIP64_LOCATOR = b"PK\x05\x06", b"PK\x06\x06", b"PK\x06\x07"
ZIP_ENTRY, ZIP_LOCAL = b"PK\x01\x02", b"PK\x03\x04"
UNSET_16, UNSET_32 = 0xFFFF, 0xFFFFFFFF  # "see the zip64 field"
ENCRYPTED = 0x1 | 0x40 | 0x2000  # flag bits: encrypted, strongly encrypted, masked headers


@dataclass(frozen=True, slots=True)
class Entry:
    """A stored file of a zip archive: where its bytes lie."""

    name: str
    start: int
    size: int


def read_torch(path: Path) -> list[TensorRef]:
    """List the tensors of a .bin file; what is wrong with it is a ConvertError that names the file."""
    try:
        with path.open("rb") as source:
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
            raise ConvertError(f"a tensor is named by the number {short(str(name))}, not by text")
        if type(view) is not View:
            raise ConvertError(f"the entry {short(name)} is no tensor; only a plain state dict is read")
        _check_view(name, view)
    return value


def _check_view(name: str, view: View) -> None:
    if prod(view.shape) > MAX_ELEMENTS:
        raise ConvertError(f"tensor {short(name)} claims more than {MAX_ELEMENTS:,} elements")
    reach = view.offset + span(view.shape, view.strides)
    if reach > view.storage.numel:
        raise ConvertError(f"tensor {short(name)} reaches to element {reach} of a storage of {view.storage.numel}")


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
    entries = _entries(source, size)
    pickles = [name for name in entries if name == "data.pkl" or name.endswith("/data.pkl")]
    if len(pickles) != 1:
        raise ConvertError(f"holds {len(pickles)} files named data.pkl instead of one")
    root = pickles[0].removesuffix("data.pkl")
    order = entries.get(f"{root}byteorder")
    if order is not None and _content(source, order, 16) != b"little":
        raise ConvertError("was written on a big-endian machine, or its byte order is unknown")
    pickle = _content(source, entries[pickles[0]], MAX_PICKLE)
    value, end = unpickle(pickle)
    if end != len(pickle):
        raise ConvertError(f"data.pkl goes on for {len(pickle) - end} bytes behind its end")
    views = _tensors(value)
    starts = {key: _record(entries, root, storage) for key, storage in _storages(views.values()).items()}
    return views, starts


def _record(entries: dict[str, Entry], root: str, storage: Storage) -> int:
    entry = entries.get(f"{root}data/{storage.key}")
    if entry is None:
        raise ConvertError(f"the storage data/{storage.key} is missing")
    wanted = storage.numel * NUMPY_TYPES[storage.dtype].itemsize
    if entry.size != wanted:
        raise ConvertError(f"the storage data/{storage.key} has {entry.size} bytes instead of {wanted}")
    return entry.start


def _content(source: BinaryIO, entry: Entry, limit: int) -> bytes:
    if entry.size > limit:
        raise ConvertError(f"{short(entry.name)} has {entry.size:,} bytes, more than the {limit:,} allowed")
    return _at(source, entry.start, entry.size)


def _at(source: BinaryIO, start: int, count: int) -> bytes:
    if start >> 62:  # no file is that long, and seek would overflow
        raise ConvertError("is cut off")
    source.seek(start)
    found = source.read(count)
    if len(found) != count:
        raise ConvertError("is cut off")
    return found


def _entries(source: BinaryIO, size: int) -> dict[str, Entry]:
    """Walk the central directory and every local header, which must tell the same story."""
    start, length, count = _directory(source, size)
    directory = _at(source, start, length)
    entries: dict[str, Entry] = {}
    spans: list[tuple[int, Entry]] = []
    position = 0
    for _ in range(count):
        entry, local, position = _entry(source, directory, position)
        if entry.name in entries:
            raise ConvertError(f"the zip archive holds {short(entry.name)} twice")
        entries[entry.name] = entry
        spans.append((local, entry))
    if position != length:
        raise ConvertError("the zip directory has bytes left over")
    _check_apart(spans, start)
    return entries


def _directory(source: BinaryIO, size: int) -> tuple[int, int, int]:
    """Where the central directory starts, its bytes and its entries."""
    # torch writes no comment, so the end record must be the last 22 bytes: nothing can hide behind it.
    tail = _at(source, size - 22, 22) if size >= 22 else b""
    if not tail.startswith(ZIP_END):
        raise ConvertError("the zip archive is cut off, or has bytes behind its end; fetch the file again")
    *disks, here, count, length, start, comment = struct.unpack("<4HIIH", tail[4:])
    end = size - 22
    if UNSET_16 in (here, count) or UNSET_32 in (length, start):
        end, (here, count, length, start) = _directory64(source, size)
    if any(disks) or comment or here != count:
        raise ConvertError("the zip archive has a comment or several parts, which torch never writes")
    if length > MAX_DIRECTORY:
        raise ConvertError(f"the zip directory has {length:,} bytes, more than the {MAX_DIRECTORY:,} allowed")
    # torch puts a zip64 record and its locator before the end, also where the file is small.
    if end - (start + length) not in (0, 56 + 20):
        raise ConvertError("the zip directory is not where the archive says")
    return start, length, count


def _directory64(source: BinaryIO, size: int) -> tuple[int, tuple[int, ...]]:
    locator = _at(source, size - 42, 20) if size >= 42 else b""
    if not locator.startswith(ZIP64_LOCATOR):
        raise ConvertError("the zip archive lacks its zip64 record")
    place = struct.unpack("<Q", locator[8:16])[0]
    if place > size - 42 - 56:
        raise ConvertError("the zip64 record lies outside the file")
    record = _at(source, place, 56)
    if not record.startswith(ZIP64_END):
        raise ConvertError("the zip archive lacks its zip64 record")
    return place, struct.unpack("<4Q", record[24:])


def _entry(source: BinaryIO, directory: bytes, position: int) -> tuple[Entry, int, int]:
    """One entry of the directory, where its local header lies, and where the next entry begins."""
    fixed = directory[position : position + 46]
    if len(fixed) < 46 or not fixed.startswith(ZIP_ENTRY):
        raise ConvertError("the zip directory is damaged")
    flags, method = struct.unpack("<HH", fixed[8:12])
    packed, size, name_length, extra_length, comment_length = struct.unpack("<IIHHH", fixed[20:34])
    local = struct.unpack("<I", fixed[42:46])[0]
    raw_name = directory[position + 46 : position + 46 + name_length]
    extra_start = position + 46 + name_length
    extra = directory[extra_start : extra_start + extra_length]
    end = extra_start + extra_length + comment_length
    if end > len(directory):
        raise ConvertError("the zip directory is damaged")
    size, packed, local = _wide(extra, size, packed, local)
    name = _entry_name(raw_name)
    if flags & ENCRYPTED:
        raise ConvertError(f"{short(name)} is encrypted")
    if method != 0 or packed != size:
        raise ConvertError(f"{short(name)} is compressed; torch stores its files as they are")
    return Entry(name, _data_start(source, local, raw_name, flags), size), local, end


def _wide(extra: bytes, *values: int) -> tuple[int, ...]:
    """Replace each unset 32-bit value by the next one of the zip64 field."""
    missing = sum(value == UNSET_32 for value in values)
    if not missing:
        return values
    while len(extra) >= 4:
        kind, length = struct.unpack("<HH", extra[:4])
        if kind == 1 and length >= 8 * missing and len(extra) >= 4 + 8 * missing:
            wide = iter(struct.unpack(f"<{missing}Q", extra[4 : 4 + 8 * missing]))
            return tuple(next(wide) if value == UNSET_32 else value for value in values)
        extra = extra[4 + length :]
    raise ConvertError("the zip directory lacks a 64-bit size")


def _entry_name(raw: bytes) -> str:
    try:
        name = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ConvertError("the zip archive names a file in no known encoding") from error
    if "\\" in name or "\0" in name or name.startswith("/") or ".." in name.split("/"):
        raise ConvertError(f"the zip archive names a file {short(name)}, a path that leads elsewhere")
    return name


def _data_start(source: BinaryIO, local: int, raw_name: bytes, flags: int) -> int:
    # torch aligns data with padding in the *local* extra field: only this header says where the bytes begin.
    header = _at(source, local, 30)
    local_flags, method = struct.unpack("<HH", header[6:10])
    lengths: tuple[int, int] = struct.unpack("<HH", header[26:30])
    if not header.startswith(ZIP_LOCAL) or _at(source, local + 30, lengths[0]) != raw_name:
        raise ConvertError("the zip archive's directory and its files disagree on a name")
    if method != 0 or local_flags != flags:
        raise ConvertError("the zip archive's directory and its files disagree on how a file is stored")
    return local + 30 + sum(lengths)


def _check_apart(spans: list[tuple[int, Entry]], limit: int) -> None:
    end = 0
    for local, entry in sorted(spans, key=lambda item: item[0]):
        if local < end:
            raise ConvertError(f"{short(entry.name)} overlaps the file before it in the zip archive")
        end = entry.start + entry.size
        if end > limit:
            raise ConvertError(f"{short(entry.name)} reaches out of the zip archive")


# The legacy layout: five pickles (magic, protocol, machine, tensors, storage keys), then per key a count and the bytes.


def _read_legacy(source: BinaryIO, size: int) -> tuple[dict[str, View], dict[str, int]]:
    pickles = _at(source, 0, min(size, MAX_PICKLE))
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
        count = struct.unpack("<Q", _at(source, position, 8))[0]
        if count != storage.numel:
            raise ConvertError(f"storage {storage.key} has {count} elements instead of {storage.numel}")
        starts[storage.key] = position + 8
        position += 8 + count * NUMPY_TYPES[storage.dtype].itemsize
    if position != size:
        word = "is cut off" if position > size else "goes on behind its last tensor"
        raise ConvertError(f"{word}: {size:,} bytes instead of {position:,}")
    return starts
