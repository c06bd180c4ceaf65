"""`advrepl play` and `resume`: what is asked, understood and said before a story is played."""

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from advrepl.story import save_file, saves
from advrepl.story.saves import ModelRef
from tests.pty_play import Terminal, with_a_story
from tests.terminal.test_pipe import Program

QUICK = ("--threads", "1", "--ctx", "512", "--max-tokens", "8")


@pytest.fixture
def program(tmp_path: Path) -> Program:
    return Program(tmp_path)


@pytest.fixture
def open_terminal(program: Program) -> Callable[..., Terminal]:
    """Starts the program at a terminal, with the same home and stories as `program`."""

    def start(*arguments: str, **environment: str) -> Terminal:
        own = {name: text for name, text in program.environment.items() if name.startswith("ADVREPL_")}
        return Terminal(*with_a_story(arguments), *QUICK, columns=120, rows=30, **own | environment)

    return start


# --- the story's model


def test_a_change_of_model_is_asked_for(program: Program, open_terminal: Callable[..., Terminal]) -> None:
    program.play(lines=b"/save\n")
    with save_file.SaveFile(program.saves / "start.json") as file:
        file.write(msgspec.structs.replace(file.load()[0], model=ModelRef("gone-7b", "0123")))
    before = (program.saves / "start.json").read_bytes()
    code, out, err = program.run("resume")
    assert (code, out) == (1, "")
    assert err.startswith("advrepl: this story was played on gone-7b, which is not here any more: give `--model SmolLM")
    question = "This story was played on gone-7b, which is not here any more. Go on with SmolLM2-135M-Instruct.Q4_1?"
    with open_terminal("resume") as terminal:
        terminal.until(f"{question} [y/N]")
        terminal.press("enter")
        assert terminal.left() == 1
    assert (program.saves / "start.json").read_bytes() == before
    with open_terminal("resume") as terminal:
        terminal.until(question)
        terminal.line("y")
        terminal.until("this story was played on gone-7b before, now it goes on with SmolLM2")
        terminal.ready()
        terminal.press("ctrl-d")
        assert terminal.left() == 0
    assert saves.load(program.saves / "start.json").model.name.startswith("SmolLM2")


# --- what is understood


def test_a_model_alone_is_played(program: Program, smollm2: Path) -> None:
    code, out, err = program.run(str(smollm2), "--ctx", "512", "--threads", "1", lines=b"/quit\n")
    assert code == 0 and "old, abandoned house" in out
    assert f"{smollm2} is a model: start is played on it" in err


# --- stories that there are


def test_a_new_story_names_the_one_that_was_played_before(
    program: Program, open_terminal: Callable[..., Terminal]
) -> None:
    program.play("--save", "peeked")  # nothing was said in it
    program.play("lighthouse", lines=b"1\n")
    told = "you have played this before"
    with open_terminal("play") as terminal:
        terminal.ready()
        assert told not in terminal.text
        terminal.line("1")
        terminal.until(lambda: terminal.menus() > 1)
        terminal.ready()
        terminal.press("ctrl-d")
        assert terminal.left() == 0
    with open_terminal("play", ADVREPL_BY_MAKE="1") as terminal:
        terminal.until(f"{told}: `make resume NAME=start` goes on with it")
        terminal.ready()
        terminal.press("ctrl-d")
        assert terminal.left() == 0
        assert "nothing was said, so no story is kept" in terminal.text and "Go on with" not in terminal.text
    assert not (program.saves / "start-2.json").exists()
    _, _, err = program.play()
    assert told not in err


# --- the player's name


def test_a_character_asks_for_the_players_name(program: Program, open_terminal: Callable[..., Terminal]) -> None:
    with open_terminal("play", "brindle") as terminal:
        terminal.until("Your name? (Enter: stay unnamed)")
        assert "A badger" not in terminal.text
        terminal.line("Anna")
        terminal.until("A badger")
        terminal.ready()
        terminal.line("/greeting 2")
        terminal.until("Ah, Anna")
        terminal.ready()
        terminal.press("ctrl-d")
        assert terminal.left() == 0
    assert saves.load(program.saves / "brindle.json").scenario.you == "Anna"
    _, out, err = program.play("brindle")
    assert "Your name?" not in out + err and "/you NAME gives you one" in err
