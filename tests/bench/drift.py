"""What moving the cache costs: the next token's distribution, moved against fed afresh, by number of evictions.

Run from the checkout: python -m tests.bench.drift [--kv q8_0] [--help]
For each number of times the window has slid: the KL divergence in nats over the turns until it slides again, and how
often the likeliest token is the same.
"""

import tempfile
from collections import defaultdict
from pathlib import Path

import msgspec
import numpy as np

from advrepl.engines import models
from advrepl.engines.base import LoadOptions
from advrepl.engines.llama.engine import LlamaEngine
from advrepl.engines.llama.log import Log
from advrepl.engines.llama.model import LlamaModel
from advrepl.prompt.segments import Window
from advrepl.prompt.window import build
from advrepl.sampling.params import Sampling
from advrepl.story.scenario import START
from advrepl.story.tree import Story
from advrepl.tuning.bench import LINES, REPLY_TOKENS, SPARE_TOKENS
from tests.bench import results
from tests.bench.results import Section
from tests.bench.setup import Setup, parser, setup

ONE = Sampling(temperature=0, max_tokens=1)


def log_chances(engine: LlamaEngine, window: Window) -> np.ndarray:
    """The log probabilities of all tokens that could follow the window."""
    for _ in engine.generate(window, ONE):
        pass
    logits: np.ndarray = engine.model.logits().astype(np.float64)
    logits -= logits.max()
    logits -= np.log(np.exp(logits).sum())
    return logits


def measure(setup: Setup, kv: str) -> Section:
    log, options = Log(Path(tempfile.gettempdir()) / "advrepl-bench.log"), LoadOptions(setup.ctx, setup.threads, kv=kv)
    moved, fresh = (LlamaEngine(LlamaModel(setup.model, options, log)) for _ in range(2))
    format = models.choose_format(None, moved)
    story, start, slid = Story(), 0, 0
    found: dict[int, list[tuple[float, bool]]] = defaultdict(list)
    for turn in range(setup.turns):
        print(f"\rturn {turn + 1} of {setup.turns} ", end="", flush=True)
        story.say("user", LINES[turn % len(LINES)])
        window = build(format, START, story, moved.sizes, setup.ctx - REPLY_TOKENS - SPARE_TOKENS, start)
        slid, start = slid + (window.evicted > start), window.evicted
        one = log_chances(moved, window)
        if slid:
            fresh.sequence.cached.clear()  # all is fed again, as the same tokens
            fresh.sequence.token_cache = moved.sequence.token_cache.copy()
            other = log_chances(fresh, window)
            found[slid].append((float((np.exp(other) * (other - one)).sum()), one.argmax() == other.argmax()))
        text = "".join(moved.generate(window, Sampling(seed=turn, max_tokens=REPLY_TOKENS)))
        story.say("model", text.strip() or "…")
        moved.count(format.spell(START, story.path_turns(start)).blocks[-1][-1])
    rows = []
    for slides, takes in found.items():
        nats, same = zip(*takes, strict=True)
        note = f"the likeliest token the same in {sum(same)} of {len(takes)} turns"
        name = f"after {slides} slides" if slides > 1 else "after 1 slide"
        rows.append(msgspec.structs.replace(results.row(name, nats, "nats"), note=note))
    text = (
        f"KL divergence of the next token's distribution in a story of {setup.turns} turns, the cache as it was moved "
        f"against all fed afresh: context {setup.ctx}, cache {kv}, replies of {REPLY_TOKENS} tokens. Rounding alone, "
        "as of the same tokens fed in other batches, comes to 0.002; idle refresh brings it back to that"
    )
    return results.section("drift", "What moving the cache does", text, rows, setup.model.stem)


def main() -> None:
    options = parser(__doc__ or "")
    options.set_defaults(turns=60)
    options.add_argument("--kv", choices=("f16", "q8_0"), default="f16")
    chosen = options.parse_args()
    results.keep(measure(setup(chosen), chosen.kv), chosen.results)


if __name__ == "__main__":
    main()
