"""The program ended from outside while somebody else has the terminal, or has been asked, or it is closing a story."""

import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from advrepl.terminal.interrupts import Interrupts
from tests.pty_play import ASKED, Terminal
from tests.terminal.conftest import SMALL, story

# What a shell does for Ctrl-Z, and `kill %1` or `fg` behind it; exits with 99 if it is stopped again.
SHELL = """
import os, signal, termios
signal.signal(signal.SIGTTOU, signal.SIG_IGN)
before = termios.tcgetattr(0)
if child := os.fork():
    os.waitpid(child, os.WUNTRACED)
    os.tcsetpgrp(0, os.getpgrp())
    termios.tcsetattr(0, termios.TCSADRAIN, before)
    THEN
    os.kill(child, signal.SIGCONT)
    status = os.waitpid(child, os.WUNTRACED)[1]
    if os.WIFSTOPPED(status):
        os.kill(child, signal.SIGKILL)
    os._exit(99 if os.WIFSTOPPED(status) else os.waitstatus_to_exitcode(status))
os.setpgid(0, 0)
os.tcsetpgrp(0, os.getpgrp())
signal.signal(signal.SIGTTOU, signal.SIG_DFL)
"""
KILL = SHELL.replace("THEN", "os.kill(child, signal.SIGTERM)")
FOREGROUND = SHELL.replace("THEN", "os.tcsetpgrp(0, child)")
# A second signal, when the story is just being closed.
AGAIN = (
    "import signal; from advrepl.story.save_file import SaveFile as S; close = S.close; "
    "S.close = lambda file: (signal.raise_signal(signal.SIGTERM), close(file))[1]"
)
# One when the story has just been found, and is about to be shown.
FOUND = (
    "import signal; from advrepl.play.unopened import Unopened as U; told = U.told; "
    "U.told = lambda story: (signal.raise_signal(signal.SIGTERM), told(story))[1]"
)
TERMINATED = 128 + signal.SIGTERM

Open = Callable[..., Terminal]


def program(folder: Path, *lines: str) -> str:
    """A program of the player's."""
    (path := folder / "own").write_text("\n".join(("#!/bin/sh", *lines, "")))
    path.chmod(0o700)
    return str(path)


def left_behind(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir() if path.name.startswith((".", "advrepl-line"))]


@pytest.mark.parametrize("where", ["prompt", "list", "reply"])
def test_a_suspended_one_ends_without_its_terminal(open_terminal: Open, tmp_path: Path, where: str) -> None:
    with open_terminal("play", *SMALL, prepare=f"exec({KILL!r})") as terminal:
        terminal.ready()
        match where:
            case "prompt":
                terminal.type("half a line")
                terminal.until("half a line")
            case "list":
                terminal.line("/new")
                terminal.until("Enter takes it")
            case "reply":
                terminal.line("I walk on.")
                terminal.until(lambda: len(terminal.text.partition("> I walk on.")[2]) > 20)
        terminal.type("\x1a")
        assert terminal.left() == TERMINATED
    assert not left_behind(tmp_path)
    assert where != "reply" or story(tmp_path)[-1][0] == "model"


def test_a_passphrase_stays_hidden_after_it_was_suspended(open_terminal: Open, tmp_path: Path) -> None:
    with open_terminal("play", *SMALL, "--encrypt", prepare=f"exec({FOREGROUND!r})") as terminal:
        terminal.until("New passphrase:")
        terminal.type("\x1a")
        terminal.until(lambda: terminal.text.count("New passphrase:") == 2, patience=30)
        terminal.line("sesame")
        terminal.until("The same again:")
        terminal.line("sesame")
        terminal.ready()
        assert "sesame" not in terminal.text
        terminal.press("ctrl-d")
        assert terminal.left() == 0


def test_the_pager_ends_with_it(open_terminal: Open, tmp_path: Path) -> None:
    pager = program(tmp_path, "cat > /dev/null", "echo paging", "exec sleep 1000")
    with open_terminal("play", *SMALL, PAGER=pager) as terminal:
        terminal.ready()
        terminal.line("/help all")
        terminal.until("paging")
        terminal.child.kill(signal.SIGTERM)
        assert terminal.left() == TERMINATED
    assert not left_behind(tmp_path)


def test_the_editor_ends_with_it(open_terminal: Open, tmp_path: Path) -> None:
    editor = program(tmp_path, "echo editing", "exec sleep 1000")
    with open_terminal("play", *SMALL, EDITOR=editor, TMPDIR=str(tmp_path)) as terminal:
        terminal.ready()
        terminal.type("half a line\x18\x05")
        terminal.until("editing")
        terminal.child.kill(signal.SIGTERM)
        assert terminal.left() == TERMINATED
        assert "Traceback" not in terminal.text
    assert not left_behind(tmp_path)


def test_what_the_editor_leaves_is_the_line(open_terminal: Open, tmp_path: Path) -> None:
    """Whatever bytes that are."""
    editor = program(tmp_path, r"""printf ' of \377 words\nand more\n' >> "$1" """)
    with open_terminal("play", *SMALL, EDITOR=f"{editor}", VISUAL="'", TMPDIR=str(tmp_path)) as terminal:
        terminal.ready()
        terminal.type("/memory a line\x18\x05")
        terminal.until("and more")
        terminal.press("enter")
        terminal.until("what was not UTF-8 in this line is replaced")
        terminal.ready()
        assert not left_behind(tmp_path) or left_behind(tmp_path) == [".start.lock"]
        terminal.press("ctrl-d")
        assert terminal.left() == 0
    assert "a line of � words\nand more" in (tmp_path / "start.json").read_text().replace("\\n", "\n")


@pytest.mark.parametrize("asked", [True, False])
def test_it_ends_where_nothing_is_played_yet(tmp_path: Path, asked: bool) -> None:
    """As it asks for the terminal's background, and as it lets one choose."""
    with Terminal(
        *(("play", "start") if asked else ("play",)),
        COLORFGBG="" if asked else "15;0",
        SSH_TTY="/dev/pts/0",  # a far one is waited for longer
        ADVREPL_HOME=str(tmp_path),
        ADVREPL_SAVES=str(tmp_path),
    ) as terminal:
        terminal.until(lambda: ASKED in terminal.raw if asked else "Enter takes it" in terminal.text)
        terminal.child.kill(signal.SIGTERM)
        assert terminal.left() == TERMINATED
    assert not left_behind(tmp_path)


def test_a_second_signal_leaves_no_lock(open_terminal: Open, tmp_path: Path) -> None:
    with open_terminal("play", *SMALL, prepare=AGAIN) as terminal:
        terminal.ready()
        terminal.child.kill(signal.SIGTERM)
        assert terminal.left() == TERMINATED
    assert not left_behind(tmp_path)


def test_a_story_that_was_just_found_is_left_without_a_lock(open_terminal: Open, tmp_path: Path) -> None:
    with open_terminal("play", *SMALL, prepare=FOUND) as terminal:
        assert terminal.left() == TERMINATED
    assert not left_behind(tmp_path)


def test_two_signals_at_a_question_end_it_without_a_traceback(open_terminal: Open, tmp_path: Path) -> None:
    """The second one may come when the first has ended all but Python itself, which it ends in its own way then."""
    with open_terminal("play", "brindle", *SMALL) as terminal:
        terminal.until("Your name?")
        terminal.wait(0.3)
        terminal.child.kill(signal.SIGINT)
        terminal.child.kill(signal.SIGTERM)
        assert terminal.left() in (130, TERMINATED, -signal.SIGTERM)
        assert "Traceback" not in terminal.text
    assert not left_behind(tmp_path)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_what_came_between_two_that_hear_it_is_heard_by_the_second(number: signal.Signals) -> None:
    with (
        pytest.raises(KeyboardInterrupt if number == signal.SIGINT else SystemExit),
        Interrupts(lambda: None, patience=0),
    ):
        signal.raise_signal(number)
        with Interrupts(lambda: None, patience=0) as inner, inner.reading():
            pytest.fail("not reached")


def test_the_end_cancels_what_is_counted_on() -> None:
    """As the loading of a model in a pipe, which asks whether to go on."""
    began = time.monotonic()
    with pytest.raises(SystemExit), Interrupts(lambda: None, patience=0) as interrupts, interrupts.writing():
        signal.raise_signal(signal.SIGTERM)
        while not interrupts.count:
            assert time.monotonic() < began + 10
        assert isinstance(interrupts.reason, SystemExit)
