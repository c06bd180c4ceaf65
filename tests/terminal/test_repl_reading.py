"""Lines that are read while they are typed, in a pseudo-terminal: the story is the one that it is without."""

import json
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from advrepl.play import session
from advrepl.play.session import Settings
from tests.pty_play import Terminal
from tests.terminal.test_repl_prefetch import mark

LINES = ("I walk to the old door and knock three times.", 'I say "is anybody there?" and wait')


def turns(path: Path) -> list[tuple[Any, ...]]:
    return [(turn["role"], turn["text"], turn.get("seed")) for turn in json.loads(path.read_text())["turns"]]


def told_without(smollm2: Path, folder: Path, *lines: str) -> list[tuple[Any, ...]]:
    """The story of these lines, or options by their number, where nothing is read ahead."""
    settings = Settings(
        str(smollm2), saves=folder, save="plain", ctx=1024, threads=1, prefetch=False, kv_file=False,
        sampling={"seed": 1, "max_tokens": 24},
    )  # fmt: skip
    with closing(session.new_game("start", settings)) as game:
        list(game.open())
        for line in lines:
            list(game.act(game.options()[int(line) - 1] if line.isdecimal() else line))
    return turns(folder / "plain.json")


def test_enter_in_the_middle_of_reading_a_line_deleted_and_an_option_after_half_a_line(
    smollm2: Path, tmp_path: Path
) -> None:
    home = {"ADVREPL_HOME": str(tmp_path), "ADVREPL_MODEL": str(smollm2)}
    how = ("play", "start", "--save", "story", "--seed", "1", "--ctx", "1024", "--max-tokens", "24", "--threads", "1")
    with Terminal(*how, "--no-kv-file", "--ahead", "--saves", str(tmp_path), columns=100, rows=40, **home) as terminal:
        terminal.replied(1)
        for word in LINES[0].split():
            terminal.type(word + " ")
            terminal.wait(0.08)
        terminal.press("enter")  # its end is just being read
        terminal.replied(2)
        terminal.type("I turn round and run away from ")
        terminal.wait(0.3)
        terminal.press("ctrl-u")  # the line is deleted
        terminal.wait(0.1)
        terminal.type("I climb the")
        terminal.wait(0.2)
        terminal.press("ctrl-u")
        terminal.line("2")
        terminal.replied(3)
        terminal.paste(LINES[1].replace("anybody", "nobody"))
        terminal.wait(0.2)
        terminal.press(*["ctrl-b"] * len('nobody there?" and wait'))
        terminal.press(*["ctrl-d"] * 2)  # in the middle of the line: "no" becomes "any"
        terminal.type("any")
        terminal.wait(0.3)
        terminal.press("enter")
        terminal.replied(4)
        terminal.press("ctrl-d")
        assert terminal.left() == 0
    assert turns(tmp_path / "story.json") == told_without(smollm2, tmp_path, LINES[0], "2", LINES[1])


@pytest.mark.slow
def test_after_a_pause_the_first_words_are_there_when_the_line_is_sent(smollm2: Path, tmp_path: Path) -> None:
    home = {"ADVREPL_HOME": str(tmp_path), "ADVREPL_MODEL": str(smollm2)}
    how = ("play", "start", "--save", "story", "--seed", "1", "--ctx", "1024", "--max-tokens", "24", "--threads", "1")
    with Terminal(*how, "--no-kv-file", "--ahead", "--saves", str(tmp_path), columns=100, rows=40, **home) as terminal:
        terminal.until(lambda: mark(terminal) == "●")
        terminal.type(LINES[0])
        terminal.wait(5)  # much more than it takes, as all else is written
        terminal.press("enter")
        terminal.replied(2)
        terminal.line("/context")
        terminal.until("begun before you asked")
