"""Lines that are written at a real pseudo-terminal, and what /commands show there."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.pty_play import Terminal
from tests.terminal.conftest import SMALL, story


def test_search_in_earlier_lines(open_terminal: Callable[..., Terminal]) -> None:
    with open_terminal("play", *SMALL) as terminal:
        terminal.ready()
        terminal.press("ctrl-r")
        terminal.until("I-search backward:")
        assert "own words" not in terminal.text
        terminal.press("ctrl-c")
        terminal.until("> 1-3, or your own words")
        terminal.line("/context")
        terminal.until("always seen")
        terminal.ready()
        terminal.press("ctrl-r")
        terminal.type("con")
        terminal.until("I-search backward: con")
        terminal.press("enter")
        terminal.until(lambda: terminal.lines[terminal.screen.cursor.y] == "> /context")
        terminal.press("enter")
        terminal.until(lambda: terminal.text.count("always seen") == 2)


@pytest.mark.parametrize(("columns", "second"), [(80, 26), (40, 4)])
def test_tables_are_aligned(open_terminal: Callable[..., Terminal], columns: int, second: int) -> None:
    with open_terminal("play", *SMALL, columns=columns, rows=70) as terminal:
        terminal.ready()
        terminal.line("/set")
        terminal.until("max_tokens")
        terminal.ready()
        shown = terminal.lines[terminal.lines.index("> /set") + 2 : terminal.screen.cursor.y - 1]
        for line in shown:
            assert re.match("[a-z]", line) or line.startswith(" " * second + line.strip()[:1])
            assert columns == 40 or re.match(r"(?:\w+ +\S+ +| +)$", line[:second])


def test_help_fits_the_screen(open_terminal: Callable[..., Terminal]) -> None:
    with open_terminal("play", *SMALL) as terminal:
        terminal.ready()
        terminal.line("/help")
        terminal.until("/help all")
        terminal.ready()
        assert "> /help" in terminal.lines
        assert any(line.startswith("Tab             complete a") for line in terminal.lines)


def test_raw_is_the_exact_prompt(open_terminal: Callable[..., Terminal]) -> None:
    with open_terminal("play", *SMALL, columns=40) as terminal:
        terminal.ready()
        terminal.line("/raw")
        terminal.until(lambda: terminal.raw.count(b"- Run as fast") == 1)
        opening = re.search(rb"You are standing in front[^\r]*Come inside!'\r\n- Go inside", terminal.raw)
        assert opening, "neither wrapped nor indented"


def test_many_pasted_lines_are_one_message(open_terminal: Callable[..., Terminal], tmp_path: Path) -> None:
    with open_terminal("play", *SMALL) as terminal:
        terminal.ready()
        terminal.paste("I say:\nopen,\nsesame!")
        terminal.until("sesame!")
        terminal.press("enter")
        terminal.replied(2)
        assert story(tmp_path)[-2] == ("user", "I say:\nopen,\nsesame!")


def test_tab_completes(open_terminal: Callable[..., Terminal]) -> None:
    with open_terminal("play", *SMALL) as terminal:
        terminal.ready()
        terminal.type("fast")
        terminal.press("tab")
        terminal.until("> Run as fast as you can.")
        terminal.press("ctrl-c")
        terminal.type("/cont")
        terminal.until("Show what the model sees of the story")  # the menu
        terminal.type("e")
        terminal.press("tab")
        terminal.until("> /context")
        terminal.press("enter")
        terminal.until("always seen")
