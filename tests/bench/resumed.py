"""A story is left and resumed: how long until the first piece of the next reply, and how much is read for it?

Run from the checkout: python -m tests.bench.resumed [--help]
The line is sent while the program still starts; loading alone is timed on a new story, in turn with the rest.
"""

import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from tests.bench import results
from tests.bench.program import Heard, Program
from tests.bench.results import Row, Section, row
from tests.bench.setup import Setup, line, parser, setup

NAME = "left"
OVER_LOADING_MS = 300.0  # goals
OVER_TURN = 8.0


@dataclass
class Takes:
    """Seconds from the start of the program, and tokens."""

    loads: list[float] = field(default_factory=list)
    firsts: list[float] = field(default_factory=list)
    without: list[float] = field(default_factory=list)
    fed: list[int] = field(default_factory=list)
    fed_without: list[int] = field(default_factory=list)


def leave(setup: Setup, folder: Path) -> tuple[Heard, float, int]:
    """Play a story and leave it: its last reply, how long leaving took, and the bytes of the cache file."""
    options = ["play", "start", "--save", NAME, "--options", "0", "--seed", "1", *setup.play_options]
    with Program(*options, "--saves", str(folder), home=folder) as program:
        program.ready()
        for turn in range(setup.turns):
            heard = program.say(line(turn))
            print(f"\rturn {turn + 1} of {setup.turns} ", end="", flush=True)
        left = program.leave()
    return heard, left, (folder / f"{NAME}.kv").stat().st_size


def resume(setup: Setup, left: Path, *how: str) -> tuple[float, int]:
    """Go on with a copy of the story, saying the last line again: seconds to the first piece, tokens fed."""
    with tempfile.TemporaryDirectory(prefix="advrepl-bench-") as copy:
        folder = Path(copy)
        shutil.copytree(left, folder, dirs_exist_ok=True)
        with Program("resume", NAME, *how, *setup.play_options, "--saves", copy, home=folder) as program:
            program.send(line(setup.turns - 1))
            heard = program.listen(program.started)
            return heard.first, heard.fed


def load(setup: Setup) -> float:
    """Seconds from the start of the program until a new story can be talked to."""
    with tempfile.TemporaryDirectory(prefix="advrepl-bench-") as folder:
        options = ["play", "start", "--no-kv-file", *setup.play_options, "--saves", folder]
        with Program(*options, home=Path(folder)) as program:
            return program.ready()


def rows(takes: Takes, live: Heard, left: float, size: int) -> list[Row]:
    over = [(first - load) * 1000 for first, load in zip(takes.firsts, takes.loads, strict=True)]
    beyond = [float(fed - live.fed) for fed in takes.fed]
    return [
        row("start to ready, a new story", takes.loads, "s"),
        row("start to the first piece, resumed", takes.firsts, "s"),
        row("the second less the first", over, "ms", at_most=OVER_LOADING_MS),
        row("start to the first piece, resumed with `--no-kv-file`", takes.without, "s"),
        row("fed for the first turn", takes.fed, "tokens"),
        row("fed beyond the same turn in a story that was not left", beyond, "tokens", at_most=OVER_TURN),
        row("fed for the first turn, `--no-kv-file`", takes.fed_without, "tokens"),
        Row("leaving, with the cache file written", left, "s"),
        Row("the cache file", size / 1e6, "MB"),
    ]


def measure(setup: Setup) -> Section:
    takes = Takes()
    with tempfile.TemporaryDirectory(prefix="advrepl-bench-") as folder:
        live, left, size = leave(setup, Path(folder))
        for number in range(setup.rounds):
            takes.loads.append(load(setup))
            first, fed = resume(setup, Path(folder))
            without, fed_without = resume(setup, Path(folder), "--no-kv-file")
            takes.firsts.append(first)
            takes.fed.append(fed)
            takes.without.append(without)
            takes.fed_without.append(fed_without)
            print(f"\rround {number + 1} of {setup.rounds} ", end="", flush=True)
    text = (
        f"A story of {setup.turns} turns is left and resumed: context {setup.ctx}, {setup.threads} threads, "
        f"{setup.rounds} rounds of a new story, resuming, and resuming without the cache file"
    )
    return results.section("resumed", "Resuming", text, rows(takes, live, left, size), setup.model.stem)


def main() -> None:
    options = parser(__doc__ or "")
    options.set_defaults(turns=20)
    chosen = options.parse_args()
    results.keep(measure(setup(chosen)), chosen.results)


if __name__ == "__main__":
    main()
