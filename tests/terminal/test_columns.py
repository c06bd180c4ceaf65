"""Tables of two columns, on screens of any width."""

from hypothesis import given
from hypothesis import strategies as st

from advrepl.terminal.columns import Table
from advrepl.terminal.layout import lay_out

ROWS = (("name", "what it is"), ("a longer name", "one line of some length\nand another line"), ("", ""))


def test_the_second_column_hangs() -> None:
    assert lay_out(ROWS, 36) == (
        "name           what it is\n"
        "a longer name  one line of some \n"
        "               length\n"
        "               and another line\n"
    )


def test_on_a_narrow_screen_it_stands_below() -> None:
    assert lay_out(ROWS, 30) == (
        "name\n    what it is\na longer name\n    one line of some length\n    and another line\n"
    )


def test_as_text_no_line_is_broken() -> None:
    text = "word " * 100 + "end"
    assert Table.of([("wide 界", text), ("x", "y")]).text == f"wide 界  {text}\nx        y"


@given(st.lists(st.tuples(st.text("ab c", max_size=30), st.text("de f", max_size=90)), min_size=1), st.integers(10, 90))
def test_a_table_keeps_its_words_and_its_width(rows: list[tuple[str, str]], width: int) -> None:
    text = lay_out(rows, width)
    assert "".join(text.split()) == "".join("".join(row).replace(" ", "") for row in rows)
    assert max(len(line.rstrip()) for line in text.split("\n")) <= width
