"""Nothing on the path of a turn grows with the length of the story: the same lines of Python run at any."""

import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

import advrepl
from advrepl.play.candidates import candidates
from advrepl.play.game import Game
from advrepl.story import carried, encoding
from advrepl.story.quotes import Quote
from advrepl.story.summaries import Summary
from advrepl.story.tree import Turn
from tests.conftest import ScriptedEngine

OURS = str(Path(advrepl.__file__).parent)
SHORT, LONG, TURNS = 256, 2048, 2
REPLY = "You take the lantern to the cellar.\n- go up\n- go down\n- wait"


def lengthened(game: Game, turns: int) -> None:
    while len(game.story) < turns:
        game.state.add(Turn(game.story.head, "user", "wait"))
        game.state.add(Turn(game.story.head, "model", REPLY, change=carried.NOTHING))
    game.state.replace(window_start=turns - 8)


def turn(game: Game) -> None:
    list(game.act("go on"))
    for each in (game.inventory, game.memory):
        each.keep(game.state)
        each.questions(game.planner, game.engine)
    candidates(game.planner, game.write)


def lines_run(game: Game) -> Counter[str]:
    """How often lines were run in a few turns, by function."""
    run = Counter[str]()

    def entered(frame: FrameType, event: str, _: Any) -> Any:
        code = frame.f_code

        def ran(*_: Any) -> Any:
            run[f"{Path(code.co_filename).stem}.{code.co_name}"] += 1
            return ran

        return ran if code.co_filename.startswith(OURS) else None

    before = sys.gettrace()
    sys.settrace(entered)
    try:
        for _ in range(TURNS):
            turn(game)
    finally:
        sys.settrace(before)
    return run


@pytest.mark.parametrize("state", carried.CHOICES)
def test_a_turn_runs_the_same_lines_at_any_length(
    state: str, new_game: Callable[..., Game], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(encoding, "BLOCK", LONG)  # else the blocks are counted, each of which takes 0.3 µs
    runs = list[Counter[str]]()
    for length in (SHORT, LONG):
        game = new_game(ScriptedEngine(*[REPLY] * 99, n_ctx=800, grammars=True))
        list(game.open())
        game.state.replace(carried=state, quotes=(Quote(2, 0, 3, pinned=True),), summaries=(Summary(2, "It rains."),))
        lengthened(game, length)
        turn(game)  # what is worked out once
        runs.append(lines_run(game))
        game.close()
    more = {name: (runs[0][name], runs[1][name]) for name in runs[1] if runs[1][name] > runs[0][name] + LONG // 64}
    assert not more and sum(runs[0].values()) > 1000
