"""The cache file: what is written comes back, and whatever is wrong with a file is known before it is used."""

import signal
import struct
import subprocess
import sys
import time
import zlib
from pathlib import Path
from typing import BinaryIO, cast

import msgspec
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from advrepl.engines.kv import file as kv_file
from advrepl.engines.kv.file import KvKey, KvSnapshot, Piece, UnusableError, WindowShape, segments_digest
from advrepl.prompt.segments import Segment
from tests import ROOT

KEY = KvKey("abc", "f16", "0.3.36")
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
    assert kept.snapshot == SNAPSHOT and [bytes(stored.state) for stored in kept.pieces] == [STATE]
    assert kept.pieces[0].piece == Piece(12, 0, 4, False) and kept.end == file.stat().st_size
    assert [path.name for path in file.parent.iterdir()] == ["story.kv"]


def record(snapshot: KvSnapshot, pieces: list[list[object]], start: int, length: int, state: bytes) -> bytes:
    contents = msgspec.msgpack.encode({**msgspec.structs.asdict(snapshot), "pieces": pieces})
    front, block = struct.pack("<IQ", len(contents), len(state)), state + struct.pack("<II", start, length)
    sums = [struct.pack("<I", zlib.crc32(part)) for part in (front + contents, block)]
    return front + sums[0] + contents + block + sums[1]


def test_the_layout_is_the_documented_one(file: Path) -> None:
    one = record(SNAPSHOT, [[12, 0, 4, False]], 0, 4, STATE)
    assert file.read_bytes() == b"\x89advkv\r\n" + struct.pack("<I", 7) + one


def with_tokens(*tokens: int) -> KvSnapshot:
    return msgspec.structs.replace(SNAPSHOT, tokens=list(tokens))


@pytest.fixture
def grown(tmp_path: Path) -> tuple[Path, list[int]]:
    """A file to which two turns were added, the second after the first ones slid out; where each write ended."""
    path, ends = tmp_path / "grown.kv", list[int]()

    class Noted:
        def __init__(self, file: BinaryIO) -> None:
            self.file = file

        def write(self, data: bytes) -> int:
            done = self.file.write(data)
            ends.append(self.file.tell())
            return done

    with path.open("wb", buffering=0) as file:
        noted = cast(BinaryIO, Noted(file))
        kv_file.begin(noted)
        first = file.tell()
        kv_file.append(noted, kv_file.contents(with_tokens(1, 2, 3), [Piece(first, 0, 3, False)]), (0, 3), b"abc")
        second = file.tell()
        pieces = [Piece(first, 0, 3, False), Piece(second, 3, 2, False)]
        kv_file.append(noted, kv_file.contents(with_tokens(1, 2, 3, 4, 5), pieces), (3, 5), b"de")
        third = file.tell()
        pieces = [Piece(first, 0, 1, False), Piece(second, 3, 2, False), Piece(third, 3, 1, True)]
        kv_file.append(noted, kv_file.contents(with_tokens(1, 4, 5, 6), pieces), (3, 4), b"f")
    return path, ends


def cells(path: Path) -> tuple[list[int], bytes]:
    """The tokens of a file, and the cells that stand for them."""
    found = kv_file.read(path, KEY)
    taken = b""
    for stored in found.pieces:
        at = stored.piece.start - stored.block[0]
        taken += bytes(stored.state[at : at + stored.piece.length])
    return found.snapshot.tokens, taken


STAGES = [([1, 2, 3], b"abc"), ([1, 2, 3, 4, 5], b"abcde"), ([1, 4, 5, 6], b"adef")]


def test_a_file_grows_and_what_slides_stays_where_it_is(grown: tuple[Path, list[int]]) -> None:
    assert cells(grown[0]) == STAGES[2]


def test_killed_between_any_two_writes_the_last_whole_record_counts(grown: tuple[Path, list[int]]) -> None:
    path, ends = grown
    data, seen = path.read_bytes(), list[int]()
    assert len(ends) >= 10 and ends[-1] == len(data)
    for end in sorted({cut + off for cut in ends for off in (-1, 0)}):
        path.write_bytes(data[:end])
        try:
            seen.append(STAGES.index(cells(path)))
        except UnusableError as error:
            assert str(error) == "is cut short"
            seen.append(-1)
    assert seen == sorted(seen) and set(seen) == {-1, 0, 1, 2}


def test_a_damaged_block_costs_what_is_behind_it(grown: tuple[Path, list[int]]) -> None:
    path, data = grown[0], grown[0].read_bytes()
    for block, left in ((b"abc", None), (b"de", [1]), (b"f", [1, 4, 5])):
        ends = ((at, at + len(block) + 8) for at in range(len(data)) if data[at:].startswith(block))
        at = max(at for at, end in ends if data[end : end + 4] == struct.pack("<I", zlib.crc32(data[at:end])))
        path.write_bytes(data[:at] + b"?" + data[at + 1 :])
        if left:
            assert cells(path)[0] == left
        else:
            assert reason(path) == "is damaged"


@pytest.mark.parametrize("piece", [(0, 0, 3), (5000, 0, 3), (12, 1, 3), (12, -1, 2), (12, 0, 0), (13, 0, 3)])
def test_a_piece_that_is_not_there_is_not_used(tmp_path: Path, piece: tuple[int, int, int]) -> None:
    data = record(with_tokens(1, 2, 3), [[*piece, False]], 0, 3, b"abc")
    (tmp_path / "a.kv").write_bytes(kv_file.HEADER.pack(kv_file.MAGIC, kv_file.VERSION) + data)
    assert reason(tmp_path / "a.kv") == "is damaged"


def test_a_state_of_nothing_is_a_file_too(tmp_path: Path) -> None:
    kv_file.write(tmp_path / "a.kv", SNAPSHOT, memoryview(b""))
    assert bytes(kv_file.read(tmp_path / "a.kv", KEY).pieces[0].state) == b""


@pytest.mark.parametrize(
    ("key", "said"),
    [
        (KvKey("other", "f16", "0.3.36"), "is of another model"),
        (KvKey("abc", "q8_0", "0.3.36"), "is of cache type f16"),
        (KvKey("abc", "f16", "0.4"), "was written with another version of llama.cpp"),
    ],
)
def test_what_a_file_does_not_fit_is_named(file: Path, key: KvKey, said: str) -> None:
    assert reason(file, key) == said


def front(version: int, contents: int, state: int) -> bytes:
    return kv_file.MAGIC + struct.pack("<IIQII", version, contents, state, 0, 0) + b"\0" * 8


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
    front, place = kv_file.FRONT.pack(len(contents), 0), kv_file.BLOCK.pack(0, 0)
    sums = [kv_file.SUM.pack(zlib.crc32(part)) for part in (front + contents, place)]
    head = kv_file.HEADER.pack(kv_file.MAGIC, kv_file.VERSION)
    (tmp_path / "a.kv").write_bytes(head + front + sums[0] + contents + place + sums[1])
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
def test_what_follows_the_last_whole_record_is_left_out(file: Path, more: bytes) -> None:
    longer, data = file.with_name("longer.kv"), file.read_bytes()
    longer.write_bytes(data + more)
    found = kv_file.read(longer, KEY)
    assert found.snapshot == SNAPSHOT and found.end == len(data)


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
        state = bytes(kv_file.read(path, KEY).pieces[0].state)
        assert state in (b"a" * (32 << 20), b"b" * (32 << 20))


def test_names_tell_segments_apart() -> None:
    pairs = [("a", "b"), ("ab", ""), ("", "ab"), ("a", "c")]
    names = {segments_digest([Segment(*pair)]) for pair in pairs} | {segments_digest([Segment("a", "b")], first=True)}
    assert len(names) == 5
    assert segments_digest([Segment("a", "b"), Segment("c", "")]) != segments_digest(
        [Segment("a", ""), Segment("bc", "")]
    )
    assert segments_digest([Segment("", "\ud800")])  # whatever a model writes has a name
