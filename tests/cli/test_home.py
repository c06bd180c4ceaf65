"""The first screen, what `play` shows without a name, and the help."""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from advrepl.cards.character import FOLDER
from advrepl.cli import examples
from advrepl.cli.commands import app
from advrepl.story import saves
from advrepl.story.scenario import START
from advrepl.story.tree import Turn
from tests import ROOT
from tests.pty_play import Terminal
from tests.terminal.test_pipe import Program


@pytest.fixture
def program(tmp_path: Path) -> Program:
    return Program(tmp_path)


@pytest.fixture
def open_terminal(program: Program) -> Callable[..., Terminal]:
    """Starts the program with the arguments as they are, and the same home and stories as `program`."""

    def start(*arguments: str, columns: int = 80, **environment: str) -> Terminal:
        own: dict[str, Any] = {
            name: text for name, text in program.environment.items() if name.startswith("ADVREPL_")
        } | environment
        return Terminal(*arguments, columns=columns, **own)

    return start


def test_the_first_screen_in_a_pipe_lists_all_there_is_to_do(program: Program) -> None:
    code, out, err = program.run()
    assert (code, err) == (0, "")
    for what in ("play [NAME]", "resume [NAME]", "--help", "SmolLM2-135M", "play night-train", "play halcyon"):
        assert what in out


def test_a_story_takes_one_line_of_the_first_screen(program: Program) -> None:
    told = " ".join(["A figure stands in the hall and looks at you."] * 20)
    path = program.saves / "start.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    turns = [Turn(None, "user", "Start!"), Turn(0, "model", told)]
    save = saves.Save(saves.SCHEMA, "The old house", saves.now(), saves.ModelRef(), "metharme", {}, START, turns, 1)
    saves.write_copy(path, save)
    out = program.run()[1].splitlines()
    at = next(at for at, line in enumerate(out) if line.startswith("resume start "))
    assert out[at].endswith("…") and " · The old house · 2 turns · A figure stands" in out[at]
    assert out[at + 1].startswith(("resume ", "play "))


def test_what_can_be_played_is_played_without_the_word(program: Program) -> None:
    characters = Path(program.environment["ADVREPL_HOME"]) / "characters"
    characters.mkdir(parents=True)
    (characters / "zoe.json").write_text((FOLDER / "halcyon.json").read_text())
    for name in ("halcyon", "zoe", str(characters / "zoe.json")):
        code, out, err = program.run(name, "--you", "Ann", lines=b"/quit\n")
        assert code == 0 and "HALCYON" in out.upper(), err
    assert "play zoe" in program.run()[1] and "your own card, zoe.json" in program.run()[1]
    assert program.run("card", "show", "zoe")[1].startswith("H")


@pytest.mark.parametrize(
    ("word", "hint"),
    [
        ("brindel", "did you mean `"),
        ("modles", "did you mean `"),
        ("qqq", "-h` shows the commands"),
    ],
)
def test_a_word_that_is_no_command_says_what_may_be_meant(program: Program, word: str, hint: str) -> None:
    code, _, err = program.run(word)
    assert code == 1 and err.startswith(f"advrepl: there is no command '{word}', and nothing to play of that name: ")
    assert hint in err and err.count("\n") == 1
    assert word != "brindel" or "play brindle`?" in err


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["play", "--sead", "3"], "there is no option --sead: did you mean --seed?"),
        (["play", "--nonsense"], "there is no option --nonsense: `{} play -h` shows what there is"),
        (["bench", "-m"], "option '-m' requires an argument: `{} bench -h` shows what there is"),
        (["saves", "bogus"], "no such command 'bogus': `{} saves -h` shows what there is"),
        (["pull"], "missing argument 'REPO[:FILE]': `{} pull -h` shows what there is"),
    ],
)
def test_a_line_that_is_not_understood_is_told_in_a_sentence(program: Program, arguments: list[str], told: str) -> None:
    code, out, err = program.run(*arguments)
    assert (code, out) == (1, "") and err.count("\n") == 1
    assert re.fullmatch("advrepl: " + re.escape(told).replace(re.escape("{}"), ".*advrepl.*") + "\n", err), err


def test_without_a_model_three_lines_say_how_to_get_one(program: Program) -> None:
    code = "from advrepl.engines import installed; installed.STARTER = 'none'; from advrepl.cli import main; main()"
    result = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env=program.environment | {"PYTHONPATH": str(ROOT)},
    )
    told = result.stdout.partition("There is no model yet.")[2].split("\n\n")[0].splitlines()
    assert len(told) == 3 and "pip install" in told[0] and "-m" in told[1] and "models --known" in told[2]


@pytest.mark.parametrize("columns", [40, 200])
def test_what_is_picked_on_the_first_screen_is_played(open_terminal: Callable[..., Terminal], columns: int) -> None:
    environment = {"ADVREPL_MODEL": "gone.gguf"}  # what is played is seen without loading it
    with open_terminal(columns=columns, **environment) as terminal:
        terminal.until("Where to?")
        terminal.until(lambda: any(line.startswith("❯ play start") for line in terminal.lines))
        assert max(map(len, terminal.lines)) <= columns
        terminal.press("down")
        terminal.until(lambda: any(line.startswith("❯ play lighthouse") for line in terminal.lines))
        terminal.type("brin")
        terminal.until(lambda: any(line.startswith("❯ play brindle") for line in terminal.lines))
        terminal.press("enter")
        assert terminal.left() == 1
        assert "there is no model gone.gguf" in terminal.text
        assert not any("Where to?" in line for line in terminal.lines), "the list is gone again"


@pytest.mark.parametrize("columns", [40, 80])
def test_an_error_breaks_no_word(open_terminal: Callable[..., Terminal], columns: int) -> None:
    with open_terminal("resume", "nothing-of-that-name", columns=columns) as terminal:
        assert terminal.left() == 1
        assert "-c saves list` shows those there are" in terminal.text.replace("-m advrepl", "-c")


@pytest.mark.parametrize(("term", "columns"), [("dumb", 41), ("xterm", 40)])
def test_the_first_screen_breaks_no_word(open_terminal: Callable[..., Terminal], term: str, columns: int) -> None:
    with open_terminal(columns=columns, TERM=term) as terminal:
        terminal.until("Enter leaves" if term == "dumb" else "Esc leaves")
        assert "stories told by you and a language model on this machine" in terminal.text
        assert "with one of these words, or choose below:" in terminal.text
        if term == "dumb":
            assert "The dark lighthouse: a storm, no lamp, a ship before dawn" in terminal.text
            assert "the mind of a sleeping ship, awake for two hundred years" in terminal.text


def test_play_without_a_name_shows_a_list_and_leaving_it_begins_nothing(
    open_terminal: Callable[..., Terminal], program: Program
) -> None:
    with open_terminal("play") as terminal:
        terminal.until("Begin which story?")
        terminal.until("the mind of a sleeping ship")
        terminal.press("ctrl-c")
        assert terminal.left() == 0
    assert not program.saves.exists()


def test_a_terminal_without_a_cursor_gets_a_numbered_list(open_terminal: Callable[..., Terminal]) -> None:
    with open_terminal("play", TERM="dumb", ADVREPL_MODEL="gone.gguf") as terminal:
        terminal.until("1 to 6, or a part of a name")
        assert "5. captain-okoro: a mail captain" in terminal.text
        terminal.line("9")
        terminal.until("9: there are 1 to 6")
        terminal.line("halc")
        assert terminal.left() == 1 and "there is no model" in terminal.text
        assert b"\x1b" not in terminal.raw


def test_make_begins_an_adventure_without_asking(open_terminal: Callable[..., Terminal]) -> None:
    with open_terminal("play", ADVREPL_BY_MAKE="1", ADVREPL_MODEL="gone.gguf") as terminal:
        assert terminal.left() == 1 and "there is no model" in terminal.text


def test_the_first_screen_and_the_help_are_there_at_once(program: Program) -> None:
    """Measured in the processor's time, which a busy machine does not stretch as much; the best of ten at the most."""
    for arguments, most in (((), 0.2), (("--help",), 0.15)):
        assert any(_cpu_seconds(program, arguments) < most for _ in range(10)), arguments


def _cpu_seconds(program: Program, arguments: tuple[str, ...]) -> float:
    code = "from advrepl.cli import main; main()"
    before = os.times()
    subprocess.run([sys.executable, "-c", code, *arguments], env=program.environment, cwd=ROOT, capture_output=True)
    after = os.times()
    return after.children_user + after.children_system - before.children_user - before.children_system


@pytest.mark.parametrize("words", ["-h", "play -h", "saves -h", "saves list -h"])
def test_h_is_help_everywhere(words: str) -> None:
    result = CliRunner().invoke(app(), words.split())
    assert result.exit_code == 0 and "Usage:" in result.output


def test_a_list_of_commands_cuts_no_sentence_off() -> None:
    for words in ([], ["saves"], ["card"]):
        out = CliRunner().invoke(app(), [*words, "-h"], env={"COLUMNS": "80"}).output
        assert "..." not in out.partition("Commands:")[2] and max(map(len, out.splitlines())) <= 80
    assert (
        "  doctor   Look at the installation, the engine, models, saves and settings.\n"
        in CliRunner().invoke(app(), ["-h"], env={"COLUMNS": "80"}).output
    )


@pytest.mark.parametrize("words", ["play", "resume", "serve", "convert", "saves export", "bench"])
def test_help_names_what_an_option_takes(words: str) -> None:
    assert "lambda" not in CliRunner().invoke(app(), [*words.split(), "-h"]).output


def test_the_help_of_play_shows_defaults_and_examples() -> None:
    out = CliRunner().invoke(app(), ["play", "-h"]).output
    assert re.search(r"default:\s+0\.8\]", out) and "advrepl play brindle --you Anna" in out


@pytest.mark.parametrize("line", [line for lines in examples.LINES.values() for line in lines])
def test_an_example_is_a_line_that_the_program_understands(line: str) -> None:
    words = shlex.split(line.rpartition("| ")[2].split("  ")[0])
    assert words[0] == "advrepl"
    group = typer.main.get_command(app())
    command = group.commands[words[1]]  # type: ignore[attr-defined]
    command.make_context(words[1], words[2:])
