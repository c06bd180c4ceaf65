"""Bars and rows of values."""

from hypothesis import given
from hypothesis import strategies as st

from advrepl.terminal.charts import Bar, shares, spark


def test_a_bar_shows_each_part_and_what_is_free() -> None:
    bar = Bar.of([("head", 250), ("memory", 0), ("turns", 500)], 1000)
    assert bar.text == "head 250, turns 500, free 250 of 1,000 tokens"
    assert [line.rstrip(" \xa0") for line in bar.drawn(24).split("\n")] == [
        "██████▓▓▓▓▓▓▓▓▓▓▓▓······",
        "█\xa0head\xa0250",
        "▓\xa0turns\xa0500",
        "·\xa0free\xa0250",
    ]


@given(st.lists(st.integers(1, 5000), min_size=1, max_size=5), st.integers(0, 5000), st.integers(10, 200))
def test_the_parts_of_a_bar_fill_it_as_far_as_they_do_the_whole(sizes: list[int], free: int, width: int) -> None:
    whole = sum(sizes) + free
    cells = shares(sizes, whole, width)
    assert all(cell >= 1 for cell in cells) and sum(cells) <= width
    assert abs(sum(cells) - width * sum(sizes) / whole) <= len(sizes)


def test_a_row_of_values_is_as_high_as_its_highest() -> None:
    assert spark([0, 5, 10]) == "▁▅█" and spark([]) == "" and spark([0, 0]) == "▁▁"
    assert len(spark(list(range(100)))) == 40
