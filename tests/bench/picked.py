"""An option is picked after some seconds of reading: how long until the first piece, and how much is there at once?

Run from the checkout: python -m tests.bench.picked [--help]
"""

import tempfile
import time
from pathlib import Path

from tests.bench import results
from tests.bench.program import Heard, Program
from tests.bench.results import Row, Section, row
from tests.bench.setup import READING_SECONDS, Setup, parser, setup

FIRST_MS = 30.0  # goals
SHARE = 90.0


def pick(setup: Setup, picks: int, reading: float, *how: str) -> list[Heard]:
    """Play a story by picking option 1, 2, 3, 1, …, each after a time of reading."""
    heard = []
    with tempfile.TemporaryDirectory(prefix="advrepl-bench-") as folder:
        options = ["play", "start", "--seed", "1", "--no-kv-file", *setup.play_options, *how, "--saves", folder]
        with Program(*options, home=Path(folder)) as program:
            program.ready()
            for number in range(picks):
                time.sleep(reading)
                heard.append(program.say(str(number % 3 + 1)))
                print(f"\rpick {number + 1} of {picks} ", end="", flush=True)
    return heard


def rows(ahead: list[Heard], plain: list[Heard]) -> list[Row]:
    ready = [h for h in ahead if h.stats["ahead"]]
    return [
        row("first piece, written ahead", [h.first * 1000 for h in ahead], "ms", at_most=FIRST_MS),
        row("of the reply there within 0.1 s", [h.at_once * 100 for h in ahead], "%", at_least=SHARE),
        row("whole reply with its options", [h.whole * 1000 for h in ahead], "ms"),
        Row("replies that were ready", len(ready) / len(ahead) * 100, "%"),
        row("first piece, `--no-ahead`", [h.first * 1000 for h in plain], "ms"),
        row("whole reply with its options, `--no-ahead`", [h.whole * 1000 for h in plain], "ms"),
    ]


def measure(setup: Setup, picks: int, reading: float = READING_SECONDS) -> Section:
    plain = pick(setup, max(picks // 3, 1), 0)
    table = rows(pick(setup, picks, reading, "--ahead"), plain)
    text = (
        f"An option is picked {reading:g} s after the reply: context {setup.ctx}, {setup.threads} threads, "
        f"replies of at most {setup.reply} tokens and three options, {picks} picks"
    )
    return results.section("picked", "An option picked after reading", text, table, setup.model.stem)


def main() -> None:
    options = parser(__doc__ or "")
    options.add_argument("--picks", type=int, default=9)
    options.add_argument("--reading", type=float, default=READING_SECONDS, help="seconds")
    chosen = options.parse_args()
    results.keep(measure(setup(chosen), chosen.picks, chosen.reading), chosen.results)


if __name__ == "__main__":
    main()
