"""Tables of foreign text: folded, never cut, and inert."""

import io

from rich.console import Console

from advrepl.cli.tables import listing, plain


def printed(width: int, *rows: tuple[str, ...]) -> list[str]:
    table = listing(("name", "turns"), right=("turns",))
    for row in rows:
        table.add_row(*map(plain, row))
    out = io.StringIO()
    Console(file=out, width=width).print(table)
    return [line.rstrip() for line in out.getvalue().splitlines()]


def test_numbers_stand_on_the_right() -> None:
    assert printed(40, ("one", "7"), ("two", "12")) == ["name  turns", "one       7", "two      12"]


def test_a_long_name_is_folded_and_not_cut() -> None:
    lines = printed(20, ("x" * 30, "7"))
    assert "".join(line.split()[0] for line in lines[1:]) == "x" * 30 and "…" not in "".join(lines)


def test_markup_and_control_characters_do_nothing() -> None:
    assert printed(60, ("[red]A\x1b[31mda[/]", "1"))[1] == "[red]A␛[31mda[/]      1"
