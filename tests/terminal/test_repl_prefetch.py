"""Replies written ahead, in a pseudo-terminal: ready when picked, quiet while keys are pressed, gone at once."""

import json
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.pty_play import Terminal

PLAY = (
    "play",
    "start",
    "--save",
    "start",
    "--seed",
    "1",
    "--ctx",
    "1024",
    "--max-tokens",
    "40",
    "--threads",
    "1",
    "--ahead",
)


@pytest.fixture
def terminal(shallow: Path, tmp_path: Path) -> Iterator[Terminal]:
    home = {"ADVREPL_HOME": str(tmp_path), "ADVREPL_MODEL": str(shallow)}
    with Terminal(*PLAY, "--saves", str(tmp_path), columns=100, rows=40, **home) as terminal:
        terminal.until("3. Run as fast as you can.")
        yield terminal


def mark(terminal: Terminal) -> str:
    """What the toolbar says of the replies that are written ahead."""
    return next((line[1] for line in terminal.lines if line[1:2] in "○◔●" and "tokens" in line), "")


def marked(terminal: Terminal, *marks: str) -> Callable[[], bool]:
    return lambda: mark(terminal) in marks


def test_a_reply_is_there_when_its_option_is_picked(terminal: Terminal) -> None:
    terminal.until(marked(terminal, "●"))
    terminal.line("1")
    terminal.replied(2)
    terminal.line("/context")
    terminal.until("begun before you asked")
    terminal.press("ctrl-d")
    assert terminal.left() == 0


def test_keys_are_heard_while_replies_are_written(terminal: Terminal) -> None:
    """A key stops the writing, which goes on when the keyboard is still; other words are answered as ever."""
    terminal.until(marked(terminal, "◔"))
    pressed = time.monotonic()
    terminal.type("w")
    terminal.until(lambda: any(line.startswith("> w") for line in terminal.lines))
    assert time.monotonic() - pressed < 2  # 50 ms on a machine that does nothing else
    terminal.until(marked(terminal, "○"))
    terminal.until(marked(terminal, "◔", "●"))
    terminal.line("ait")
    terminal.replied(2)
    terminal.line("/context")
    terminal.until(" a second")


@pytest.mark.parametrize("number", [None, signal.SIGKILL, signal.SIGHUP])
def test_leaving_while_replies_are_written_loses_nothing(
    terminal: Terminal, tmp_path: Path, number: signal.Signals | None
) -> None:
    terminal.until(marked(terminal, "◔"))
    left = time.monotonic()
    if number is None:
        terminal.press("ctrl-d")
        assert terminal.left() == 0
    else:
        terminal.child.kill(number)
        assert terminal.left() == (128 + number if number == signal.SIGHUP else -number)
    assert time.monotonic() - left < 10
    assert len(json.loads((tmp_path / "start.json").read_text())["turns"]) == 2
