"""What moving, cutting, branching and keeping a cache costs, architecture by architecture: `make caches`.

Run from the checkout: python -m tests.bench.caches [FILE.gguf ...]; without files, the tiny models of
tests/architectures.py and of the others like it. Each figure is the KL divergence in nats of the next token's
distribution, as the cache is after that against all read afresh. Random weights: what is written has no meaning, and
what is wrong with a cache shows.
"""

import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import llama_cpp.llama_cpp as lib
import numpy as np

from advrepl import AdvreplError
from advrepl.engines.base import Engine, LoadOptions
from advrepl.engines.kv.store import KvStore
from advrepl.engines.llama.abilities import MEASURED
from advrepl.engines.llama.branches import BranchingEngine
from advrepl.engines.llama.engine import LlamaEngine
from advrepl.engines.llama.header import read_header
from advrepl.engines.llama.log import Log
from advrepl.engines.llama.model import LlamaModel, cache_header
from advrepl.engines.prefetch import Prefetcher
from advrepl.engines.slots import PrefetchJob
from advrepl.prompt.segments import Prompt, Segment, Window
from advrepl.sampling.params import Sampling
from tests import (
    architectures,
    converted_architectures,
    further_architectures,
    more_architectures,
    rarest_architectures,
)

MODELS = architectures.MADE | more_architectures.MORE | rarest_architectures.RAREST
MODELS |= converted_architectures.CONVERTED | further_architectures.FURTHER
CTX = 768
TURNS = 6
LINES = ("the sea was grey", "a door stood open", "who goes there", "come in and sit", "no more of that", "we walk on")
# Letters only: what is no whole text would be other tokens when it is read again.
LETTERS = dict.fromkeys("abcdefghijklmnopqrstuvwxyz", 20.0)
ONE = Sampling(temperature=0, max_tokens=1)
TOKENS, MOVED, STEPS = 150, 100, 5
LIMIT = 1 << 30  # bytes of a cache file

# llama.cpp ends the process if it is asked to.
NOT_MOVED = {"gemma3-all-windowed", "granite-unroped"}
HEAD = "| model | architecture | moved | table | cut | read again | branched | same words | resumed | fed |"

Floats = np.ndarray[Any, np.dtype[np.float64]]
Open = Callable[[], LlamaEngine]


@dataclass(frozen=True)
class CacheRow:
    """What was measured of one model. KL in nats; None: not done with such a model."""

    name: str
    architecture: str
    moved: float | None  # also where the table says no, unless llama.cpp cannot do it at all
    moves: bool  # what the table says
    cut: float  # the worst of retries and undos
    read_again: int  # tokens that were read in all of them, beyond those that are new
    branched: float | None
    same_words: bool  # of replies that were written ahead
    resumed: float | None  # after a resume and undos
    fed: int | None  # tokens that the resumed turn fed, beyond its own


def chances(engine: LlamaEngine) -> Floats:
    """The log probabilities of all tokens that can be the next one."""
    logits: Floats = engine.model.logits().astype(np.float64)
    logits -= logits.max()
    logits -= np.log(np.exp(logits).sum())
    return logits


def divergence(right: Floats, other: Floats) -> float:
    return float((np.exp(right) * (right - other)).sum())


def spoken(turns: list[str]) -> Window:
    """A window of these turns, by the player and the model in turn."""
    blocks = tuple((Segment(" Q: " if not i % 2 else " A: ", text),) for i, text in enumerate(turns))
    return Window(
        Prompt((Segment("", "you tell a story of the sea and of a house"),), blocks, (Segment(" A: ", ""),)), 0, 0, CTX
    )


def sampling(seed: int, length: int) -> Sampling:
    return Sampling(seed=seed, temperature=1.0, max_tokens=length, repeat_penalty=1.0, logit_bias=LETTERS)


def say(engine: Engine, window: Window, sampling: Sampling) -> str:
    return "".join(engine.generate(window, sampling))


def told(engine: LlamaEngine, turns: list[str], reply: str) -> list[str]:
    """The turns with a reply that this engine has just written."""
    engine.count(Segment(" A: ", reply))
    return [*turns, reply]


def compared(engine: LlamaEngine, fresh: LlamaEngine, turns: list[str]) -> float:
    """KL of what follows these turns, against all of it read afresh as the same tokens."""
    return compared_window(engine, fresh, spoken(turns))


def compared_window(engine: LlamaEngine, fresh: LlamaEngine, window: Window) -> float:
    """KL of what follows this window, against the same."""
    say(engine, window, ONE)
    other = chances(engine)
    forget(fresh)
    fresh.sequence.token_cache = engine.sequence.token_cache.copy()
    say(fresh, window, ONE)
    return divergence(chances(fresh), other)


def forget(engine: LlamaEngine) -> None:
    engine.model.remove(0, -1)
    engine.sequence.cached.clear()
    engine.sequence.snapshots.cut(0)


def played(engine: LlamaEngine, turns: int = TURNS, length: int = 40) -> list[str]:
    """A story of so many turns, as far as its last reply."""
    story: list[str] = []
    for turn in range(turns):
        story.append(LINES[turn % len(LINES)])
        story = told(engine, story, say(engine, spoken(story), sampling(turn, length)))
    return story


def moved(open: Open) -> float:
    """The same text further behind, moved to the front in steps: nothing else differs."""
    results = []
    for start in (0, MOVED):
        engine = open()
        model, tokens = engine.model, [5 + n * 7 % 200 for n in range(TOKENS)]
        model.decode(tokens, start)
        for step in range(STEPS if start else 0):
            place = start - MOVED // STEPS * (step + 1)
            model.move(0, -1, MOVED // STEPS)
            model.decode(tokens[:1], place + TOKENS)
            model.remove(place + TOKENS, -1)
        model.decode(tokens[:1], TOKENS)
        results.append(chances(engine))
        engine.close()
    return divergence(*results)


def cut(open: Open) -> tuple[float, int]:
    """Retries and undos: the worst KL, and tokens read beyond the new ones."""
    engine, fresh = open(), open()
    story, worst, again = played(engine), 0.0, 0
    for turns in (story[:-1], *([*story[: -2 * back], "and then"] for back in (1, 2, 3, 5))):
        worst = max(worst, compared(engine, fresh, turns))
        again += beyond(engine, turns)
    for each in (engine, fresh):
        each.close()
    return worst, again


def beyond(engine: LlamaEngine, turns: list[str]) -> int:
    """Tokens that were fed beyond those of the last turn and what follows it."""
    prompt = spoken(turns).prompt
    return max(engine.stats.prefilled - sum(map(engine.count, (*prompt.blocks[-1], *prompt.cue))), 0)


def resumed(open: Open) -> tuple[float, int] | None:
    """A story put away and taken back: the worst KL of the next turn and undos, tokens that turn fed beyond its own."""
    engine, fresh = open(), open()
    story = played(engine)
    if engine.snapshot(spoken(story)) is None:
        return None
    with tempfile.TemporaryDirectory() as folder:
        save = Path(folder) / "story.json"
        assert not KvStore(engine, save, LIMIT).store(spoken(story))
        engine.close()
        engine = open()
        assert not KvStore(engine, save, LIMIT).load()
    turns = [*story, "and then"]
    worst = compared(engine, fresh, turns)
    fed = beyond(engine, turns)
    for back in (1, 2, 4):
        worst = max(worst, compared(engine, fresh, [*story[: -2 * back], "and then"]))
    for each in (engine, fresh):
        each.close()
    return worst, fed


def branched(open: Open, open_alone: Open) -> tuple[float, bool]:
    """Replies written ahead: the worst KL after one was taken, and whether all were what would have been written."""
    engine, alone, fresh = open(), open_alone(), open_alone()
    assert isinstance(engine, BranchingEngine)
    ahead: Prefetcher[str] = Prefetcher(engine)
    story, same, worst = played(engine, 2), True, 0.0
    assert story == played(alone, 2)
    for turn in range(3):
        how = sampling(100 + turn, 90)  # longer than a window, where the tiny models have one
        jobs = [PrefetchJob(line, partial(say_on, [*story, line], how)) for line in LINES[:3]]
        ahead.plan(spoken([*story, "x"]), [*jobs, PrefetchJob("retry", partial(say_on, story[:-1], how), later=True)])
        ahead.resume()
        while ahead.state == "writing":
            ahead.pause()
            ahead.resume()
            wait(ahead)
        taken = ahead.take(LINES[turn])
        assert taken is not None
        reply = "".join((*taken.done, *taken.events))
        same &= reply == say(alone, spoken([*story, LINES[turn]]), how)
        told(alone, story, reply)
        story = told(engine, [*story, LINES[turn]], reply)
        worst = max(worst, compared(engine, fresh, [*story, "and then"]))
        say(alone, spoken([*story, "and then"]), ONE)
    worst = max(worst, compared(engine, fresh, [*story[:-2], "and then"]))
    ahead.close()
    for each in (engine, alone, fresh):
        each.close()
    return worst, same


def say_on(turns: list[str], how: Sampling, engine: Engine) -> Iterator[str]:
    return engine.generate(spoken(turns), how)


def wait(ahead: Prefetcher[str], seconds: float = 0.3) -> None:
    """Wait until all is written, or a while: pauses belong to it."""
    end = time.monotonic() + seconds
    while ahead.state == "writing" and time.monotonic() < end:
        time.sleep(0.002)


def measure(path: Path, log: Log, anyway: bool = True) -> CacheRow:
    """Measure one file; `anyway`: move also what the table says cannot be moved."""

    def open(branches: int = 0) -> LlamaEngine:
        model = LlamaModel(path, LoadOptions(CTX, 1, branches=branches), log)
        return (BranchingEngine if branches else LlamaEngine)(model)

    engine = open()
    can, header = engine.model.abilities, cache_header(engine.model.handle, read_header(path))
    # llama.cpp knows where a token has several positions (M-RoPE).
    shifts = lib.llama_memory_can_shift(lib.llama_get_memory(engine.model.context))
    movable = can.moves or (anyway and can.cuts and header.rope and shifts and path.stem not in NOT_MOVED)
    engine.close()
    worst, again = cut(open)
    ahead = branched(partial(open, 5), open) if can.branches else (None, True)
    kept = resumed(open) or (None, None)
    return CacheRow(
        path.stem,
        header.architecture,
        moved(open) if movable else None,
        can.moves,
        worst,
        again,
        *ahead,
        *kept,
    )


def line(row: CacheRow) -> str:
    """A row of the table in docs/models.md."""
    nats = ["–" if kl is None else f"{max(kl, 0):.4f}" for kl in (row.moved, row.cut, row.branched, row.resumed)]
    table, same = "yes" if row.moves else "no", "yes" if row.same_words else "no"
    fed = "–" if row.fed is None else str(row.fed)
    cells = (row.name, row.architecture, nats[0], table, nats[1], str(row.read_again), nats[2], same, nats[3], fed)
    return f"| {' | '.join(cells)} |"


def main() -> None:
    log = Log(Path(tempfile.gettempdir()) / "advrepl-bench.log")
    files, seen = [Path(name) for name in sys.argv[1:]], set()
    print(HEAD, "|" + "---|" * (HEAD.count("|") - 1), sep="\n")
    with tempfile.TemporaryDirectory() as folder:
        made = dict(sorted(MODELS.items()))
        for path in files or [architectures.make(name, Path(folder), row=row) for name, row in made.items()]:
            try:
                row = measure(path, log)
            except AdvreplError as error:
                print(f"not run: {path.name}: {error}", file=sys.stderr)
                continue
            seen.add(row.architecture)
            print(line(row), flush=True)
    print(f"\nIn the table and not run: {', '.join(sorted(MEASURED - seen))}.")


if __name__ == "__main__":
    main()
