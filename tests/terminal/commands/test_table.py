"""The table of the /commands, and what comes from it: help, and the list in the README."""

import re

import pytest

from advrepl.play.game import Game
from advrepl.terminal import commands
from advrepl.terminal.commands import COMMANDS, Quit
from advrepl.terminal.commands.table import find
from advrepl.terminal.commands.topics import TOPICS
from tests.terminal.commands.conftest import refused, told


def test_every_command_has_help_of_one_line() -> None:
    for entry in COMMANDS.values():
        assert entry.help.endswith("."), entry.name
        assert len(f"{entry.name} {entry.help}") < 110


def test_no_two_commands_share_a_name() -> None:
    names = [name for entry in COMMANDS.values() for name in (entry.name, *entry.aliases)]
    assert len(names) == len(set(names))


def test_help_lists_every_command_and_the_keys(game: Game) -> None:
    text, every = told(game, "/help"), told(game, "/help all")
    for entry in COMMANDS.values():
        assert re.search(rf"/{entry.name}\b", text)
        assert re.search(rf"^/{entry.name}\b.* {re.escape(entry.help)}", every, re.MULTILINE)
    assert "Alt-Enter" in text and "Ctrl-C" in text


def test_help_on_one_command(game: Game) -> None:
    line = "/set [NAME [VALUE]]  Show how the words are chosen, or change a value; `off` and `default` are values too."
    assert told(game, "/help set") == told(game, "/help /set") == line
    assert told(game, "/help r").endswith(" (/r, /regen, /regenerate, /reroll, /swipe)")
    assert refused(game, "/help rety").startswith("there is no command /rety: did you mean /retry?")


def test_help_on_a_topic_has_its_commands_and_examples_that_are_commands(game: Game) -> None:
    modules = [module for each, _, _ in TOPICS.values() for module in each]
    assert len(modules) == len(set(modules))
    for name, (_, _, examples) in TOPICS.items():
        text = told(game, f"/help {name}")
        for line, about in examples:
            assert line in text and about in text
            if line.startswith("/"):
                find(line[1:].partition(" ")[0])
    assert "Ctrl-R" in told(game, "/help keys")


def test_help_fits_a_screen(game: Game) -> None:
    """Of 24 lines, with the prompts before and after it, the blank lines between and the toolbar."""
    assert len(told(game, "/help").split("\n")) <= 24 - 5
    assert max(map(len, told(game, "/help").split("\n"))) < 80


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        ("/rety", "did you mean /retry?"),
        ("/con", "did you mean /continue or /context?"),
        ("/UNDO", "did you mean /undo?"),
        ("/", "/help lists those there are"),
        ("/xyzzy 1", "/help lists those there are"),
        ("/" + "x" * 1000, "/help lists those there are"),
    ],
)
def test_unknown_command_names_the_nearest(game: Game, line: str, hint: str) -> None:
    sentence = refused(game, line)
    assert sentence.startswith("there is no command /") and hint in sentence and len(sentence) < 150


@pytest.mark.parametrize(
    ("line", "does"),
    [
        ("/bye", "quit"),
        ("/exit", "quit"),
        ("/regen", "retry"),
        ("/reroll", "retry"),
        ("/back", "undo"),
        ("/resume", "load"),
    ],
)
def test_names_of_other_programs_do_what_they_do_there(line: str, does: str) -> None:
    assert find(line.removeprefix("/")).name == does


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("/clear", "Ctrl-L"),
        ("/System", "/raw"),
        ("/stop", "Ctrl-C ends a reply"),
        ("/history", "Ctrl-P"),
        ("/next", "/redo"),
        ("/top_k 40", "/set"),
        ("/look around", "no slash before it"),
        ("/more", "/help lists"),
    ],
)
def test_what_is_called_otherwise_here_is_told(game: Game, line: str, told: str) -> None:
    assert told in refused(game, line) and "did you mean" not in refused(game, line)


def test_command_without_arguments_refuses_them(game: Game) -> None:
    assert refused(game, "/undo 3") == "/undo takes nothing after its name"
    assert len(game.story.path) == 4


def test_nothing_happens_before_the_first_event(game: Game) -> None:
    commands.run(game, "/undo")
    assert len(game.story.path) == 4
    with pytest.raises(Quit):
        list(commands.run(game, "/q"))
