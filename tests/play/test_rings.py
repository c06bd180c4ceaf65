"""What a turn leaves behind is gone when the turn is: no rings of garbage, which grew a long story's memory."""

import gc
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from advrepl.play import session
from advrepl.play.session import Settings
from tests import architectures

SETTLED, TURNS = 10, 6  # by then all that is made once was made
FEW = 2  # objects for each turn: some things of the standard library, which are made once in a while, are rings


@contextmanager
def uncollected() -> Iterator[None]:
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


@pytest.mark.parametrize("kind", ["llama", "mamba"])
def test_turns_leave_no_rings(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ADVREPL_HOME", str(tmp_path))
    model = architectures.make(kind, tmp_path)
    sampling = {"seed": 1, "max_tokens": 24}
    settings = Settings(
        str(model), saves=tmp_path, ctx=512, prefetch=True, sampling=sampling, format="metharme", options=0
    )
    with closing(session.new_game("start", settings)) as game, uncollected():
        list(game.open())
        for turn in range(SETTLED + TURNS):
            if turn == SETTLED:
                gc.collect()
            game.start_prefetch()
            time.sleep(0.05)
            game.pause_prefetch()
            list(game.act(f"I count to {turn}."))
            list(game.retry())
        assert game.state.evicted()
        left = gc.collect()
    assert left <= FEW * TURNS
