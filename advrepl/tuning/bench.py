"""Measure a model on this machine: loading, prefill, generation, and turns before and after the window slides.

Does not print (cli/bench.py does) and does not touch saves.
"""

import statistics
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import msgspec
import psutil
from msgspec import Struct

from advrepl import paths
from advrepl.engines import models
from advrepl.engines.base import UNTUNED, Engine, LoadOptions
from advrepl.engines.llama.engine import LlamaEngine
from advrepl.engines.llama.log import Log
from advrepl.engines.llama.model import LlamaModel
from advrepl.prompt.formats import Format
from advrepl.prompt.segments import Prompt, Segment, Window
from advrepl.prompt.window import build
from advrepl.sampling.params import Sampling
from advrepl.story.scenario import START
from advrepl.story.tree import Story

PREFILL_TOKENS = 512
GENERATE_TOKENS = 128
REPLY_TOKENS = 48
SPARE_TOKENS = 8
LINES = (
    "I look around and listen for a while.",
    "I open the nearest door and go through it.",
    "I ask whoever is there what happened here.",
    "I pick up whatever looks useful and move on.",
)


class Spread(msgspec.Struct, frozen=True):
    """A figure taken several times."""

    median: float
    least: float
    most: float


class Turns(msgspec.Struct, frozen=True):
    """The turns of one story, before the window first slid and from then on."""

    turns: int
    slid: int  # how often the window slid
    first_before_ms: Spread  # from the player's line to the first piece of the reply
    first_after_ms: Spread
    prefilled_beyond_turn: int  # the most tokens prefilled after sliding, beyond those of the player's new turn
    moved: bool = False  # was what stayed moved? Else it was read again


class BenchResult(msgspec.Struct, frozen=True):
    """All figures of one run."""

    model: str
    context: int
    kv: str  # the types of the cache for keys and values
    threads: int
    tuned: bool  # is what `advrepl tune` found in use?
    on_gpu: bool
    load_seconds: Spread
    prefill_rate: Spread  # tokens a second, a prompt of 512
    generate_rate: Spread  # tokens a second, with all samplers, as in play
    decode_rate: Spread  # tokens a second, llama.cpp alone without sampling: what its own bench measures
    python_ms: float  # what sampling and Python add to each token
    memory_mb: float  # resident, of the whole process
    shift: Turns
    no_shift: Turns


class BenchPlan(Struct, frozen=True):
    """What to measure, and how often."""

    path: Path
    options: LoadOptions
    turns: int = 40
    runs: int = 3

    @property
    def work(self) -> int:
        """Return about how much there is to do: loading is little of it."""
        return self.runs * RUN + 2 * self.turns * TURN


Progress = Callable[[str, float, float], None]  # what is done, how much of it all is, of how much
# About how much each takes, in tokens that are written.
RUN, TURN = 2 * GENERATE_TOKENS + PREFILL_TOKENS // 4, REPLY_TOKENS + 12


def measure(plan: BenchPlan, progress: Progress) -> BenchResult:
    """Take all figures; `progress` is told what is being done. Raises AdvreplError if the model cannot be loaded."""
    log = Log(paths.llama_log())
    loads = []
    for run in range(plan.runs):
        progress(f"loading, {run + 1} of {plan.runs}", 0, plan.work)
        started = time.perf_counter()
        loaded = LlamaModel(plan.path, plan.options, log)
        loads.append(time.perf_counter() - started)
        if run < plan.runs - 1:
            loaded.close()
    engine = LlamaEngine(loaded)
    try:
        prefills, generates, decodes = _rates(loaded, plan, progress)
        memory = psutil.Process().memory_info().rss / 1e6
        format = models.choose_format(None, engine)
        stories = []
        for shift in (True, False):
            player = LlamaEngine(loaded, shift=shift)
            stories.append(play_story(player, format, plan.turns, partial(_tell, progress, plan, shift)))
        progress("done", plan.work, plan.work)
        return BenchResult(
            model=engine.name,
            context=engine.n_ctx,
            kv=" ".join(dict.fromkeys(loaded.cache_types)),
            threads=loaded.threads,
            tuned=plan.options.tuning != UNTUNED,
            on_gpu=loaded.on_gpu,
            load_seconds=spread(loads),
            prefill_rate=spread(prefills),
            generate_rate=spread(generates),
            decode_rate=spread(decodes),
            python_ms=1000 / statistics.median(generates) - 1000 / statistics.median(decodes),
            memory_mb=memory,
            shift=stories[0],
            no_shift=stories[1],
        )
    finally:
        engine.close()


def spread(values: list[float]) -> Spread:
    """Return the median and the ends of some values."""
    return Spread(statistics.median(values), min(values), max(values))


def _tell(progress: Progress, plan: BenchPlan, shift: bool, turn: int) -> None:
    turns = turn - 1 + (0 if shift else plan.turns)
    progress(
        f"{'a story' if shift else '--no-shift'}, turn {turn} of {plan.turns}",
        plan.runs * RUN + turns * TURN,
        plan.work,
    )


def _rates(loaded: LlamaModel, plan: BenchPlan, progress: Progress) -> tuple[list[float], list[float], list[float]]:
    """Prefill, generation and decode rates in turn, so that a machine whose speed drifts is fair to all of them."""
    text = "\n".join(LINES) * 64
    words = loaded.vocab.plain(text)[: min(PREFILL_TOKENS, loaded.n_ctx // 2)]
    prompt = Prompt((Segment("", text[: len(b"".join(map(loaded.vocab.piece, words)))]),), (), ())
    prefills, generates, decodes = [], [], []
    for run in range(plan.runs):
        progress(f"reading and writing, {run + 1} of {plan.runs}", run * RUN, plan.work)
        engine = LlamaEngine(loaded)
        started = time.perf_counter()
        pieces = engine.generate(
            Window(prompt, 0, len(words), loaded.n_ctx), Sampling(seed=run, max_tokens=GENERATE_TOKENS)
        )
        next(pieces)
        prefills.append(engine.stats.prompt / (time.perf_counter() - started))
        started, before = time.perf_counter(), engine.stats.generated
        for _ in pieces:
            pass
        generates.append((engine.stats.generated - before) / (time.perf_counter() - started))
        decodes.append(_decode_rate(loaded, words))
    return prefills, generates, decodes


def _decode_rate(loaded: LlamaModel, prompt: list[int]) -> float:
    """llama.cpp alone: the tokens are decoded, none is chosen."""
    loaded.remove(0, -1)
    loaded.decode(prompt, 0)
    started = time.perf_counter()
    for index in range(GENERATE_TOKENS):
        loaded.decode([prompt[index % len(prompt)]], len(prompt) + index)
    return GENERATE_TOKENS / (time.perf_counter() - started)


def play_story(engine: Engine, format: Format, turns: int, progress: Callable[[int], None]) -> Turns:
    """Play so many turns of a story in which the player says LINES; `progress` is told each turn."""
    story, start, slid = Story(), 0, 0
    before: list[float] = []
    after: list[float] = []
    beyond, moved = 0, False
    for turn in range(turns):
        progress(turn + 1)
        story.say("user", LINES[turn % len(LINES)])
        asked = time.perf_counter()
        budget = engine.n_ctx - REPLY_TOKENS - SPARE_TOKENS
        window = build(format, START, story, engine.sizes, budget, start, slide_to=engine.slide_to)
        slid, start = slid + (window.evicted > start), window.evicted
        pieces = engine.generate(window, Sampling(seed=turn, max_tokens=REPLY_TOKENS), stop=format.stops(START))
        text, first = "", 0.0
        for piece in pieces:
            first = first or time.perf_counter() - asked
            text += piece
        (after if slid else before).append(first * 1000)
        moved |= engine.stats.shifted > 0
        if slid:
            new_turn = sum(map(engine.count, (*window.prompt.blocks[-1], *window.prompt.cue)))
            beyond = max(beyond, engine.stats.prefilled - new_turn)
        story.say("model", text.strip() or "…")
        engine.count(format.spell(START, story.path_turns(start)).blocks[-1][-1])
    return Turns(turns, slid, spread(before[1:] or before or [0.0]), spread(after or [0.0]), beyond, moved)
