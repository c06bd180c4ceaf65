"""Craft PyTorch .bin files byte by byte: good ones, and ones that torch itself would never write.

A pickle is built from parts of opcodes (`global_`, `string`, `tensor`, …), a file from a pickle and its records.
"""

import struct
import zlib
from dataclasses import dataclass

FLOATS = struct.pack("<6f", 1, 2, 3, 4, 5, 6)


# Pickle opcodes, protocol 2.


def global_(module: str, name: str) -> bytes:
    return f"c{module}\n{name}\n".encode()


def string(value: str) -> bytes:
    raw = value.encode()
    return b"X" + struct.pack("<I", len(raw)) + raw


def number(value: int) -> bytes:
    raw = value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True)
    return b"\x8a" + bytes([len(raw)]) + raw


def tuple_(*items: bytes) -> bytes:
    return b"(" + b"".join(items) + b"t"


def dict_(items: dict[str, bytes]) -> bytes:
    return b"}(" + b"".join(string(name) + value for name, value in items.items()) + b"u"


def pickle(value: bytes) -> bytes:
    return b"\x80\x02" + value + b"."


ORDERED_DICT = global_("collections", "OrderedDict") + b")R"


def storage(key: str = "0", numel: int = 6, kind: str = "FloatStorage", legacy: bool = False) -> bytes:
    items = [string("storage"), global_("torch", kind), string(key), string("cpu"), number(numel)]
    return tuple_(*items, *([b"N"] if legacy else [])) + b"Q"


def tensor(
    where: bytes | None = None, offset: int = 0, shape: tuple[int, ...] = (2, 3), strides: tuple[int, ...] = (3, 1)
) -> bytes:
    sizes = [tuple_(*(number(value) for value in values)) for values in (shape, strides)]
    arguments = tuple_(where or storage(), number(offset), *sizes, b"\x89", ORDERED_DICT)
    return global_("torch._utils", "_rebuild_tensor_v2") + arguments + b"R"


# The zip layout.


@dataclass(frozen=True)
class Record:
    name: str
    content: bytes
    flags: int = 0
    method: int = 0
    local_name: str | None = None  # another name in the local header
    size: int | None = None  # another size in the directory
    local_offset: int | None = None  # another place in the directory
    wide: bool = False  # sizes and place in a zip64 field


def zip_file(records: list[Record], pad: int = 64) -> bytes:
    body, directory = bytearray(), b""
    for record in records:
        at = len(body) if record.local_offset is None else record.local_offset
        body += local_entry(record, len(body), pad) + record.content
        directory += directory_entry(record, at)
    end = struct.pack("<4HIIH", 0, 0, len(records), len(records), len(directory), len(body), 0)
    return bytes(body + directory + b"PK\x05\x06" + end)


def local_entry(record: Record, at: int, pad: int) -> bytes:
    """The header before a record's bytes, which are aligned to `pad` if it stands at `at`."""
    name = (record.local_name or record.name).encode()
    # Data is aligned by an extra field that only the local header has.
    extra = -(at + 30 + len(name) + 4) % pad
    sizes = struct.pack("<III", zlib.crc32(record.content), len(record.content), len(record.content))
    header = b"PK\x03\x04" + struct.pack("<5H", 20, record.flags, record.method, 0, 0) + sizes
    return header + struct.pack("<HH", len(name), extra + 4) + name + b"FB" + struct.pack("<H", extra) + b"Z" * extra


def directory_entry(record: Record, at: int) -> bytes:
    """What the directory says of a record whose header stands at `at`."""
    size = len(record.content) if record.size is None else record.size
    name, unset = record.name.encode(), 0xFFFFFFFF
    extra = b"\x01\x00\x18\x00" + struct.pack("<QQQ", size, size, at) if record.wide else b""
    place = struct.pack("<III", *([unset] * 2 if record.wide else [size] * 2), unset if record.wide else at)
    return (
        b"PK\x01\x02"
        + struct.pack("<6H", 20, 20, record.flags, record.method, 0, 0)
        + struct.pack("<I", zlib.crc32(record.content))
        + place[:8]
        + struct.pack("<5H", len(name), len(extra), 0, 0, 0)
        + struct.pack("<I", 0)
        + place[8:]
        + name
        + extra
    )


def zip_end64(archive: bytes) -> bytes:
    """The same archive with its end told by a zip64 record, as files over 4 GB have it."""
    count, _, length, start = struct.unpack("<HHII", archive[-14:-2])
    record = b"PK\x06\x06" + struct.pack("<QHHIIQQQQ", 44, 45, 45, 0, 0, count, count, length, start)
    locator = b"PK\x06\x07" + struct.pack("<IQI", 0, len(archive) - 22, 1)
    end = b"PK\x05\x06" + struct.pack("<4HIIH", 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)
    return archive[:-22] + record + locator + end


def zipped(value: bytes, *more: Record, data: bytes = FLOATS) -> bytes:
    """A whole .bin file around one pickled value and one storage."""
    return zip_file([Record("m/data.pkl", pickle(value)), Record("m/data/0", data), *more])


# The legacy layout.

MAGIC = pickle(number(0x1950A86A20F9469CFC6C))
PROTOCOL = pickle(number(1001))


def machine(little: bool = True) -> bytes:
    return pickle(b"}(" + string("little_endian") + (b"\x88" if little else b"\x89") + b"u")


def keys(*names: str) -> bytes:
    return pickle(b"](" + b"".join(string(name) for name in names) + b"e")


def legacy(
    value: bytes, *, little: bool = True, names: tuple[str, ...] = ("0",), count: int = 6, end: bytes = b""
) -> bytes:
    head = MAGIC + PROTOCOL + machine(little) + pickle(value) + keys(*names)
    return head + struct.pack("<Q", count) + FLOATS + end


def legacy_state() -> bytes:
    return dict_({"w": tensor(storage(legacy=True))})
