"""A terminal is asked for its background, and loses no key by it."""

import os
import pty
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from advrepl.terminal import background, early
from advrepl.terminal.background import QUESTION, is_light
from tests.pty_play import ASKED, Terminal
from tests.terminal.conftest import SMALL

ENDED = b"\x1b[?62;22c"


@pytest.fixture
def terminal() -> Iterator[tuple[int, int]]:
    """Both ends of one: the terminal's own, and the program's."""
    ends = pty.openpty()
    yield ends
    for end in ends:
        os.close(end)


def asked(terminal: tuple[int, int], *answers: bytes, term: str = "xterm-256color") -> tuple[bool, float]:
    """What the program takes the background for when the terminal sends this, and after how many seconds."""

    def answer() -> None:
        heard = b""
        while not heard.endswith(QUESTION.encode()):
            heard += os.read(terminal[0], 100)
        for each in answers:
            os.write(terminal[0], each)
            time.sleep(0.02)

    if answers:
        threading.Thread(target=answer, daemon=True).start()
    with os.fdopen(terminal[1], closefd=False) as stdin, os.fdopen(terminal[1], "w", closefd=False) as stdout:
        began = time.monotonic()
        return is_light({"TERM": term}, stdin, stdout), time.monotonic() - began


@pytest.mark.parametrize(
    ("answer", "light"),
    [
        (b"\x1b]11;rgb:ffff/ffff/ffff\x1b\\", True),
        (b"\x1b]11;rgb:fdfd/f6f6/e3e3\x07", True),
        (b"\x1b]11;rgb:1e/1e/1e\x1b\\", False),
        (b"\x1b]11;rgba:0000/2b2b/3636/ffff\x1b\\", False),
        (b"", False),
    ],
)
def test_the_answer_is_read_whichever_way_it_is_spelled(terminal: tuple[int, int], answer: bytes, light: bool) -> None:
    assert asked(terminal, answer + ENDED)[0] == light


def test_an_answer_in_pieces_is_one_and_keys_between_them_wait_for_the_prompt(
    terminal: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    kept: list[bytes] = []
    monkeypatch.setattr(early, "put_back", kept.append)
    assert asked(terminal, b"lo", b"\x1b]11;rgb:ffff/ff", b"ff/ffff\x1b\\o", b"k\x1b[?6", b"2c\x1b[A")[0]
    assert kept == [b"look\x1b[A"]


def test_a_terminal_that_never_answers_is_waited_for_a_moment(
    terminal: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(background, "PATIENCE", 0.05)
    light, took = asked(terminal)
    assert not light and took >= 0.05


def test_one_that_may_print_the_question_is_not_asked(terminal: tuple[int, int]) -> None:
    for term in ("linux", "vt100", "dumb", "eterm-color", ""):
        assert not asked(terminal, term=term)[0]
    os.set_blocking(terminal[0], False)
    with pytest.raises(BlockingIOError):
        os.read(terminal[0], 1)


def test_a_story_on_a_light_terminal_has_the_light_colors_and_keys_typed_before_are_kept(
    open_terminal: Callable[..., Terminal],
) -> None:
    with open_terminal("play", *SMALL, COLORFGBG="", background="ffff/ffff/ffff") as terminal:
        terminal.type("2")
        terminal.until(lambda: terminal.lines[terminal.screen.cursor.y].startswith("> 2"))
        terminal.press("enter")
        terminal.replied(2)
        assert ASKED in terminal.raw
        assert b"35m" in terminal.raw and b"36m" not in terminal.raw, "the color of what the player says"


def test_the_first_screen_asks_too_and_its_list_has_the_color(tmp_path: Path) -> None:
    home = str(tmp_path)
    with Terminal(
        background="ffff/ffff/ffff", COLORFGBG="", ADVREPL_HOME=home, ADVREPL_SAVES=home, ADVREPL_MODEL="any.gguf"
    ) as terminal:
        terminal.until("Enter takes it")
        assert b";35" in terminal.raw and b";36" not in terminal.raw
        terminal.press("ctrl-c")
        assert terminal.left() == 0
