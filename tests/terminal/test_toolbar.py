import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from advrepl.terminal.text import max_cells
from advrepl.terminal.toolbar import Status, toolbar

STATUS = Status("Metharme 7B Q4_K_M", 1234, 1900, 6, 45.23)


@pytest.mark.parametrize(
    ("width", "line"),
    [
        (80, " Metharme 7B Q4_K… · 1234 of 1900 tokens · 6 turns no longer seen · 45 tokens/s "),
        (60, " Metharme 7B Q4_… · 1234/1900 tokens · 6 turns out · 45 t/s "),
        (40, " Metharme… · 1234/1900 · 6 out · 45 t/s "),
        (20, " 1234/1900 · 6 out"),
    ],
)
def test_toolbar_fits(width: int, line: str) -> None:
    shown = toolbar(STATUS, width)
    assert max_cells(shown) <= width
    assert shown == line


@given(st.integers(1, 100), st.text(st.characters(), max_size=30), st.integers(0, 9999))
def test_toolbar_is_never_wider_than_the_terminal(width: int, model: str, gone: int) -> None:
    assert max_cells(toolbar(Status(model, 5000, 8000, gone, 3.5), width)) <= width


def test_toolbar_leaves_out_what_there_is_not() -> None:
    assert toolbar(Status("m", 10, 100, 0, 0.0), 80) == " m · 10 of 100 tokens "
    assert re.search(r"1 turn no longer", toolbar(Status("m", 10, 100, 1, 0.0), 80))


@pytest.mark.parametrize("width", [20, 40, 80])
def test_the_toolbar_tells_in_one_column_how_far_replies_are_written_ahead(width: int) -> None:
    status = Status("model", 100, 2000, 0, 12.0, "writing")
    line = toolbar(status, width)
    assert line.startswith(" ◔ ") and max_cells(line) <= width
    assert line[2:] == toolbar(replace(status, ahead=""), width - 2)
