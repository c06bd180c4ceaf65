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


def test_what_is_longer_than_the_screen_goes_to_the_pager(
    open_terminal: Callable[..., Terminal], tmp_path: Path
) -> None:
    (pager := tmp_path / "pager").write_text('#!/bin/sh\nread -r first\necho "paged: $first"\n')
    pager.chmod(0o700)
    with open_terminal("play", *SMALL, PAGER=str(pager)) as terminal:
        terminal.ready()
        terminal.line("/set")
        terminal.until("paged: temperature")
        terminal.ready()
        terminal.line("/options")
        terminal.until("3 options after each reply")
        terminal.ready()
        terminal.line("/preset")
        terminal.until("paged: ")


def test_another_story_is_picked_and_played_and_the_first_one_is_kept(
    open_terminal: Callable[..., Terminal], tmp_path: Path
) -> None:
    with open_terminal("play", *SMALL) as terminal:
        terminal.ready()
        terminal.line("/save")
        terminal.until("saved in")
        terminal.ready()
        terminal.line("/new")
        terminal.until("Begin which story?")
        terminal.type("train")
        terminal.until(lambda: any(line.startswith("❯ night-train") for line in terminal.lines))
        terminal.press("enter")
        terminal.until("> /new night-train")
        terminal.until("The night train · SmolLM2")
        terminal.ready()
        terminal.line("/load")
        terminal.until("❯ start")
        terminal.press("enter")
        terminal.until(lambda: terminal.text.count("The old house · SmolLM2") == 2)
        terminal.ready()
        terminal.line("/bye")
        assert terminal.left() == 0
    assert story(tmp_path)[0] == ("user", "Start!") and not (tmp_path / "night-train.json").exists()


def test_vi_keys_and_earlier_lines_are_there(open_terminal: Callable[..., Terminal]) -> None:
    with open_terminal("play", *SMALL, "--keys", "vi") as terminal:
        terminal.ready()
        terminal.line("/options")
        terminal.until("3 options after each reply")
        terminal.ready()
        terminal.type("/opt")
        terminal.until(lambda: terminal.lines[terminal.screen.cursor.y].startswith("> /options"))
        terminal.press("ctrl-c")
        terminal.ready()
        terminal.type("xone two\x1b")
        terminal.wait(0.8)  # prompt_toolkit waits whether Escape begins another key
        terminal.type("0x")
        terminal.until(lambda: terminal.lines[terminal.screen.cursor.y] == "> one two")
