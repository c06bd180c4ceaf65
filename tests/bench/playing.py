"""`advrepl bench`, the figures that every player can take, as a part of the whole benchmark.

Run from the checkout: python -m tests.bench.playing [--help]
"""

import json
import subprocess
from typing import Any

from tests import ROOT
from tests.bench import results
from tests.bench.results import Row, Section
from tests.bench.setup import Setup, parser, program, setup


def measure(setup: Setup) -> Section:
    command = ["bench", "-m", str(setup.model), "--ctx", str(setup.ctx), "--threads", str(setup.threads), "--json"]
    command += ["--turns", str(setup.turns), "--runs", str(setup.rounds)]
    command += ["--gpu-layers", str(setup.gpu_layers)] if setup.gpu_layers is not None else []
    done = subprocess.run(program(*command), stdout=subprocess.PIPE, check=True, cwd=ROOT)
    figures = json.loads(done.stdout)
    where = "GPU" if figures["on_gpu"] else f"{figures['threads']} threads"
    text = (
        f"`advrepl bench`: context {figures['context']}, {where}, a story of {setup.turns} turns, {setup.rounds} runs"
    )
    return results.section("playing", "Playing", text, rows(figures), figures["model"])


def rows(figures: dict[str, Any]) -> list[Row]:
    def spread(name: str, found: dict[str, float], unit: str) -> Row:
        return Row(name, found["median"], unit, found["least"], found["most"])

    shift, again = figures["shift"], figures["no_shift"]
    return [
        spread("load, file in the system's cache", figures["load_seconds"], "s"),
        spread("feed a prompt of 512 tokens", figures["prefill_rate"], "tokens/s"),
        spread("write, with all samplers", figures["generate_rate"], "tokens/s"),
        spread("first piece before the window slides", shift["first_before_ms"], "ms"),
        spread("first piece from then on", shift["first_after_ms"], "ms"),
        spread("the same with `--no-shift`", again["first_after_ms"], "ms"),
        Row("most tokens fed beyond those of the new turn, after sliding", shift["prefilled_beyond_turn"], "tokens"),
        Row("memory, the whole program", figures["memory_mb"], "MB"),
    ]


def main() -> None:
    options = parser(__doc__ or "").parse_args()
    results.keep(measure(setup(options)), options.results)


if __name__ == "__main__":
    main()
