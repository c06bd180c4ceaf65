"""Views of files: shapes, strides and what lies where."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from convert import ConvertError
from convert.tensor import TensorRef, contiguous_strides, is_count, span

SHAPES = st.lists(st.integers(0, 5), max_size=4).map(tuple)


@given(SHAPES)
def test_strides_without_gaps_are_those_of_numpy(shape: tuple[int, ...]) -> None:
    array = np.zeros(shape, np.uint8)
    if array.size:
        assert contiguous_strides(shape) == array.strides
    assert span(shape, contiguous_strides(shape)) == array.size


def test_a_view_reaches_from_its_first_element_to_its_last() -> None:
    assert span((2, 3), (3, 1)) == 6
    assert span((2, 3), (10, 2)) == 15
    assert span((), ()) == 1 and span((0, 9), (9, 1)) == 0


@pytest.mark.parametrize("offset", [0, 4, 4096, 70_004])
def test_any_place_and_strides_can_be_mapped(tmp_path: Path, offset: int) -> None:
    values = np.arange(20_000, dtype="<i4")
    (tmp_path / "f").write_bytes(values.tobytes())
    found = TensorRef("t", "I32", (3, 2), tmp_path / "f", offset, (5, 2)).load()
    assert found.tolist() == [[offset // 4 + 5 * row + 2 * column for column in (0, 1)] for row in (0, 1, 2)]
    assert not found.flags.writeable
    empty = TensorRef("t", "F32", (0, 3), tmp_path / "f", offset, (3, 1)).load()
    assert empty.shape == (0, 3) and not empty.flags.writeable


def test_a_file_that_is_gone_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConvertError, match="gone: tensor 't' cannot be mapped"):
        TensorRef("t", "F32", (1,), tmp_path / "gone", 0, (1,)).load()


def test_a_count_is_an_int_that_is_not_negative() -> None:
    assert is_count(0) and is_count(1 << 70)
    assert not any(map(is_count, (True, -1, 1.0, "1", None)))
