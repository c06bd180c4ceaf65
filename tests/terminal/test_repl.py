"""The program as a player meets it: a real pseudo-terminal, the small real model."""

import re
import signal
import termios
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pexpect
import pytest
from msgspec.structs import replace

from advrepl.story import save_file, saves
from advrepl.story.tree import Turn
from tests.pty_play import Terminal
from tests.terminal.conftest import LONG, SMALL, story

FIRST = "Go inside the house."
# What styles text; moving the cursor and wiping lines is another matter.
STYLED = re.compile(rb"\x1b\[(?!0?m)[0-9;]*m")


@pytest.mark.parametrize("columns", [80, 40])
def test_a_game_from_the_first_line_to_the_last(
    open_terminal: Callable[..., Terminal], tmp_path: Path, columns: int
) -> None:
    with open_terminal("play", *SMALL, columns=columns) as terminal:
        terminal.until("3. Run as fast as you can.")
        terminal.ready()
        assert terminal.text.startswith("The old house · SmolLM2")
        assert "You are standing in front of an old, abandoned house." in terminal.text
        terminal.until(lambda: re.search(r"\d+( of |/)\d+", terminal.lines[-1]))  # the toolbar

        terminal.line("1")
        terminal.until(f"> {FIRST}")
        terminal.replied(2)
        said = next(y for y, line in enumerate(terminal.lines) if line == f"> {FIRST}")
        assert terminal.screen.buffer[said][4].fg == "cyan", "unlike the prose"
        terminal.until(lambda: re.search(r"\d+ (tokens/s|t/s)", terminal.lines[-1]))
        role, reply = story(tmp_path)[-1]
        assert role == "model" and reply.count("\n- ") == 3
        assert " ".join(reply.split("\n- ")[0].split()) in terminal.text

        terminal.press("down", "down", "enter")
        terminal.replied(3)
        assert story(tmp_path)[-2] == ("user", reply.split("\n- ")[2])

        terminal.press("ctrl-d")
        assert terminal.left() == 0
        # A terminal breaks the program's long path where the line ends.
        assert re.search(r"Goonwith:\S+-madvreplresumestart", "".join(terminal.text.split()))
    assert len(story(tmp_path)) == 6


def test_resumed_story_shows_where_it_stood(open_terminal: Callable[..., Terminal], tmp_path: Path) -> None:
    with open_terminal("play", *SMALL) as terminal:
        terminal.ready()
        terminal.line("1")
        terminal.replied(2)
        terminal.kill()  # killed: the turn is saved
    said, told = story(tmp_path)[-2:]
    prose, *options = told[1].split("\n- ")
    with open_terminal("resume", *SMALL, columns=40) as terminal:
        terminal.ready()
        assert f"> {said[1]}" in terminal.text
        assert " ".join(prose.split()) in terminal.text
        assert f"3. {options[2]}" in terminal.text
        assert "You are standing" not in terminal.text, "only the last turn is shown again"
        terminal.press("ctrl-p")  # history across runs
        terminal.until(lambda: terminal.lines[terminal.screen.cursor.y] == f"> {FIRST}")
        terminal.press("ctrl-c", "ctrl-d")
        assert terminal.left() == 0


def test_resumed_story_without_a_reply_shows_the_scene(open_terminal: Callable[..., Terminal], tmp_path: Path) -> None:
    with open_terminal("play", *SMALL) as terminal:
        terminal.ready()
        terminal.line("/save")
        terminal.ready()
        terminal.press("ctrl-d")
        assert terminal.left() == 0
    with save_file.SaveFile(tmp_path / "start.json") as file:
        save = saves.load(file.path)
        said = [Turn(1, "user", "I knock."), Turn(2, "user", "I knock again.")]
        file.write(replace(save, turns=[*save.turns, *said], head=3))
    with open_terminal("resume", *SMALL) as terminal:
        terminal.ready()
        assert re.search("Come inside!' > I knock. > I knock again. there is no reply yet: /retry", terminal.text)


def test_control_c_ends_the_reply_and_not_the_game(open_terminal: Callable[..., Terminal], tmp_path: Path) -> None:
    with open_terminal("play", *LONG) as terminal:
        terminal.ready()
        terminal.line("I open the door and look around for a long time.")
        terminal.until(lambda: len(terminal.text.partition("for a long time.")[2]) > 120)  # more than the toolbar
        terminal.press("ctrl-c")
        terminal.until("stopped; /continue goes on from here")
        terminal.ready()
        kept = story(tmp_path)[-1][1]
        assert " ".join(kept.split()) in terminal.text

        terminal.line("/continue")
        terminal.until(lambda: len(terminal.text.partition("> /continue")[2]) > 120)
        terminal.press("ctrl-c")
        terminal.until(lambda: terminal.text.count("stopped;") == 2)
        terminal.ready()
        longer = story(tmp_path)[-1][1]
        assert longer.startswith(kept) and len(longer) > len(kept)

        terminal.type("half a line")
        terminal.press("ctrl-c", "ctrl-c", "ctrl-c")
        terminal.until("Ctrl-D or /quit leaves")
        terminal.press("ctrl-d")
        assert terminal.left() == 0


def test_options_that_were_shown_before_control_c_work(open_terminal: Callable[..., Terminal], tmp_path: Path) -> None:
    with open_terminal("play", *SMALL, "--options", "8") as terminal:
        terminal.ready()
        terminal.line("9")
        terminal.until('there are 3 options: to say 9 instead, write "9"')
        terminal.line("I walk on.")
        terminal.until(lambda: "2. " in terminal.text.partition("> I walk on.")[2])
        terminal.press("ctrl-c")
        terminal.until("stopped; ")
        terminal.ready()
        shown = terminal.text.partition("> I walk on.")[2].partition(" stopped;")[0]
        options = [re.sub(r"^\d\. ", "", each) for each in re.split(r" (?=\d\. )", shown)[1:]]
        assert len(options) >= 2
        terminal.line(str(len(options)))
        terminal.until(lambda: ("user", options[-1]) in story(tmp_path))


def test_control_c_twice_saves_and_leaves(open_terminal: Callable[..., Terminal], tmp_path: Path) -> None:
    with open_terminal("play", *LONG) as terminal:
        terminal.ready()
        terminal.line("I wait.")
        terminal.until(lambda: len(terminal.text.partition("> I wait.")[2]) > 120)
        with suppress(pexpect.EOF):
            while "Go on with" not in terminal.text:  # as a key that is held down
                terminal.child.kill(signal.SIGINT)
                terminal.wait(0.0005)
                if terminal.lines[terminal.screen.cursor.y] == ">":  # the reply was over after the first one
                    terminal.line("I wait.")
        assert terminal.left() in (130, -signal.SIGINT), "the last one may come when Python is already shutting down"
    assert ("user", "I wait.") in story(tmp_path)[-2:], "the last one may have come before the first word"
    assert " ".join(story(tmp_path)[-1][1].split()) in terminal.text
    assert re.search(r"Go on with: \S+ -m advrepl resume start", terminal.text)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_what_ends_the_program_keeps_the_words_that_were_shown(
    open_terminal: Callable[..., Terminal], tmp_path: Path, number: signal.Signals
) -> None:
    with open_terminal("play", *LONG) as terminal:
        terminal.ready()
        terminal.line("I wait.")
        terminal.until(lambda: len(terminal.text.partition("> I wait.")[2]) > 120)
        terminal.child.kill(number)
        assert terminal.left() == 128 + number
        (_, said), (role, reply) = story(tmp_path)[-2:]
        assert (said, role) == ("I wait.", "model") and " ".join(reply.split()) in terminal.text


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_what_ends_the_program_at_the_prompt_leaves_it_well(
    open_terminal: Callable[..., Terminal], tmp_path: Path, number: signal.Signals
) -> None:
    with open_terminal("play", *SMALL) as terminal:
        terminal.ready()
        terminal.line("I walk on.")
        terminal.until(lambda: story(tmp_path)[-1][0] == "model" and len(story(tmp_path)) > 2)
        terminal.ready()
        terminal.type("half a line")
        terminal.until("half a line")
        terminal.child.kill(number)
        assert terminal.left() == 128 + number
        traceback = "".join(terminal.text.partition("Traceback")[1:])
        assert not traceback, traceback
        assert b"\x1b[?2004l" in terminal.raw, "bracketed paste is left on"


def test_interrupts_at_any_moment_leave_the_game_running(open_terminal: Callable[..., Terminal]) -> None:
    """At the prompt, while feeding, between reply and prompt: never two within a reply, as far as one can aim."""
    with open_terminal("play", *SMALL) as terminal:
        terminal.ready()
        for pause in (0.0, 0.05, 0.3, 1.0, 2.0):
            terminal.line("I walk on.")
            terminal.wait(pause)
            terminal.press("ctrl-c")
            terminal.wait(0.5)
        terminal.ready()
        terminal.line("/context")
        terminal.until("always seen")
        terminal.press("ctrl-d")
        assert terminal.left() == 0


def test_the_terminal_never_edits_lines_itself(open_terminal: Callable[..., Terminal]) -> None:
    """A Ctrl-D pressed while it does is lost: neither end of file nor a key."""
    with open_terminal("play", *SMALL) as terminal:
        terminal.ready()
        modes, watching = set(), True

        def watch() -> None:
            while watching:
                modes.add(bool(termios.tcgetattr(terminal.child.child_fd)[3] & termios.ICANON))

        watcher = threading.Thread(target=watch, daemon=True)
        watcher.start()
        for _ in range(30):
            terminal.line("/context")
        terminal.until(lambda: terminal.text.count("always seen") == 30)
        watching = False
        watcher.join()
        assert modes == {False}
        terminal.press("ctrl-d")
        assert terminal.left() == 0


def test_keys_pressed_while_a_reply_is_written_wait_for_the_prompt(open_terminal: Callable[..., Terminal]) -> None:
    with open_terminal("play", *SMALL) as terminal:
        terminal.ready()
        terminal.line("I walk on.")
        terminal.until(lambda: len(terminal.text.partition("> I walk on.")[2]) > 120)
        terminal.type("and then I")
        terminal.until("> and then I")
        assert terminal.text.count("and then I") == 1, "not echoed into the prose"


def test_resize_while_writing_and_at_the_prompt(open_terminal: Callable[..., Terminal]) -> None:
    with open_terminal("play", *SMALL) as terminal:
        terminal.ready()
        terminal.line("I walk on.")
        terminal.until(lambda: "I walk on." in terminal.text)
        terminal.resize(30, 20)
        terminal.ready()
        terminal.line("/save")
        terminal.until("saved in")
        terminal.resize(100, 30)
        terminal.line("I stop.")
        terminal.until("> I stop.")
        terminal.ready()
        terminal.press("ctrl-d")
        assert terminal.left() == 0


def test_twenty_columns(open_terminal: Callable[..., Terminal]) -> None:
    with open_terminal("play", *SMALL, columns=20) as terminal:
        terminal.until("3. Run as fast as you can.")
        terminal.ready()
        terminal.line("/help")
        terminal.until("Ctrl-D")
        terminal.ready()
        terminal.line("2")
        terminal.replied(2)
        terminal.press("ctrl-d")
        assert terminal.left() == 0


@pytest.mark.parametrize("environment", [{"TERM": "dumb"}, {"NO_COLOR": "1"}])
def test_no_colour(open_terminal: Callable[..., Terminal], environment: dict[str, str]) -> None:
    with open_terminal("play", *SMALL, **environment) as terminal:
        terminal.ready()
        terminal.line("/nothing")
        terminal.until("there is no command /nothing")
        terminal.line("3")
        terminal.replied(2)
        terminal.press("ctrl-d")
        assert terminal.left() == 0
        assert not STYLED.search(terminal.raw)
        if environment.get("TERM") == "dumb":
            assert b"\x1b" not in terminal.raw


def test_plain_play_tells_all_in_words_and_draws_nothing(open_terminal: Callable[..., Terminal]) -> None:
    with open_terminal("play", *SMALL, "--plain") as terminal:
        terminal.until("You can:")
        terminal.until(lambda: terminal.lines[terminal.screen.cursor.y] == "Your turn:")
        terminal.line("/nothing")
        terminal.until("error: there is no command /nothing")
        terminal.line("3")
        terminal.until(lambda: terminal.text.count("You can:") == 2)
        terminal.until(lambda: terminal.text.count("Your turn:") == 3)
        terminal.press("ctrl-d")
        assert terminal.left() == 0
        assert b"\x1b" not in terminal.raw


def test_dumb_terminal_hears_control_c_and_control_d(open_terminal: Callable[..., Terminal]) -> None:
    with open_terminal("play", *LONG, TERM="dumb") as terminal:
        terminal.ready()
        terminal.type("half a line")

        def give_up(times: int) -> None:
            terminal.press("ctrl-c")
            terminal.until(lambda: len(re.findall(rb"\^C\s+> ", terminal.raw)) >= times)

        for times in range(1, 41):  # each right behind the prompt, before anyone waits for a line
            give_up(times)
        terminal.line("I wait.")
        terminal.until(lambda: len(terminal.text.partition("I wait.")[2]) > 80)
        terminal.press("ctrl-c")
        terminal.until("stopped")
        terminal.press("ctrl-d")
        assert terminal.left() == 0


def test_errors_are_one_red_line_and_the_game_goes_on(open_terminal: Callable[..., Terminal]) -> None:
    with open_terminal("play", *SMALL) as terminal:
        terminal.ready()
        terminal.line("   ")
        terminal.line("/set temperature warm")
        terminal.until("temperature is a number from 0 to 5, not 'warm'")
        assert b"\x1b[91mtemperature is" in terminal.raw
        terminal.paste("word " * 20_000)
        terminal.press("enter")
        terminal.until("say it in fewer words")
        terminal.paste(b"caf\xe9 au lait")
        terminal.press("enter")
        terminal.until("not UTF-8")
        terminal.replied(2)
        terminal.press("ctrl-d")
        assert terminal.left() == 0


def test_nothing_foreign_reaches_the_terminal_raw(open_terminal: Callable[..., Terminal], tmp_path: Path) -> None:
    with open_terminal("play", *SMALL) as terminal:
        terminal.ready()
        terminal.line("/save")
        terminal.until("saved in")
        terminal.press("ctrl-d")
        terminal.left()
    path = tmp_path / "start.json"
    text = path.read_text().replace("The old house", "The old\\u001b]0;owned\\u0007 house")
    path.write_text(
        text.replace("You are standing", "\\u001b[2JYou \\u202eare\\u009b2J").replace("Go in", "\\u001b[31mGo in")
    )
    with open_terminal("resume", *SMALL) as terminal:
        terminal.ready()
        assert "The old␛]0;owned␇ house" in terminal.text
        assert "␛[2JYou �are�2J" in terminal.text
        assert "1. ␛[31mGo inside" in terminal.text
        for raw in (b"owned\x07", b"\x1b[2J", b"\x1b[31m", "\u202e".encode(), "\u009b".encode()):
            assert raw not in terminal.raw


def test_memory_that_ends_is_told(open_terminal: Callable[..., Terminal]) -> None:
    with open_terminal("play", "--threads", "1", "--ctx", "384", "--seed", "3", "--max-tokens", "60") as terminal:
        terminal.ready()
        for number in range(2, 6):
            terminal.line("1")
            terminal.replied(number)
            if "memory now begins at “" in terminal.text:
                break
        assert re.search(r"── memory now begins at “[^”]+” · \d+ turns no longer seen", terminal.text)
        terminal.until(lambda: re.search(r"\d+ turns (out|no longer)", terminal.lines[-1]))
