"""The cache file: what is written comes back, and whatever is wrong with a file is known before it is used."""

import signal
import struct
import subprocess
import sys
import time
import zlib
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from advrepl.engines.kv import file as kv_file
from advrepl.engines.kv.file import KvKey, KvSnapshot, UnusableError, WindowShape, segments_digest
from advrepl.prompt.segments import Segment
from tests import ROOT

KEY = KvKey("abc", 512, "f16", "0.3.36")
SHAPE = WindowShape(b"h" * 16, (2, 1), 4)
SNAPSHOT = KvSnapshot(KEY, [1, 2, 3, 70000], {b"\x00" * 16: (1, 2), b"n" * 16: ()}, SHAPE, 2)
STATE = bytes(range(256)) * 3


@pytest.fixture
def file(tmp_path: Path) -> Path:
    kv_file.write(tmp_path / "story.kv", SNAPSHOT, memoryview(STATE))
    return tmp_path / "story.kv"


def reason(path: Path, key: KvKey = KEY) -> str:
    with pytest.raises(UnusableError) as error:
        kv_file.read(path, key)
    return str(error.value)


def test_what_is_written_comes_back(file: Path) -> None:
    kept = kv_file.read(file, KEY)
    assert kept.snapshot == SNAPSHOT and bytes(kept.state) == STATE
    assert [path.name for path in file.parent.iterdir()] == ["story.kv"]


def test_the_layout_is_the_documented_one(file: Path) -> None:
    data = file.read_bytes()
    contents = msgspec.msgpack.encode(SNAPSHOT)
    front = b"\x89advkv\r\n" + struct.pack("<IIQ", 5, len(contents), len(STATE))
    sums = [struct.pack("<I", zlib.crc32(part)) for part in (front + contents, STATE)]
    assert data == front + sums[0] + contents + STATE + sums[1]


def test_a_state_of_nothing_is_a_file_too(tmp_path: Path) -> None:
    kv_file.write(tmp_path / "a.kv", SNAPSHOT, memoryview(b""))
    assert bytes(kv_file.read(tmp_path / "a.kv", KEY).state) == b""


@pytest.mark.parametrize(
    ("key", "said"),
    [
        (KvKey("other", 512, "f16", "0.3.36"), "is of another model"),
        (KvKey("abc", 1024, "f16", "0.3.36"), "is of a context of 512 tokens"),
        (KvKey("abc", 512, "q8_0", "0.3.36"), "is of cache type f16"),
        (KvKey("abc", 512, "f16", "0.4"), "was written with another version of llama.cpp"),
    ],
)
def test_what_a_file_does_not_fit_is_named(file: Path, key: KvKey, said: str) -> None:
    assert reason(file, key) == said


def front(version: int, contents: int, state: int) -> bytes:
    return kv_file.MAGIC + struct.pack("<IIQ", version, contents, state) + b"\0" * 8


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "is empty"),
        (b"\x89", "is cut short"),
        (b"\x89PNG\r\n\x1a\n" + b"\0" * 400, "is none of advrepl's"),
        (b'{"schema": 1}', "is none of advrepl's"),
        (front(kv_file.VERSION - 1, 0, 0), "was written by another version of advrepl"),
        (front(kv_file.VERSION, 0, (1 << 64) - 1), "is cut short"),
        (front(kv_file.VERSION, (1 << 32) - 1, 0), "is cut short"),
    ],
)
def test_foreign_bytes_are_refused(tmp_path: Path, data: bytes, said: str) -> None:
    (tmp_path / "a.kv").write_bytes(data)
    assert reason(tmp_path / "a.kv") == said


def test_contents_that_are_whole_but_of_another_make_are_damaged(tmp_path: Path) -> None:
    contents = msgspec.msgpack.encode({"key": 1})
    front = kv_file.FRONT.pack(kv_file.MAGIC, kv_file.VERSION, len(contents), 0)
    sums = [kv_file.SUM.pack(zlib.crc32(part)) for part in (front + contents, b"")]
    (tmp_path / "a.kv").write_bytes(front + sums[0] + contents + sums[1])
    assert reason(tmp_path / "a.kv") == "is damaged"


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    assert reason(tmp_path).startswith("cannot be read (")


TOGETHER = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300, deadline=None)


@TOGETHER
@given(st.floats(0, 1, exclude_max=True))
@example(0.0)
@example(0.999999)
def test_a_file_cut_anywhere_is_known(file: Path, where: float) -> None:
    data, cut = file.read_bytes(), file.with_name("cut.kv")
    cut.write_bytes(data[: int(where * len(data))])
    assert reason(cut) in ("is empty", "is cut short")


@TOGETHER
@given(st.floats(0, 1, exclude_max=True), st.integers(1, 255))
def test_a_changed_byte_is_known_wherever_it_is(file: Path, where: float, change: int) -> None:
    data, changed = bytearray(file.read_bytes()), file.with_name("changed.kv")
    data[int(where * len(data))] ^= change
    changed.write_bytes(data)
    assert reason(changed)


@TOGETHER
@given(st.binary(min_size=1, max_size=40))
def test_a_file_with_more_at_its_end_is_known(file: Path, more: bytes) -> None:
    longer = file.with_name("longer.kv")
    longer.write_bytes(file.read_bytes() + more)
    assert reason(longer) == "is damaged"


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(file: Path) -> None:
    before = file.read_bytes()
    (file.parent / "story.kv.tmp").mkdir()
    with pytest.raises(OSError):
        kv_file.write(file, SNAPSHOT, memoryview(b"new"))
    (file.parent / "story.kv.tmp").rmdir()
    assert file.read_bytes() == before and len(list(file.parent.iterdir())) == 1


WRITING = """
import sys
from pathlib import Path
from advrepl.engines.kv import file as kv_file
from tests.engines.kv.test_file import SNAPSHOT
while True:
    for letter in b"ab":
        kv_file.write(Path(sys.argv[1]), SNAPSHOT, memoryview(bytes([letter]) * (32 << 20)))
        print("written", flush=True)
"""


def test_killed_while_writing_there_is_the_old_file_or_the_new_one(tmp_path: Path) -> None:
    path = tmp_path / "a.kv"
    for pause in (0.005, 0.02, 0.05):
        command = [sys.executable, "-c", WRITING, str(path)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT) as process:
            assert process.stdout and process.stdout.readline() == b"written\n"
            time.sleep(pause)
            process.send_signal(signal.SIGKILL)
        state = bytes(kv_file.read(path, KEY).state)
        assert state in (b"a" * (32 << 20), b"b" * (32 << 20))


def test_names_tell_segments_apart() -> None:
    pairs = [("a", "b"), ("ab", ""), ("", "ab"), ("a", "c")]
    names = {segments_digest([Segment(*pair)]) for pair in pairs} | {segments_digest([Segment("a", "b")], first=True)}
    assert len(names) == 5
    assert segments_digest([Segment("a", "b"), Segment("c", "")]) != segments_digest(
        [Segment("a", ""), Segment("bc", "")]
    )
    assert segments_digest([Segment("", "\ud800")])  # whatever a model writes has a name
