"""The commands that show what the model is given, and what that costs."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from advrepl.engines.base import LoadOptions
from advrepl.engines.llama.engine import LlamaEngine
from advrepl.engines.llama.log import Log
from advrepl.engines.llama.model import LlamaModel
from advrepl.play.game import Game
from advrepl.terminal import commands
from advrepl.terminal.charts import Bar
from tests import architectures
from tests.conftest import ScriptedEngine
from tests.terminal.commands.conftest import told


def test_raw_is_the_exact_prompt(game: Game) -> None:
    assert told(game, "/raw") == (
        "<|system|>This is a text adventure game. "
        "Describe the scenario to the user and give him three options to pick from on each turn.<|user|>Start!<|model|>"
        "A house.\n- Go in.\n- Leave.\n- Knock.<|user|>Go in.<|model|>"
        "You stand in a hall.\n- Climb the stairs.\n- Open the door.\n- Shout."
    )


def test_context_adds_up(game: Game) -> None:
    rows = dict(re.split(r"  +", row, maxsplit=1) for row in told(game, "/context").split("\n")[1:])
    window = game.window()
    assert rows["tokens used"] == f"{window.used} of {window.budget}"
    assert rows["turns seen"] == "4" and rows["no longer seen"] == "0"
    assert rows["system text"] == "24 tokens, always seen"
    assert rows["context"] == f"2000 tokens, {2000 - window.budget} of them kept free for the reply"


def test_the_bar_of_the_context_adds_up(game: Game) -> None:
    list(commands.run(game, "/memory The key is lost."))
    (bar,) = [event for event in commands.run(game, "/context") if isinstance(event, Bar)]
    parts, window = dict(bar.parts), game.window()
    assert parts["memory"] == 5 and parts["room for the reply"] == 2000 - window.budget
    assert sum(parts.values()) == window.used + 2000 - window.budget
    assert "memory 5" in bar.text and bar.text.endswith("of 2,000 tokens")


def test_context_counts_the_turns_that_are_gone(new_game: Callable[..., Game]) -> None:
    replies = [" ".join(f"word{number}-{reply}" for number in range(30)) for reply in range(4)]
    game = new_game(ScriptedEngine(*replies, n_ctx=200), max_tokens=40)
    game.set_option_count(0)
    list(game.open())
    for line in ("one", "two", "three"):
        list(game.act(line))
    gone = game.window().evicted
    assert gone > 0
    assert re.search(rf"^no longer seen +{gone}$", told(game, "/context"), re.MULTILINE)


@pytest.mark.parametrize(("kind", "moves"), [("llama", True), ("gemma3", True), ("llama-yarn", False), ("lfm2", False)])
def test_context_says_where_a_slide_reads_what_stays_again(
    kind: str, moves: bool, new_game: Callable[..., Game], tmp_path: Path
) -> None:
    model = LlamaModel(architectures.make(kind, tmp_path), LoadOptions(512, 1), Log(tmp_path / "log"))
    game = new_game(LlamaEngine(model))
    row = next(row for row in told(game, "/context").split("\n") if row.startswith("cache"))
    assert ("read again" in row) == (not moves) and "fresh" in row
    game.engine.close()
