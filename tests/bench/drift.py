"""What moving the cache costs: the next token's distribution, moved against fed afresh, by number of evictions.

Run from the checkout: python -m tests.bench.drift [MODEL] [--turns N]
Prints, for each number of times the window has slid, the KL divergence in nats (median and largest over the turns) and
how often the likeliest token is the same.
"""

import argparse
import statistics
import tempfile
from collections import defaultdict
from pathlib import Path

import numpy as np

from advrepl.bench import LINES, REPLY_TOKENS, SPARE_TOKENS
from advrepl.engines import models
from advrepl.engines.base import LoadOptions, Sampling
from advrepl.engines.llama import LlamaEngine
from advrepl.engines.log import Log
from advrepl.engines.native import Loaded
from advrepl.prompt.segments import Window
from advrepl.prompt.window import build
from advrepl.story.scenario import START
from advrepl.story.tree import Story

ONE = Sampling(temperature=0, max_tokens=1)


def log_chances(engine: LlamaEngine, window: Window) -> np.ndarray:
    """The log probabilities of all tokens that could follow the window."""
    for _ in engine.generate(window, ONE):
        pass
    logits = engine._model.logits().astype(np.float64)
    logits -= logits.max()
    return logits - np.log(np.exp(logits).sum())


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("model", nargs="?")
    parser.add_argument("--turns", type=int, default=60)
    parser.add_argument("--ctx", type=int, default=1024)
    parser.add_argument("--kv", choices=("f16", "q8_0"), default="f16")
    options = parser.parse_args()
    path, log = models.resolve(options.model), Log(Path(tempfile.gettempdir()) / "advrepl-drift.log")
    moved, fresh = (LlamaEngine(Loaded(path, LoadOptions(ctx=options.ctx, kv=options.kv), log)) for _ in range(2))
    format = models.choose_format(None, moved)
    story, start, slid = Story(), 0, 0
    found: dict[int, list[tuple[float, bool]]] = defaultdict(list)
    for turn in range(options.turns):
        story.say("user", LINES[turn % len(LINES)])
        window = build(format, START, story, moved.count, options.ctx - REPLY_TOKENS - SPARE_TOKENS, start)
        slid, start = slid + (window.evicted > start), window.evicted
        one = log_chances(moved, window)
        if slid:
            fresh._line.held.clear()  # all is fed again, as the same tokens
            fresh._line.tokens = dict(moved._line.tokens)
            other = log_chances(fresh, window)
            found[slid].append((float((np.exp(other) * (other - one)).sum()), one.argmax() == other.argmax()))
        text = "".join(moved.generate(window, Sampling(seed=turn, max_tokens=REPLY_TOKENS)))
        story.say("model", text.strip() or "…")
        moved.count(format.spell(START, story.told(start)).blocks[-1][-1])
    print("slides  turns  KL median  KL largest  same token")
    for slides, values in found.items():
        nats = [value for value, _ in values]
        same = sum(same for _, same in values) / len(values)
        print(f"{slides:6}  {len(values):5}  {statistics.median(nats):9.3f}  {max(nats):10.3f}  {same:10.0%}")


if __name__ == "__main__":
    main()
