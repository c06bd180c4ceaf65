"""The prompt of a story whose model is still being loaded, at a real pseudo-terminal."""

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from advrepl.story import saves
from tests.pty_play import Terminal
from tests.terminal.conftest import SMALL, story

LOADING = "loading the model: 50%"
WAITS = "this waits until the model is loaded"
Slow = Callable[..., Terminal]


@pytest.fixture
def gate(tmp_path: Path) -> Path:
    """The model is half loaded until this file is there."""
    return tmp_path / "gate"


@pytest.fixture
def slow(open_terminal: Callable[..., Terminal], gate: Path) -> Slow:
    """Starts the program with a model that takes as long as the gate is shut."""
    module = gate.with_name("slowly.py")
    module.write_text(
        "import os, time\n"
        "from advrepl.engines.llama import model\n"
        "load = model.load_model\n"
        "def slowly(path, options, on_gpu, log, on_load):\n"
        "    while not os.path.exists(os.environ['GATE']) and (not on_load or on_load(0.5)):\n"
        "        time.sleep(0.02)\n"
        "    return load(path, options, on_gpu, log, on_load)\n"
        "model.load_model = slowly\n"
    )
    prepare = f"import sys; sys.path.append({str(module.parent)!r}); import slowly"
    return lambda *arguments, **more: open_terminal(*arguments, prepare=prepare, GATE=str(gate), **more)


def last_line(terminal: Terminal) -> str:
    return terminal.lines[terminal.screen.cursor.y]


def test_the_story_is_there_before_the_model_and_a_line_waits_for_it(slow: Slow, gate: Path, tmp_path: Path) -> None:
    with slow("play", *SMALL) as terminal:
        terminal.until(LOADING)
        assert "You are standing in front" in terminal.text and "3. Run as fast as you can." in terminal.text
        assert "kept in" in terminal.text and "The old house · SmolLM2" in terminal.text
        terminal.line("/help")
        terminal.until("/help all")
        terminal.type("2")
        terminal.press("enter")
        terminal.until(f"> Ignore the call and move away. {WAITS}")
        terminal.until(f"{LOADING} · {WAITS}")
        terminal.line("I look")
        terminal.until(lambda: last_line(terminal) == "> I look")
        gate.touch()
        terminal.until(lambda: terminal.menus() >= 2 and last_line(terminal) == "> I look")
        assert last_line(terminal) == "> I look", "what was typed behind it is kept, and not sent"
        terminal.type(" up")
        terminal.press("enter")
        terminal.replied(3)
        terminal.press("ctrl-d")
        assert terminal.left() == 0
    said = [text for role, text in story(tmp_path) if role == "user"]
    assert said[-2:] == ["Ignore the call and move away.", "I look up"]
    assert terminal.text.count("You are standing in front") == 1


def test_a_line_is_typed_on_while_the_model_arrives(slow: Slow, gate: Path, tmp_path: Path) -> None:
    with slow("play", *SMALL) as terminal:
        terminal.until(LOADING)
        terminal.type("I open")
        terminal.until(lambda: last_line(terminal) == "> I open")
        gate.touch()
        terminal.until("tokens")  # the toolbar's
        assert last_line(terminal) == "> I open"
        terminal.type(" it.")
        terminal.press("enter")
        terminal.replied(2)
        terminal.press("ctrl-d")
        assert terminal.left() == 0
    assert story(tmp_path)[-2] == ("user", "I open it.")


@pytest.mark.parametrize("way", ["/quit\r", "\x04"])
def test_leaving_does_not_wait_for_the_model(slow: Slow, gate: Path, tmp_path: Path, way: str) -> None:
    with slow("play", *SMALL) as terminal:
        terminal.until(LOADING)
        began = time.monotonic()
        terminal.type(way)
        assert terminal.left() == 0 and time.monotonic() - began < 5
        assert "nothing was said, so no story is kept" in terminal.text
    assert not saves.find(tmp_path) and not list(tmp_path.glob(".*lock"))


def test_control_c_on_an_empty_line_says_how_to_leave_as_it_does_later(slow: Slow, gate: Path) -> None:
    with slow("play", *SMALL) as terminal:
        terminal.until(LOADING)
        terminal.press("ctrl-c")
        terminal.until(lambda: terminal.lines[-1].strip() == "Ctrl-D or /quit leaves")
        gate.touch()
        terminal.ready()
        terminal.press("ctrl-c")
        terminal.until(lambda: terminal.lines[-1].strip() == "Ctrl-D or /quit leaves")
        terminal.line("/save")
        terminal.until("saved in")
        terminal.ready()
        terminal.press("ctrl-c")
        terminal.until("Ctrl-D or /quit leaves; the story is saved")


def test_a_story_is_saved_before_its_model_is_there(slow: Slow, gate: Path, tmp_path: Path) -> None:
    with slow("play", *SMALL) as terminal:
        terminal.until(LOADING)
        terminal.line("/save")
        terminal.until("saved in")
        assert story(tmp_path)[-1][1].startswith("You are standing in front")
        terminal.line(f"/save {tmp_path / 'copy'}")
        terminal.until("a copy is in")
        gate.touch()
        terminal.ready()
        terminal.press("ctrl-d")
        assert terminal.left() == 0 and "Go on with: " in terminal.text, "it is kept though nothing was said"
    assert saves.load(tmp_path / "copy.json").turns == saves.load(tmp_path / "start.json").turns


def test_leaving_does_not_wait_for_what_cannot_be_given_up(
    open_terminal: Callable[..., Terminal], tmp_path: Path
) -> None:
    prepare = (
        "import time; from advrepl.engines.llama import model; "
        "model.load_model = lambda *given: (given[-1](0.5), time.sleep(60))"
    )
    with open_terminal("play", "start", *SMALL) as terminal:
        terminal.ready()
        terminal.line("/save")
        terminal.until("saved in")
        terminal.press("ctrl-d")
        assert terminal.left() == 0
    before = (tmp_path / "start.json").read_bytes()
    with open_terminal("resume", *SMALL, prepare=prepare) as terminal:
        terminal.until(LOADING)
        assert "3. Run as fast as you can." in terminal.text
        began = time.monotonic()
        terminal.press("ctrl-d")
        assert terminal.left() == 0 and time.monotonic() - began < 10
        assert "Go on with: " in terminal.text
    assert (tmp_path / "start.json").read_bytes() == before


def test_a_damaged_model_is_told_and_costs_no_word(slow: Slow, gate: Path, tmp_path: Path, smollm2: Path) -> None:
    damaged = tmp_path / "damaged.gguf"
    damaged.write_bytes(smollm2.read_bytes())
    with slow("play", *SMALL, "--model", str(damaged)) as terminal:
        terminal.until(LOADING)
        terminal.line("I knock.")
        terminal.until(WAITS)
        terminal.type("and wait")
        terminal.until(lambda: last_line(terminal) == "> and wait")
        os.truncate(damaged, damaged.stat().st_size // 2)
        gate.touch()
        assert terminal.left() == 1
        assert "advrepl: " in terminal.text and "damaged.gguf" in terminal.text, terminal.text
        assert "Traceback" not in terminal.text and "> and wait" in terminal.text
    assert not saves.find(tmp_path)
    history = next((tmp_path / "home").rglob("history*")).read_text()
    assert "+I knock.\n" in history and "+and wait\n" in history
