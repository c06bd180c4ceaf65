"""Tables of foreign text: never cut, never folded within a word, and inert."""

from advrepl.cli.tables import listing


def printed(width: int, *rows: tuple[str, ...]) -> list[str]:
    return list(listing(("name", "turns", "model"), rows, width, right=("turns",)))


def test_numbers_stand_on_the_right() -> None:
    assert printed(40, ("one", "7", "m"), ("two", "12", "m")) == [
        "name  turns  model",
        "one       7  m",
        "two      12  m",
    ]


def test_a_column_without_a_cell_is_left_out() -> None:
    assert printed(40, ("one", "7", "")) == ["name  turns", "one       7"]


def test_what_does_not_fit_stands_below_the_name() -> None:
    assert printed(20, ("the-old-house-12", "7", "Pygmalion-2-7b"), ("b", "12", "SmolLM2")) == [
        "the-old-house-12",
        "    7 ·",
        "    Pygmalion-2-7b",
        "b",
        "    12 · SmolLM2",
    ]


def test_a_long_name_is_neither_cut_nor_folded() -> None:
    assert printed(20, ("x" * 30, "7", ""))[0] == "x" * 30


def test_markup_and_control_characters_do_nothing() -> None:
    assert printed(60, ("[red]A\x1b[31mda[/]", "1", ""))[1] == "[red]A␛[31mda[/]      1"
