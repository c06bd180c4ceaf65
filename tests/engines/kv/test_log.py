"""What a cache file takes beside the cells, and what of it can be read while it is written; the cells are made up."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest

from advrepl.engines.kv import computed
from advrepl.engines.kv import file as kv_file
from advrepl.engines.kv.file import KvKey, KvPersistent, KvSnapshot, UnusableError, WindowShape
from advrepl.engines.kv.log import BLOCK, KvLog

KEY = KvKey("model", "f16", "1")
CELL = 16  # bytes


class Cells:
    """An engine whose cells follow from their positions; it holds those before `until`."""

    window = 0

    def __init__(self, until: int) -> None:
        self.until = until

    def copy_part(
        self, snapshot: KvSnapshot, start: int, end: int, memory: Callable[[int], memoryview]
    ) -> memoryview | None:
        if end > self.until:
            return None
        state = memory((end - start) * CELL)
        state[:] = cells(start, end)
        return state


def cells(start: int, end: int) -> bytes:
    return b"".join(position.to_bytes(CELL, "little") for position in range(start, end))


def written(path: Path, tokens: int, until: int | None = None) -> bool:
    snapshot = KvSnapshot(KEY, list(range(tokens)), {}, WindowShape(b"", (), 0), None)
    engine: Any = Cells(tokens if until is None else until)
    return KvLog(path).write(cast(KvPersistent, engine), snapshot, computed.fresh(tokens))


def read(path: Path) -> tuple[list[int], bytes]:
    found = kv_file.read(path, KEY)
    return found.snapshot.tokens, b"".join(bytes(stored.state) for stored in found.pieces)


def test_what_is_said_of_the_cells_grows_as_they_do(tmp_path: Path) -> None:
    """Said again with each block, it took 400 MB for a context of 100,000 tokens."""
    beside = {}
    for blocks in (50, 1000):
        path = tmp_path / f"{blocks}.kv"
        assert written(path, blocks * BLOCK)
        beside[blocks] = path.stat().st_size - blocks * BLOCK * CELL
        assert read(path) == (list(range(blocks * BLOCK)), cells(0, blocks * BLOCK))
    assert beside[1000] < 25 * beside[50]


def test_cut_anywhere_the_rest_of_a_file_is_what_was_there(tmp_path: Path) -> None:
    path, lengths = tmp_path / "whole.kv", set[int]()
    written(path, 40 * BLOCK)
    data = path.read_bytes()
    for end in range(0, len(data), 97):
        path.write_bytes(data[:end])
        try:
            tokens, state = read(path)
        except UnusableError:
            assert end < 4 * BLOCK * CELL
            continue
        assert (tokens, state) == (list(range(len(tokens))), cells(0, len(tokens)))
        lengths.add(len(tokens))
    assert len(lengths) > 5


@pytest.mark.parametrize("blocks", [1, 2, 7, 39])
def test_what_was_written_before_the_cache_was_changed_is_used(tmp_path: Path, blocks: int) -> None:
    path = tmp_path / "overtaken.kv"
    assert not written(path, 40 * BLOCK, until=blocks * BLOCK)
    assert read(path) == (list(range(blocks * BLOCK)), cells(0, blocks * BLOCK))
