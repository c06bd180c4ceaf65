"""What is typed before there is a prompt: it waits in the line, and the player sends it."""

import os
import signal
import sys
import termios
from collections.abc import Callable
from pathlib import Path

import pexpect
import pytest
from prompt_toolkit.input.vt100_parser import Vt100Parser
from prompt_toolkit.key_binding import KeyPress
from prompt_toolkit.keys import Keys

from advrepl.terminal.early import unsent
from tests import ROOT
from tests.pty_play import PATIENCE, Terminal
from tests.terminal.conftest import LONG, story

SAID = "I wait for a long time."
LEFT = "\x1b[D"


@pytest.mark.parametrize(
    ("typed", "held"),
    [
        ("1\r", ["1"]),
        ("1\r1\r", ["1", "\n", "1"]),
        ("\r\n a\r\rb", [" ", "a", "\n\n", "b"]),
        ("\x1b[200~one\ntwo\x1b[201~\r", ["one\ntwo"]),
        (f"a{LEFT}\r\x04", ["a", Keys.Left, Keys.ControlD]),
        ("", []),
    ],
)
def test_enter_is_a_line_break_between_two_lines_and_nothing_else(typed: str, held: list[str]) -> None:
    keys: list[KeyPress] = []
    Vt100Parser(keys.append).feed_and_flush(typed)
    assert [key.data if key.key is Keys.BracketedPaste else key.key for key in unsent(keys)] == held


@pytest.fixture
def writing(open_terminal: Callable[..., Terminal]) -> Callable[..., Terminal]:
    """Starts the program and lets it write a long reply."""

    def start(*arguments: str, **environment: str) -> Terminal:
        terminal = open_terminal("play", *LONG, *arguments, **environment)
        terminal.ready()
        terminal.line(SAID)
        terminal.until(lambda: len(terminal.text.partition(SAID)[2]) > 120)
        return terminal

    return start


def in_line(terminal: Terminal, *lines: str) -> Callable[[], bool]:
    """Do these lines stand at the prompt, the cursor behind them?"""

    def stand() -> bool:
        end = terminal.screen.cursor.y + 1
        shown = terminal.lines[end - len(lines) : end]
        return shown == [f"{mark} {line}" for mark, line in zip("> ", lines, strict=False)]

    return stand


def test_lines_that_are_pasted_while_a_reply_is_written_are_one_message(
    writing: Callable[..., Terminal], tmp_path: Path
) -> None:
    """By a terminal that does not mark what is pasted."""
    with writing() as terminal:
        terminal.type("one,\rtwo\r")
        terminal.until(in_line(terminal, "one,", "two"))
        assert len(story(tmp_path)) == 4
        terminal.press("enter")
        terminal.until(lambda: len(story(tmp_path)) > 4)
        assert story(tmp_path)[4] == ("user", "one,\ntwo")


def test_a_paste_while_a_reply_is_written_comes_without_its_marks(writing: Callable[..., Terminal]) -> None:
    with writing() as terminal:
        assert terminal.raw.rindex(b"\x1b[?2004h") > terminal.raw.rindex(b"\x1b[?2004l"), "the terminal is to mark it"
        terminal.paste("so\nlong" * 1000)
        terminal.type(f"\rgone{LEFT}\x7f")
        terminal.until(lambda: terminal.lines[terminal.screen.cursor.y] == "  goe")
        assert "~" not in terminal.text and "[D" not in terminal.text
        terminal.press("ctrl-c", "ctrl-d")
        assert terminal.left() == 0
        assert terminal.raw.rindex(b"\x1b[?2004l") > terminal.raw.rindex(b"\x1b[?2004h")


def test_a_number_that_is_typed_too_early_picks_nothing(writing: Callable[..., Terminal], tmp_path: Path) -> None:
    with writing("--options", "3") as terminal:
        terminal.type("1\r")
        terminal.until(in_line(terminal, "1"))
        assert len(story(tmp_path)) == 4
        terminal.press("enter")
        terminal.until(lambda: story(tmp_path)[4:5] == [("user", story(tmp_path)[3][1].split("\n- ")[1])])


def test_control_d_leaves_when_the_reply_is_written(writing: Callable[..., Terminal], tmp_path: Path) -> None:
    with writing() as terminal:
        terminal.press("ctrl-d")
        assert terminal.left() == 0
    assert len(story(tmp_path)) == 4


def test_dumb_terminal_drops_what_is_typed_too_early(writing: Callable[..., Terminal], tmp_path: Path) -> None:
    with writing(TERM="dumb") as terminal:
        terminal.type("one\rtwo\r")
        terminal.until("what you typed before the reply was there is not sent")
        terminal.ready()
        assert len(story(tmp_path)) == 4
        terminal.line("/context")
        terminal.until("always seen")
        terminal.line(SAID)
        terminal.until(lambda: len(terminal.text.rpartition(SAID)[2]) > 120)
        terminal.press("ctrl-d")
        assert terminal.left() == 0


def test_keys_stay_out_of_the_prose_after_the_shell_had_the_terminal() -> None:
    """Ctrl-Z and `fg`: a shell sets the terminal as it likes it."""
    code = """
import sys
from advrepl.terminal.early import keys_unechoed
with keys_unechoed(sys.stdin):
    print("reading", flush=True)
    sys.stdin.read(1)
"""
    child = pexpect.spawn(sys.executable, ["-c", code], cwd=str(ROOT), timeout=PATIENCE)
    before = termios.tcgetattr(child.child_fd)
    child.expect("reading")
    assert not child.getecho()
    os.kill(child.pid, signal.SIGSTOP)
    termios.tcsetattr(child.child_fd, termios.TCSANOW, before)
    assert child.getecho()
    os.kill(child.pid, signal.SIGCONT)
    assert child.waitnoecho(PATIENCE)
    child.close(force=True)
