"""The row orders on paper."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from convert.archs import rules


def test_permute_puts_the_halves_of_a_head_side_by_side() -> None:
    rows = np.array([0, 1, 2, 3, 10, 11, 12, 13])  # two heads of four rows
    assert rules.permute(rows, heads=2).tolist() == [0, 2, 1, 3, 10, 12, 11, 13]


def test_unpermute_splits_neighbors_and_leaves_what_is_not_rotated() -> None:
    rows = np.array([0, 1, 2, 3, 4, 5, 10, 11, 12, 13, 14, 15])  # two heads of six rows, four of them rotated
    assert rules.unpermute(rows, heads=2, rotated=4).tolist() == [0, 2, 1, 3, 4, 5, 10, 12, 11, 13, 14, 15]


def test_split_heads_gathers_queries_then_keys_then_values() -> None:
    rows = np.array(["q0", "k0", "v0", "q1", "k1", "v1"])
    assert rules.split_heads(rows, heads=2).tolist() == ["q0", "q1", "k0", "k1", "v0", "v1"]


@given(st.integers(1, 5), st.integers(1, 6), st.integers(1, 4))
def test_reorderings_lose_no_row(heads: int, pairs: int, columns: int) -> None:
    rows = heads * 2 * pairs
    table = np.arange(rows * columns).reshape(rows, columns)
    for turned in (rules.permute(table, heads), rules.unpermute(table, heads, 2)):
        assert turned.shape == table.shape
        assert sorted(map(tuple, turned.tolist())) == sorted(map(tuple, table.tolist()))
