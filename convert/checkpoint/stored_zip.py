"""Find the files of a zip archive that stores them as they are, as torch does: `stored_files(source, size)`.

Everything that could make two readers see two different archives is refused. Reads no file's bytes by itself.
"""

import struct
from dataclasses import dataclass
from typing import BinaryIO

from convert import ConvertError
from convert.foreign import quote

# A 7B shard's directory has some 320 entries of 80 bytes.
MAX_DIRECTORY = 4 << 20

ZIP_END, ZIP64_END, ZIP64_LOCATOR = b"PK\x05\x06", b"PK\x06\x06", b"PK\x06\x07"
ZIP_ENTRY, ZIP_LOCAL = b"PK\x01\x02", b"PK\x03\x04"
UNSET_16, UNSET_32 = 0xFFFF, 0xFFFFFFFF  # "see the zip64 field"
ENCRYPTED = 0x1 | 0x40 | 0x2000  # flag bits: encrypted, strongly encrypted, masked headers


@dataclass(frozen=True, slots=True)
class ZipEntry:
    """A stored file of a zip archive: where its bytes lie."""

    name: str
    start: int  # of its bytes, in bytes from the start of the archive
    size: int  # bytes


def content(source: BinaryIO, entry: ZipEntry, limit: int) -> bytes:
    """A file's bytes; a ConvertError if they are more than `limit`."""
    if entry.size > limit:
        raise ConvertError(f"{quote(entry.name)} has {entry.size:,} bytes, more than the {limit:,} allowed")
    return bytes_at(source, entry.start, entry.size)


def bytes_at(source: BinaryIO, start: int, count: int) -> bytes:
    """Exactly `count` bytes from `start` on; a ConvertError if the file ends before."""
    if start >> 62:  # no file is that long, and seek would overflow
        raise ConvertError("is cut off")
    source.seek(start)
    found = source.read(count)
    if len(found) != count:
        raise ConvertError("is cut off")
    return found


def stored_files(source: BinaryIO, size: int) -> dict[str, ZipEntry]:
    """Find the archive's files, by name; `size` is the archive's own, in bytes.

    Walks the central directory and every local header, which must agree; all else is a ConvertError that does not
    name the archive.
    """
    start, length, count = _directory(source, size)
    directory = bytes_at(source, start, length)
    entries: dict[str, ZipEntry] = {}
    spans: list[tuple[int, ZipEntry]] = []
    position = 0
    for _ in range(count):
        entry, local, position = _entry(source, directory, position)
        if entry.name in entries:
            raise ConvertError(f"the zip archive holds {quote(entry.name)} twice")
        entries[entry.name] = entry
        spans.append((local, entry))
    if position != length:
        raise ConvertError("the zip directory has bytes left over")
    _check_apart(spans, start)
    return entries


def _directory(source: BinaryIO, size: int) -> tuple[int, int, int]:
    """Where the central directory starts, its bytes and its entries."""
    # torch writes no comment, so the end record must be the last 22 bytes: nothing can hide behind it.
    tail = bytes_at(source, size - 22, 22) if size >= 22 else b""
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
    locator = bytes_at(source, size - 42, 20) if size >= 42 else b""
    if not locator.startswith(ZIP64_LOCATOR):
        raise ConvertError("the zip archive lacks its zip64 record")
    place = struct.unpack("<Q", locator[8:16])[0]
    if place > size - 42 - 56:
        raise ConvertError("the zip64 record lies outside the file")
    record = bytes_at(source, place, 56)
    if not record.startswith(ZIP64_END):
        raise ConvertError("the zip archive lacks its zip64 record")
    return place, struct.unpack("<4Q", record[24:])


def _entry(source: BinaryIO, directory: bytes, position: int) -> tuple[ZipEntry, int, int]:
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
        raise ConvertError(f"{quote(name)} is encrypted")
    if method != 0 or packed != size:
        raise ConvertError(f"{quote(name)} is compressed; torch stores its files as they are")
    return ZipEntry(name, _data_start(source, local, raw_name, flags), size), local, end


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
        raise ConvertError(f"the zip archive names a file {quote(name)}, a path that leads elsewhere")
    return name


def _data_start(source: BinaryIO, local: int, raw_name: bytes, flags: int) -> int:
    # torch aligns data with padding in the *local* extra field: only this header says where the bytes begin.
    header = bytes_at(source, local, 30)
    local_flags, method = struct.unpack("<HH", header[6:10])
    lengths: tuple[int, int] = struct.unpack("<HH", header[26:30])
    if not header.startswith(ZIP_LOCAL) or bytes_at(source, local + 30, lengths[0]) != raw_name:
        raise ConvertError("the zip archive's directory and its files disagree on a name")
    if method != 0 or local_flags != flags:
        raise ConvertError("the zip archive's directory and its files disagree on how a file is stored")
    return local + 30 + sum(lengths)


def _check_apart(spans: list[tuple[int, ZipEntry]], limit: int) -> None:
    end = 0
    for local, entry in sorted(spans, key=lambda item: item[0]):
        if local < end:
            raise ConvertError(f"{quote(entry.name)} overlaps the file before it in the zip archive")
        end = entry.start + entry.size
        if end > limit:
            raise ConvertError(f"{quote(entry.name)} reaches out of the zip archive")
