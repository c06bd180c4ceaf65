"""Help on narrow terminals: no line is wider, but for commands that are to be copied."""

import pytest
from typer.testing import CliRunner

from advrepl.cli.commands import COMMANDS, app

LINES = [[], *([name] for name in COMMANDS), ["saves", "list"], ["saves", "import"], ["card", "export"]]


@pytest.mark.parametrize("columns", [40, 80, 200])
@pytest.mark.parametrize("words", LINES, ids=" ".join)
def test_help_is_as_wide_as_the_terminal(words: list[str], columns: int) -> None:
    told = CliRunner(env={"COLUMNS": str(columns)}).invoke(app(), [*words, "-h"], catch_exceptions=False).output
    assert "Options:" in told
    wide = [line for line in told.splitlines() if len(line) > columns]
    assert all(line.startswith(("    advrepl ", "    printf ")) and "   " not in line.strip() for line in wide), wide


def test_on_a_narrow_terminal_what_is_said_stands_below_and_beside_it_else() -> None:
    narrow, usual = (
        CliRunner(env={"COLUMNS": str(columns)}).invoke(app(), ["play", "-h"]).output.splitlines()
        for columns in (40, 80)
    )
    at = narrow.index("  --save <str>")
    assert narrow[at + 1] == "      The story's name."
    assert any(line.startswith("  --save <str> ") and line.endswith("The story's name.") for line in usual)
    assert narrow[narrow.index("    advrepl play lighthouse --seed 7") + 1].startswith("      the same moves")
    assert any(line.startswith("    advrepl play lighthouse --seed 7   ") for line in usual)
