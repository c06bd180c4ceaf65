"""With --exact, logits follow from the window alone: to the bit, however the cache came to be. On the real model."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from msgspec.structs import replace

from advrepl.engines.kv.store import KvStore
from advrepl.engines.llama.branches import BranchingEngine
from advrepl.engines.llama.engine import LlamaEngine
from advrepl.play.reply import continued
from advrepl.prompt.segments import Window
from tests.engines.llama.test_engine import GREEDY, ONE, shown, write

Open = Callable[..., LlamaEngine]
FEW = replace(GREEDY, max_tokens=5)
TURNS = (
    "I open the door of the lighthouse and call for the keeper.",
    "Nobody answers. The stairs wind up into the dark, and water drips from somewhere above.",
    "I light the lamp and climb.",
    "On the third landing a coat hangs from a nail, still wet.",
    "I search its pockets.",
)


def logits(engine: LlamaEngine, window: Window) -> Any:
    """Those behind the last token of the window."""
    write(engine, window, ONE)
    return engine.model.logits().copy()


def played(engine: LlamaEngine) -> Window:
    """A story with replies that were sampled, one more take, more of a reply, and a slide; the window that is next."""
    told = list(TURNS[:1])
    for line in TURNS[2:]:
        window = shown(engine, *told)
        for _ in range(2):
            reply = write(engine, window, replace(FEW, temperature=0.8, seed=len(told)))
        reply += write(engine, replace(continued(window, reply), goes_on=True), FEW)
        told += [reply.strip(), line]
    write(engine, shown(engine, *told[2:], evicted=2), FEW)
    return shown(engine, *told[2:], "It was empty.", "I go on.", evicted=2)


def test_logits_follow_from_the_window_alone(open_shallow: Open, tmp_path: Path) -> None:
    engine = open_shallow(exact=True)
    window = played(engine)
    after = logits(engine, window)
    assert engine.stats.reused > 40, "not by reading all of it again"
    fresh = open_shallow(exact=True)
    assert np.array_equal(after, logits(fresh, window))
    store = KvStore(engine, tmp_path / "a.json", 1 << 30)
    assert store.store(window) == ""
    resumed = open_shallow(exact=True)
    assert KvStore(resumed, tmp_path / "a.json", 1 << 30).load(lambda: window) == ""
    assert np.array_equal(after, logits(resumed, window)) and resumed.stats.reused > 40
    usual = open_shallow()
    assert not np.array_equal(after, logits(usual, played(usual))), "without --exact they know of all that happened"


@pytest.mark.slow
def test_a_branch_writes_the_same_words(open_shallow: Open) -> None:
    engine = open_shallow(exact=True, branches=2)
    assert isinstance(engine, BranchingEngine)
    window = played(engine)
    engine.prepare(window)
    branch = engine.branch()
    for _ in engine.prime(branch):
        engine.enter(branch)
        assert engine.serve(branch)
        branch.served() if branch.waiting else None
    engine.take(branch)
    assert np.array_equal(logits(engine, window), logits(open_shallow(exact=True), window))
