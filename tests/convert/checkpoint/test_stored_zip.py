"""Zip archives as torch writes them, and tricks that would show two readers two archives."""

import struct
from pathlib import Path

import pytest

from convert import ConvertError
from convert.checkpoint.stored_zip import MAX_DIRECTORY
from convert.checkpoint.torch_file import read_torch
from tests import torch_files as t
from tests.convert.checkpoint.bin_file import GOOD, refusal
from tests.torch_files import Record


def test_zip64_entries_are_read(tmp_path: Path) -> None:
    records = [Record("m/data.pkl", t.pickle(GOOD), wide=True), Record("m/data/0", t.FLOATS, wide=True)]
    (tmp_path / "w.bin").write_bytes(t.zip_file(records))
    assert read_torch(tmp_path / "w.bin")[0].load()[1].tolist() == [4, 5, 6]


def test_a_storage_behind_four_gigabytes_is_found(tmp_path: Path) -> None:
    """A sparse file with the storage at 5 GB: offsets must not be cut to 32 bits."""
    far = 5 << 30
    head = t.zip_file([Record("m/data.pkl", t.pickle(GOOD))])
    length, start = struct.unpack("<II", head[-10:-2])
    tail = Record("m/data/0", t.FLOATS, wide=True)
    directory = head[start : start + length] + t.directory_entry(tail, far)
    local = t.local_entry(tail, far, 64)
    end = far + len(local) + len(t.FLOATS)
    record = b"PK\x06\x06" + struct.pack("<QHHIIQQQQ", 44, 45, 45, 0, 0, 2, 2, len(directory), end)
    locator = b"PK\x06\x07" + struct.pack("<IQI", 0, end + len(directory), 1)
    with (tmp_path / "w.bin").open("wb") as file:
        file.write(head[:start])
        file.seek(far)
        file.write(local + t.FLOATS + directory + record + locator)
        file.write(b"PK\x05\x06" + struct.pack("<4HIIH", 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0))
    [ref] = read_torch(tmp_path / "w.bin")
    assert ref.offset > far
    assert ref.load().tolist() == [[1, 2, 3], [4, 5, 6]]


@pytest.mark.parametrize(
    ("record", "sentence"),
    [
        (Record("m/data/0", t.FLOATS), "holds 'm/data/0' twice"),
        (Record("n/data.pkl", b""), "holds 2 files named data.pkl"),
        (Record("m/version", b"3\n", local_name="m/verzion"), "disagree on a name"),
        (Record("m/version", b"3\n", flags=1), "'m/version' is encrypted"),
        (Record("m/version", b"3\n", method=8), "'m/version' is compressed"),
        (Record("m/version", b"3\n", size=1 << 20), "reaches out of the zip archive"),
        (Record("m/version", b"3\n", local_offset=1 << 31), "is cut off"),
        (Record("m/version", b"3\n", local_offset=1 << 63, wide=True), "is cut off"),
        (Record("m/version", b"3\n", local_offset=0), "disagree on a name"),
        (Record("m/../../etc/x", b"3\n"), "a path that leads elsewhere"),
        (Record("/etc/x", b"3\n"), "a path that leads elsewhere"),
    ],
)
def test_tricks_of_zip_archives_are_refused(tmp_path: Path, record: Record, sentence: str) -> None:
    assert sentence in refusal(tmp_path, t.zipped(GOOD, record))


def test_overlapping_entries_are_refused(tmp_path: Path) -> None:
    # The second entry's header and data lie inside the first one's data.
    inner = t.local_entry(Record("m/data/0", t.FLOATS), 0, 1) + t.FLOATS
    outer = Record("m/x", inner)
    at = len(t.local_entry(outer, 0, 64))
    records = [outer, Record("m/data/0", t.FLOATS, local_offset=at), Record("m/data.pkl", t.pickle(GOOD))]
    assert "'m/data/0' overlaps the file before it" in refusal(tmp_path, t.zip_file(records))


def test_local_and_central_flags_must_agree(tmp_path: Path) -> None:
    raw = bytearray(t.zipped(GOOD))
    raw[6] = 1  # encrypted, says the first local header alone
    assert "disagree on how a file is stored" in refusal(tmp_path, bytes(raw))


def test_bytes_between_directory_and_end_are_refused(tmp_path: Path) -> None:
    raw = t.zipped(GOOD)
    assert "not where the archive says" in refusal(tmp_path, raw[:-22] + b"hidden" + raw[-22:])


def patched(raw: bytes, at: int, patch: bytes) -> bytes:
    at %= len(raw)
    return raw[:at] + patch + raw[at + len(patch) :]


@pytest.mark.parametrize(
    ("at", "patch", "sentence"),
    [
        (-2, b"\x01\0", "comment or several parts"),
        (-18, b"\x01\0", "comment or several parts"),
        (-14, b"\x01\0", "comment or several parts"),
        (-14, b"\x01\0\x01\0", "bytes left over"),
        (-14, b"\x03\0\x03\0", "directory is damaged"),
        (-14, b"\xff\xff\xff\xff", "lacks its zip64 record"),
    ],
)
def test_a_damaged_end_of_the_archive_is_refused(tmp_path: Path, at: int, patch: bytes, sentence: str) -> None:
    assert sentence in refusal(tmp_path, patched(t.zipped(GOOD), at, patch))


@pytest.mark.parametrize(
    ("at", "patch", "sentence"),
    [
        (-42, b"XX", "lacks its zip64 record"),
        (-34, b"\xff" * 8, "zip64 record lies outside"),
        (-34, b"\0" * 8, "lacks its zip64 record"),
    ],
)
def test_a_damaged_zip64_end_is_refused(tmp_path: Path, at: int, patch: bytes, sentence: str) -> None:
    assert sentence in refusal(tmp_path, patched(t.zip_end64(t.zipped(GOOD)), at, patch))


def test_a_damaged_directory_is_refused(tmp_path: Path) -> None:
    raw = t.zipped(GOOD)
    last = raw.rindex(b"PK\x01\x02")
    assert "directory is damaged" in refusal(tmp_path, patched(raw, last, b"XX"))
    # The last entry's comment would reach out of the directory.
    assert "directory is damaged" in refusal(tmp_path, patched(raw, last + 32, b"\x05"))


def test_a_zip_directory_over_the_limit_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "bad.bin"
    length = MAX_DIRECTORY + 1
    with path.open("wb") as file:
        file.write(b"PK\x03\x04")
        file.seek(length)
        file.write(b"PK\x05\x06" + struct.pack("<4HIIH", 0, 0, 1, 1, length, 0, 0))
    with pytest.raises(ConvertError, match="more than the 4,194,304 allowed"):
        read_torch(path)
