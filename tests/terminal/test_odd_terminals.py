"""Terminals of hardly any size, wide ones, old ones, ones that say odd things: a story is played and left in each."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.pty_play import Terminal
from tests.terminal.conftest import LONG, SMALL, story

UNSET = "import os; del os.environ['TERM']"


def play_a_turn(terminal: Terminal, folder: Path) -> None:
    """Pick an option by hand, as soon as a line is waited for, and leave when the reply is there."""
    terminal.until(lambda: terminal.raw.count(b"\x1b[?2004h") or terminal.raw.endswith(b"> "))
    terminal.wait(2)  # what was pressed before the prompt is dropped in a terminal that cannot draw
    terminal.line("2")
    terminal.until(lambda: (folder / "start.json").exists() and len(story(folder)) == 4)
    terminal.wait(0.5)
    terminal.press("ctrl-d")
    assert terminal.left() == 0
    assert [role for role, text in story(folder) if text] == ["user", "model", "user", "model"]
    assert b"Traceback" not in terminal.raw


@pytest.mark.parametrize(
    "environment",
    [
        {"TERM": "no-such-terminal"},
        {"TERM": ""},
        pytest.param({"TERM": "dumb"}, marks=pytest.mark.slow),
        pytest.param({"TERM": "vt100"}, marks=pytest.mark.slow),
        pytest.param({"TERM": "linux"}, marks=pytest.mark.slow),
        pytest.param({"TERM": "screen"}, marks=pytest.mark.slow),
        pytest.param({"TERM": "xterm-direct"}, marks=pytest.mark.slow),
        pytest.param({"TERM": "xterm-mono"}, marks=pytest.mark.slow),
        pytest.param({"COLORTERM": "24bit?"}, marks=pytest.mark.slow),
        pytest.param({"COLORFGBG": "default;;x"}, marks=pytest.mark.slow),
        pytest.param({"LINES": "0", "COLUMNS": "0"}, marks=pytest.mark.slow),
        pytest.param({"LINES": "-1", "COLUMNS": "many"}, marks=pytest.mark.slow),
        pytest.param({"LANG": "no_SUCH.locale", "LC_ALL": "C"}, marks=pytest.mark.slow),
    ],
    ids=lambda environment: "-".join(f"{name}={value}" for name, value in environment.items()),
)
def test_a_turn_is_played_whatever_the_environment_says(
    open_terminal: Callable[..., Terminal], tmp_path: Path, environment: dict[str, str]
) -> None:
    with open_terminal("play", "start", *SMALL, **environment) as terminal:
        play_a_turn(terminal, tmp_path)


@pytest.mark.slow
def test_a_turn_is_played_where_no_terminal_is_named(open_terminal: Callable[..., Terminal], tmp_path: Path) -> None:
    with open_terminal("play", "start", *SMALL, prepare=UNSET) as terminal:
        play_a_turn(terminal, tmp_path)


@pytest.mark.parametrize(
    ("columns", "rows"),
    [(2, 2), *(pytest.param(*size, marks=pytest.mark.slow) for size in [(1, 24), (10, 3), (40, 12), (300, 50)])],
)
def test_a_turn_is_played_at_any_size(
    open_terminal: Callable[..., Terminal], tmp_path: Path, columns: int, rows: int
) -> None:
    with open_terminal("play", "start", *SMALL, columns=columns, rows=rows) as terminal:
        play_a_turn(terminal, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize(("columns", "rows"), [(1, 1), (5, 2), (10, 3)])
def test_a_window_is_made_tiny_in_mid_reply_and_large_again(
    open_terminal: Callable[..., Terminal], columns: int, rows: int
) -> None:
    with open_terminal("play", "start", *LONG) as terminal:
        terminal.ready()
        terminal.line("I walk on.")
        before = len(terminal.raw)
        terminal.until(lambda: len(terminal.raw) > before + 100)
        terminal.resize(columns, rows)
        terminal.wait(0.3)
        terminal.resize(80, 24)
        terminal.press("ctrl-c")
        terminal.ready()
        terminal.line("/help keys")
        terminal.until("Ctrl-D save and leave")
        terminal.ready()
        terminal.press("ctrl-d")
        assert terminal.left() == 0
