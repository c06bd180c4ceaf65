"""A hundred turns with replies written ahead, on the real model: what was written for nothing leaves nothing behind."""

import ctypes
import random
import time
from contextlib import closing
from pathlib import Path

import psutil
import pytest

from advrepl.engines.llama import branches
from advrepl.engines.llama.branches import BranchingEngine, LlamaBranch
from advrepl.engines.llama.memory import SEQ_PREFETCH, SEQ_STORY, SEQ_SWAP
from advrepl.play import session
from advrepl.play.session import Settings
from advrepl.terminal.lines import understood

TURNS, SETTLED = 100, 40  # by then all that is made once was made
ROOM = 8e6  # bytes of memory that may be added after that


class Checked(BranchingEngine):
    """Looks after each step whether the cache holds what it is thought to hold."""

    def serve(self, branch: LlamaBranch) -> bool:
        done = super().serve(branch)
        assert self.model.extent(branch.seq_id)[1] == len(branch.cached) - 1
        own = self.own_in_cache
        assert self.model.extent(SEQ_STORY)[1] == own - 1
        return done


def resident() -> int:
    """Bytes of memory in use; 0 where that cannot be had.

    glibc keeps what was freed: 60 MB and more, once the grammar went through the vocabulary.
    """
    if trim := getattr(ctypes.CDLL(None), "malloc_trim", None):
        trim(0)
        return int(psutil.Process().memory_info().rss)
    return 0


@pytest.mark.slow
def test_a_long_evening_leaves_nothing_behind(smollm2: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ADVREPL_HOME", str(tmp_path))
    monkeypatch.setattr(branches, "BranchingEngine", Checked)
    chance, ready, held = random.Random(7), 0, list[int]()
    sampling = {"seed": 1, "max_tokens": 24}
    settings = Settings(str(smollm2), saves=tmp_path, ctx=512, prefetch=True, kv_limit="1M", sampling=sampling)
    with closing(session.new_game("start", settings)) as game:
        engine = game.engine
        assert isinstance(engine, Checked) and game.prefetcher
        list(game.open())
        for turn in range(TURNS):
            game.start_prefetch()
            patience = time.monotonic() + chance.choice((0.0, 0.1, 0.5, 30.0))  # an option is picked at any moment
            while game.prefetcher.state == "writing" and time.monotonic() < patience:
                time.sleep(0.01)
            game.pause_prefetch()
            if turn % 10 == 9:
                list(game.retry())
            line = chance.choice(("1", "2", "3", f"I count to {turn}."))
            list(game.act(understood(line, game.options()).text))
            assert game.last
            ready += game.last.stats["ahead"]
            assert engine.model.extent(SEQ_PREFETCH) == engine.model.extent(SEQ_SWAP) == (-1, -1)
            assert engine.model.extent(SEQ_STORY) == (0, len(engine.sequence.cached) - 1)
            held.append(resident())
        assert game.state.evicted() > TURNS and TURNS / 5 < ready < TURNS
        assert max(held[SETTLED:]) - held[SETTLED] < ROOM
