"""A turn costs the same however long the story is: our own code, counted on a scripted engine."""

import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from advrepl.play.events import Reply
from advrepl.play.game import Game
from advrepl.prompt.formats import FORMATS
from advrepl.story.save_file import SaveFile
from tests.bench.long_story import save, tell
from tests.conftest import ScriptedEngine

LINE = "I open the nearest door and go through it."


@pytest.fixture
def play_on(tmp_path: Path) -> Callable[[int], Game]:
    """Opens a story of so many turns of the player; its window slides now and then."""

    def open(turns: int) -> Game:
        file = SaveFile(save(tmp_path, f"story-{turns}", tell(turns)))
        kept, _ = file.load()
        replies = [" ".join(f"word{reply}x{word}" for word in range(40)) + "." for reply in range(120)]
        engine = ScriptedEngine(*replies, n_ctx=1000)
        return Game(engine, FORMATS["metharme"], kept, file)

    return open


def calls(action: Callable[[], Any]) -> int:
    """How many functions are called for this, Python's and C's."""
    count = 0

    def note(_frame: FrameType, event: str, _argument: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(note)
    try:
        action()
    finally:
        sys.setprofile(None)
    return count


@pytest.mark.parametrize("action", ["act", "retry", "undo", "options", "context"])
def test_no_step_grows_with_the_story(play_on: Callable[[int], Game], action: str) -> None:
    """Counted in calls, so that the machine's mood does not matter; some turns slide, so the middle one counts."""
    counts = {}
    for turns in (20, 2000):
        game = play_on(turns)
        what: Callable[[], Any] = {
            "act": lambda game=game: list(game.act(LINE)),
            "retry": lambda game=game: list(game.retry()),
            "undo": lambda game=game: game.undo(),
            "options": lambda game=game: game.options(),
            "context": lambda game=game: game.window(),
        }[action]
        list(game.act(LINE))
        counts[turns] = statistics.median(calls(what) for _ in range(7))
        game.file.close()
    assert counts[2000] <= 1.2 * counts[20] + 5


def test_a_turn_takes_the_same_time_but_for_the_save(play_on: Callable[[int], Game]) -> None:
    """Where C code walks through lists no calls are counted, so time is compared as well, generously."""
    games = {turns: play_on(turns) for turns in (20, 2000)}
    spent: dict[int, list[float]] = {turns: [] for turns in games}
    for _ in range(25):
        for turns, game in games.items():
            saved = saving(game)
            started = time.process_time()
            assert isinstance(list(game.act(LINE))[-1], Reply)
            spent[turns].append(time.process_time() - started - sum(saved))
    for game in games.values():
        game.file.close()
    assert statistics.median(spent[2000]) < 2 * statistics.median(spent[20]) + 0.001


def saving(game: Game) -> list[float]:
    """From now on the seconds that each save takes are noted in this list."""
    noted: list[float] = []
    write = type(game.file).write

    def timed(save: Any) -> None:
        started = time.process_time()
        write(game.file, save)
        noted.append(time.process_time() - started)

    game.file.write = timed  # type: ignore[method-assign]
    return noted
