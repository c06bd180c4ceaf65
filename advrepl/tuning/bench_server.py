"""Measure a model on a server: what a request costs beside the model's work, and turns before and after a slide.

Does not print (cli/bench.py does).
"""

import time
from functools import partial

import msgspec

from advrepl.engines import models
from advrepl.engines.remote.engine import RemoteEngine
from advrepl.prompt.segments import Prompt, Segment, Window
from advrepl.sampling.params import Sampling
from advrepl.tuning.bench import GENERATE_TOKENS, LINES, RUN, TURN, Progress, Spread, Turns, play_story, spread

REQUESTS = 20  # short ones, for what each costs


class ServerBench(msgspec.Struct, frozen=True):
    """All figures of one server."""

    server: str
    model: str
    context: int  # tokens
    overhead_ms: Spread | None  # of a request, beside what the server says that it computed; None: it does not say
    generate_rate: Spread  # tokens a second, from the first piece on
    story: Turns


def measure_server(engine: RemoteEngine, turns: int, runs: int, progress: Progress) -> ServerBench:
    """Take all figures; `progress` is told what is being done. Raises AdvreplError where the server fails."""
    prompt = Prompt((Segment("", "\n".join(LINES) * 4),), (), (Segment("\n", ""),))
    window = Window(prompt, 0, sum(map(engine.count, prompt.segments)), engine.n_ctx)
    work = runs * RUN + turns * TURN
    progress("writing", 0, work)
    rates = [_rate(engine, window, run) for run in range(runs)]
    progress("asking", runs * RUN, work)
    costs = [cost for run in range(REQUESTS) if (cost := _overhead(engine, window, run)) is not None]
    format = models.choose_format(None, engine)
    story = play_story(engine, format, turns, partial(_tell, progress, turns, runs * RUN, work))
    overhead = spread(costs) if costs else None
    return ServerBench(engine.described()["server"], engine.name, engine.n_ctx, overhead, spread(rates), story)


def _tell(progress: Progress, turns: int, before: int, work: int, turn: int) -> None:
    progress(f"a story, turn {turn} of {turns}", before + (turn - 1) * TURN, work)


def _rate(engine: RemoteEngine, window: Window, seed: int) -> float:
    pieces = engine.generate(window, Sampling(seed=seed, max_tokens=min(GENERATE_TOKENS, engine.n_ctx // 4)))
    next(pieces, "")
    started, before = time.perf_counter(), engine.stats.generated
    for _ in pieces:
        pass
    return max(engine.stats.generated - before, 1) / (time.perf_counter() - started)


def _overhead(engine: RemoteEngine, window: Window, seed: int) -> float | None:
    """Milliseconds of a short request that the server was not computing."""
    started = time.perf_counter()
    for _ in engine.generate(window, Sampling(seed=seed, max_tokens=2)):
        pass
    taken = time.perf_counter() - started
    return (taken - engine.busy) * 1000 if engine.busy else None
