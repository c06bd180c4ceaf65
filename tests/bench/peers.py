"""The same story on advrepl and its peers, turn by turn in turn: how long until the first piece of each reply?

Run from the checkout: python -m tests.bench.peers [--help]
advrepl is played through `--json`, as another program would. llama-server is taken from the PATH, and left out if it is
not there, as is llama-cpp-python's own server without its packages (pip install 'llama-cpp-python[server]'). Those that
read everything again on each turn play the first round only: it takes them minutes.
"""

import importlib.util
import statistics
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from tests.bench import results
from tests.bench.program import Heard, Program
from tests.bench.results import Row, Section, missing, row
from tests.bench.rivals import BINDING_SERVER, SERVER, Binding, BindingServer, FrontEnd, Server
from tests.bench.setup import Setup, found, line, parser, setup

SETTLE = 0.05  # seconds between two programs: llama.cpp's threads spin for a while after their work
CACHE_REUSE = ("--cache-reuse", "16", "--context-shift")
ADVREPL = "advrepl"
OF_THE_BEST = 0.9  # the goal: our first piece comes in at most this part of the best peer's time


class Teller(Protocol):
    dropped: int

    def say(self, line: str) -> Heard: ...
    def close(self) -> None: ...


class Ours:
    """advrepl, without anything that it does while the player reads."""

    def __init__(self, setup: Setup, seed: int) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="advrepl-bench-")
        self._program = Program(
            "play", "start", "--options", "0", "--seed", str(seed), "--no-kv-file", *setup.play_options,
            "--saves", self._folder.name, home=Path(self._folder.name),
        )  # fmt: skip
        self._program.ready()
        self.dropped = 0

    def say(self, line: str) -> Heard:
        heard = self._program.say(line)
        self.dropped = heard.stats["evicted"]
        return heard

    def close(self) -> None:
        self._program.leave()
        self._folder.cleanup()


@dataclass
class Takes:
    """What one of them needed, round by round."""

    first_ms: list[list[float]] = field(default_factory=list)
    before: list[float] = field(default_factory=list)  # ms, until the first turn was dropped
    after: list[float] = field(default_factory=list)

    def add(self, heard: Heard, dropped: int) -> None:
        self.first_ms[-1].append(heard.first * 1000)
        (self.after if dropped else self.before).append(heard.first * 1000)

    def curve(self) -> list[float]:
        return [round(statistics.median(turn), 1) for turn in zip(*self.first_ms, strict=True)]


def openers(setup: Setup, format: str) -> dict[str, Callable[[int], Teller]]:
    """How to open each of them, by name; each has the story's seed."""
    kinds: dict[str, Callable[[int], Teller]] = {ADVREPL: lambda seed: Ours(setup, seed)}
    if found(SERVER):
        reuse = f"{SERVER} {' '.join(CACHE_REUSE)}"
        kinds[reuse] = lambda seed: FrontEnd(Server(setup, *CACHE_REUSE), setup, format, seed)
        kinds[SERVER] = lambda seed: FrontEnd(Server(setup), setup, format, seed)
    if all(map(importlib.util.find_spec, ("llama_cpp.server", "uvicorn", "fastapi", "sse_starlette"))):
        kinds[BINDING_SERVER] = lambda seed: FrontEnd(BindingServer(setup), setup, format, seed)
    kinds["llama-cpp-python"] = lambda seed: FrontEnd(Binding(setup), setup, format, seed)
    return kinds


def play(setup: Setup, kinds: dict[str, Callable[[int], Teller]]) -> dict[str, Takes]:
    """Every round is a story of its own; in each turn of it they take turns, and each begins as often as the others."""
    takes = {name: Takes() for name in kinds}
    for number in range(setup.rounds):
        playing = [name for name in kinds if number == 0 or quick(takes[name])]
        with ExitStack() as stack:
            tellers = {name: stack.enter_context(closing(kinds[name](100 * number))) for name in playing}
            for name in playing:
                takes[name].first_ms.append([])
            for turn in range(setup.turns):
                for name in playing[turn % len(playing) :] + playing[: turn % len(playing)]:
                    time.sleep(SETTLE)
                    heard = tellers[name].say(line(turn))
                    takes[name].add(heard, tellers[name].dropped)
                print(f"\rround {number + 1} of {setup.rounds}, turn {turn + 1} of {setup.turns} ", end="", flush=True)
    return takes


def quick(takes: Takes) -> bool:
    """Does it still take less than a second after the first turn was dropped?"""
    return not takes.after or statistics.median(takes.after) < 1000


def rows(takes: dict[str, Takes]) -> list[Row]:
    """A figure for each of them before and after sliding, and how the best of the others compares."""
    table = []
    for name, taken in takes.items():
        table.append(row(f"{name}: before a turn was dropped", taken.before[1:] or taken.before, "ms"))
        table.append(row(f"{name}: from then on", taken.after, "ms"))
    others = {name: statistics.median(t.after) for name, t in takes.items() if name != ADVREPL and t.after}
    if not others or not takes[ADVREPL].after:
        return [*table, missing("advrepl / the best peer, from then on", "the story was too short to slide")]
    best = min(others, key=others.__getitem__)
    ratio = statistics.median(takes[ADVREPL].after) / others[best]
    note = f"the best is {best}" if found(SERVER) else f"the best is {best}; {SERVER} is not on the PATH"
    return [*table, Row("advrepl / the best peer, from then on", ratio, at_most=OF_THE_BEST, note=note)]


def measure(setup: Setup, format: str = "chat") -> Section:
    takes = play(setup, openers(setup, format))
    text = (
        f"Time to the first piece of a reply to free text: context {setup.ctx}, {setup.threads} threads, a story of "
        f"{setup.turns} turns, replies of at most {setup.reply} tokens, {setup.rounds} rounds, all in turn. The peers "
        "get the whole prompt from a front-end that drops the oldest turns just to fit; those that need more than a "
        "second then play one round."
    )
    curves = {name: taken.curve() for name, taken in takes.items()}
    return results.section("peers", "Free text, beside the peers", text, rows(takes), setup.model.stem, curves=curves)


def main() -> None:
    options = parser(__doc__ or "").parse_args()
    results.keep(measure(setup(options)), options.results)


if __name__ == "__main__":
    main()
