"""A key is pressed while replies are written ahead: how soon is that still, and how soon is the key on the screen?

Run from the checkout: python -m tests.bench.keys [--help]
The screen is a pseudo-terminal, which Windows has not.
"""

import random
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from advrepl.play import session
from advrepl.play.session import Settings
from tests.bench import results
from tests.bench.results import Row, Section, row
from tests.bench.setup import Setup, line, parser, setup

if TYPE_CHECKING:
    from tests.pty_play import Terminal

STILL_MS = 50.0  # goal
READING = 2.0  # seconds; a key comes at any moment until then


def pauses(setup: Setup, turns: int, reading: float = READING) -> list[float]:
    """Milliseconds from the key until nothing is computed any more; the key comes where something is."""
    found, chance = [], random.Random(1)
    with tempfile.TemporaryDirectory(prefix="advrepl-bench-") as folder:
        settings = Settings(
            str(setup.model), saves=Path(folder), ctx=setup.ctx, threads=setup.threads, gpu_layers=setup.gpu_layers,
            prefetch=True, kv_file=False, sampling={"seed": 1, "max_tokens": setup.reply},
        )  # fmt: skip
        with closing(session.new_game("start", settings)) as game:
            assert game.prefetcher
            list(game.open())
            for turn in range(turns):
                for _ in range(3):
                    game.start_prefetch()
                    time.sleep(chance.uniform(0, reading))
                    working, pressed = game.prefetcher.state == "writing", time.perf_counter()
                    game.prefetcher.hold()
                    game.pause_prefetch()
                    found += [(time.perf_counter() - pressed) * 1000] if working else []
                list(game.act(line(turn)))
                print(f"\rturn {turn + 1} of {turns} ", end="", flush=True)
    return found


def echoes(setup: Setup, turns: int, *how: str) -> list[float]:
    """Milliseconds from the key until it is on the screen."""
    from tests.pty_play import Terminal

    found, chance = [], random.Random(2)
    with tempfile.TemporaryDirectory(prefix="advrepl-bench-") as folder:
        options = ["play", "start", "--seed", "1", "--saves", folder, *setup.play_options, *how]
        with Terminal(*options, columns=100, rows=40, ADVREPL_HOME=folder) as terminal:
            terminal.replied(1)
            for turn in range(turns):
                terminal.wait(chance.uniform(0.1, READING))
                pressed = time.perf_counter()
                terminal.type("w")
                terminal.until(_begun(terminal))
                found.append((time.perf_counter() - pressed) * 1000)
                terminal.line("ait a moment")
                terminal.replied(turn + 2)
                print(f"\rkey {turn + 1} of {turns} ", end="", flush=True)
    return found


def _begun(terminal: "Terminal") -> Callable[[], bool]:
    return lambda: terminal.lines[terminal.screen.cursor.y].startswith("> w")


def still(takes: list[float]) -> list[Row]:
    if not takes:
        return [results.missing("from a key until nothing is computed", "all was written before a key came")]
    return [
        row("from a key until nothing is computed", takes, "ms"),
        Row("the slowest of them", max(takes), "ms", at_most=STILL_MS, note=f"{len(takes)} keys"),
    ]


def measure(setup: Setup) -> Section:
    table = still(pauses(setup, setup.turns))
    try:
        written, quiet = (echoes(setup, setup.turns, how) for how in ("--ahead", "--no-ahead"))
        table += [
            row("from a key until it is on the screen", written, "ms"),
            row("from a key until it is on the screen, `--no-ahead`", quiet, "ms"),
        ]
    except ImportError:
        table.append(results.missing("from a key until it is on the screen", "there is no pseudo-terminal here"))
    text = (
        f"A key is pressed at some moment of the first {READING:g} s after a reply, while the replies to its options "
        f"are written: context {setup.ctx}, {setup.threads} threads, {setup.turns} turns, replies of at most "
        f"{setup.reply} tokens"
    )
    return results.section("keys", "A key while replies are written ahead", text, table, setup.model.stem)


def main() -> None:
    options = parser(__doc__ or "")
    options.set_defaults(turns=15)
    chosen = options.parse_args()
    results.keep(measure(setup(chosen)), chosen.results)


if __name__ == "__main__":
    main()
