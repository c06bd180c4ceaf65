"""Planning the next reply: each window is built once, and never from a story that has changed since."""

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest

from advrepl.engines.prefetch import Prefetcher
from advrepl.lore.activation import activate
from advrepl.play.game import Game
from advrepl.prompt.window import build
from advrepl.story.saves import with_scenario
from advrepl.story.tree import Turn
from tests.deterministic_engine import DeterministicEngine

NewGame = Callable[..., Game]


def calls(action: Callable[[], Any]) -> tuple[int, int]:
    """How many windows are built and how often the lore is searched for this."""
    count = {build.__code__: 0, activate.__code__: 0}

    def note(frame: FrameType, event: str, _argument: object) -> None:
        if event == "call" and frame.f_code in count:
            count[frame.f_code] += 1

    sys.setprofile(note)
    try:
        action()
    finally:
        sys.setprofile(None)
    return count[build.__code__], count[activate.__code__]


@pytest.fixture
def game(new_game: NewGame) -> Game:
    game = new_game(DeterministicEngine(), seed=3, max_tokens=20)
    game.prefetcher = Prefetcher(game.engine)  # type: ignore[arg-type]
    list(game.open())
    list(game.act("I look around."))
    return game


def test_a_picked_turn_builds_its_window_once(game: Game) -> None:
    """While the player reads: the shortest line, three options, another take. Then the toolbar, and nothing more."""
    assert calls(game.start_prefetch) == (5, 4)
    assert calls(game.window) == (1, 0) and calls(game.window) == (0, 0)
    game.pause_prefetch()
    assert calls(lambda: list(game.act(game.options()[0]))) == (0, 0)
    assert calls(lambda: (game.window(), game.store_kv(), game.window())) == (1, 0)
    game.close()


def test_free_words_cost_one_window_and_one_search(game: Game) -> None:
    game.start_prefetch()
    game.pause_prefetch()
    assert calls(lambda: list(game.act("I sing."))) == (1, 1)
    game.close()


@pytest.mark.parametrize(
    "change",
    [
        lambda game: list(game.act("I wait.")),
        lambda game: list(game.retry()),
        lambda game: game.undo(),
        lambda game: game.state.add(Turn(game.story.head, "user", "I fall.")),
        lambda game: game.state.goto(0),
        lambda game: game.change(game.context.with_memory(game.state.save, "A lamp.")),
        lambda game: game.set_option_count(1),
        lambda game: game.change(with_scenario(game.state.save, system="A tale.")),
    ],
)
def test_what_was_planned_is_forgotten_when_the_story_changes(game: Game, change: Callable[[Game], Any]) -> None:
    """The same as a game that plans for the first time."""
    game.window(), game.planner.player_turn("I go."), game.planner.earlier_window()
    change(game)
    fresh = Game(game.engine, game.format, game.state.save, game.file)
    assert game.window() == fresh.window()
    assert game.planner.player_turn("I go.") == fresh.planner.player_turn("I go.")
    assert game.planner.earlier_window() == fresh.planner.earlier_window()
    game.close()
