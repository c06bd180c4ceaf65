"""Tokens a second beside llama.cpp's own bench, and what Python adds to each token.

Run from the checkout: python -m tests.bench.rates [--help]
llama-bench is taken from the PATH, and left out if it is not there.
"""

import argparse
import json
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import llama_cpp.llama_cpp as lib

from advrepl.engines.base import LoadOptions
from advrepl.engines.llama import sampler
from advrepl.engines.llama.engine import LlamaEngine
from advrepl.engines.llama.log import Log
from advrepl.engines.llama.model import LlamaModel
from advrepl.play import session
from advrepl.play.session import Settings
from advrepl.prompt.segments import Prompt, Segment, Window
from advrepl.sampling.params import Sampling
from tests.bench import results
from tests.bench.results import Row, Section, missing, row
from tests.bench.setup import Setup, found, line, parser, setup

BENCH = "llama-bench"
IN_A_ROW = 3  # takes, of which the fastest counts
PAIRED, PAIRS = 16, 20  # tokens in a short take, and how many of these for each depth and round
SHARE = 0.97  # goals
PYTHON_MS = 0.2


@dataclass
class Takes:
    write: list[float] = field(default_factory=list)  # tokens a second
    decode: list[float] = field(default_factory=list)
    bare: list[float] = field(default_factory=list)  # ours by that of nothing but llama.cpp, pair by pair
    theirs: dict[str, list[float]] = field(default_factory=dict)  # by what llama-bench does about flash attention


class Between:
    """What lies between two calls of llama.cpp's decoder: its samplers, and Python.

    They are watched in different passes, as each look at the clock costs several microseconds after a decode.
    """

    def __init__(self) -> None:
        self.samplers: list[float] = []  # milliseconds for a token
        self.whole: list[float] = []  # with the samplers
        self.left: float | None = None  # when the last call returned
        self._sampling = 0.0  # seconds in the samplers since the last token was chosen

    @property
    def python(self) -> list[float]:
        """Milliseconds for a token, less what the samplers usually take."""
        usual = statistics.median(self.samplers)
        return [whole - usual for whole in self.whole]

    @contextmanager
    def watching(self) -> Iterator[None]:
        """The whole time between two calls."""
        decode = lib.llama_decode

        def decoded(context: Any, batch: Any) -> int:
            if self.left and batch.n_tokens == 1:
                self.whole.append((time.perf_counter() - self.left) * 1000)
            code = decode(context, batch)
            self.left = time.perf_counter()
            return int(code)

        lib.llama_decode = decoded
        try:
            yield
        finally:
            lib.llama_decode = decode

    @contextmanager
    def watching_samplers(self) -> Iterator[None]:
        apply, accept = sampler._apply, sampler._accept

        def applied(chain: Any, what: Any) -> None:
            self._sampling -= time.perf_counter()
            apply(chain, what)
            self._sampling += time.perf_counter()

        def accepted(chain: Any, what: Any) -> None:
            self._sampling -= time.perf_counter()
            accept(chain, what)
            self._sampling += time.perf_counter()
            self.samplers.append(self._sampling * 1000)
            self._sampling = 0.0

        sampler._apply, sampler._accept = applied, accepted
        try:
            yield
        finally:
            sampler._apply, sampler._accept = apply, accept

    def begin(self) -> None:
        self.left = None


def window(loaded: LlamaModel, depth: int) -> Window:
    """A text of so many tokens, to write behind."""
    text = " ".join(map(line, range(depth)))
    words = loaded.vocab.plain(text)[:depth]
    text = text[: len(b"".join(map(loaded.vocab.piece, words)))]
    return Window(Prompt((Segment("", text),), (), ()), 0, depth, loaded.n_ctx)


def write(loaded: LlamaModel, behind: Window, tokens: int, seed: int) -> float:
    """Tokens a second as in play, with all samplers."""
    engine = LlamaEngine(loaded)
    pieces = engine.generate(behind, Sampling(seed=seed, max_tokens=tokens))
    next(pieces)
    started, before = time.perf_counter(), engine.stats.generated
    for _ in pieces:
        pass
    return (engine.stats.generated - before) / (time.perf_counter() - started)


def decode(loaded: LlamaModel, depth: int, tokens: int) -> float:
    """Tokens a second without choosing any; the cache holds `depth` tokens, and what comes behind them is dropped."""
    loaded.remove(depth, -1)
    started = time.perf_counter()
    for index in range(tokens):
        loaded.decode([100 + index], depth + index)
    return tokens / (time.perf_counter() - started)


def bare(loaded: LlamaModel, depth: int, tokens: int) -> float:
    """The same by nothing but calls of llama.cpp, as llama-bench makes them: that cannot be stopped."""
    context, token = loaded.context, (lib.llama_token * 1)()
    loaded.remove(depth, -1)
    with loaded.unstoppable():
        started = time.perf_counter()
        for index in range(tokens):
            token[0] = 100 + index
            lib.llama_decode(context, lib.llama_batch_get_one(token, 1))
            lib.llama_synchronize(context)
        return tokens / (time.perf_counter() - started)


def pairs(loaded: LlamaModel, depth: int) -> Iterator[float]:
    """Our rate by that of bare calls, in takes so short that what else runs disturbs both or none."""
    for number in range(PAIRS):
        takes = (decode, bare) if number % 2 else (bare, decode)
        rates = {take: take(loaded, depth, PAIRED) for take in takes}
        yield rates[decode] / rates[bare]


def best(take: Callable[[], float]) -> float:
    """The fastest of some takes in a row: what else runs on a machine only ever slows."""
    return max(take() for _ in range(IN_A_ROW))


def theirs(tool: str, setup: Setup, depth: int, tokens: int, flash: str) -> float:
    command = [tool, "-m", str(setup.model), "-p", "0", "-n", str(tokens), "-d", str(depth), "-t", str(setup.threads)]
    command += ["-fa", flash, *(["-ngl", str(setup.gpu_layers)] if setup.gpu_layers is not None else [])]
    done = subprocess.run([*command, "-r", str(IN_A_ROW), "-o", "json"], capture_output=True, text=True, check=True)
    return float(max(json.loads(done.stdout)[0]["samples_ts"]))


def in_a_game(setup: Setup, turns: int, between: Between) -> None:
    """Play without options; what the game itself adds to each token counts as well."""
    with tempfile.TemporaryDirectory(prefix="advrepl-bench-") as folder:
        game = session.new_game(
            "start",
            Settings(
                str(setup.model), saves=Path(folder), ctx=setup.ctx, threads=setup.threads, options=0,
                gpu_layers=setup.gpu_layers, sampling={"seed": 1},
            ),
        )  # fmt: skip
        list(game.open())
        for turn in range(2 * turns):
            between.begin()
            with between.watching() if turn % 2 else between.watching_samplers():
                for _ in game.act(line(turn)):
                    pass
        game.close()


def measure(setup: Setup, depths: Sequence[int], tokens: int) -> Section:
    takes, alone, game = {depth: Takes() for depth in depths}, Between(), Between()
    log = Log(Path(tempfile.gettempdir()) / "advrepl-bench.log")
    same = ""
    for number in range(setup.rounds):
        for depth, taken in takes.items():
            # As llama-bench does: a new context each time, which just holds depth and tokens. An older one is up to 4%
            # slower here, a larger one 2% [measured].
            loaded = LlamaModel(setup.model, LoadOptions(depth + tokens + 2, setup.threads, setup.gpu_layers), log)
            same = "on" if loaded.flash_attn else "off"
            print(f"\rround {number + 1} of {setup.rounds}, behind {depth} ", end="", flush=True)
            behind = window(loaded, depth)
            alone.begin()
            with alone.watching():
                write(loaded, behind, tokens // 2, number)
            with alone.watching_samplers():
                write(loaded, behind, tokens // 2, number)
            taken.write.append(best(partial(write, loaded, behind, tokens, number)))
            taken.decode.append(best(partial(decode, loaded, depth, tokens)))
            taken.bare += pairs(loaded, depth)
            if tool := found(BENCH):
                for flash in (same, "auto"):
                    taken.theirs.setdefault(flash, []).append(theirs(tool, setup, depth, tokens, flash))
            loaded.close()
    in_a_game(setup, max(setup.rounds // 2, 1), game)
    table = [row for depth, taken in takes.items() for row in rows(depth, taken, same)]
    for name, between in (("engine", alone), ("whole game, no options", game)):
        table.append(_quarters(f"Python for each token, {name}", between.python, "ms", at_most=PYTHON_MS))
        table.append(_quarters(f"llama.cpp's samplers for each token, {name}", between.samplers, "ms"))
    text = (
        f"{tokens} tokens at a time in a context that just holds them, {setup.threads} threads, {setup.rounds} rounds "
        f"in turn (`{BENCH} -p 0 -n {tokens} -d DEPTH -fa {same}` as advrepl does, and `-fa auto`, its default), of "
        f"each the fastest of {IN_A_ROW} takes in a row. Bare calls are what `{BENCH}` makes, in turn with ours and "
        f"{PAIRED} tokens at a time, which leaves out most of what else the machine does. Python's part is what lies "
        "between two calls of `llama_decode`, less the samplers. The ends of these two are the quarters"
    )
    return results.section("rates", "Writing", text, table, setup.model.stem)


def rows(depth: int, takes: Takes, same: str) -> list[Row]:
    table = [
        row(f"behind {depth}: advrepl, writing as in play, with all samplers", takes.write, "tokens/s"),
        row(f"behind {depth}: advrepl, decoding only", takes.decode, "tokens/s"),
        _quarters(f"behind {depth}: decoding / bare calls in the same process", takes.bare, at_least=SHARE),
    ]
    if not takes.theirs:
        return [*table, missing(f"behind {depth}: decoding / {BENCH}", f"{BENCH} is not on the PATH", at_least=SHARE)]
    for flash, rates in takes.theirs.items():
        name, goal = f"`{BENCH} -fa {flash}`", {"at_least": SHARE} if flash == same else {}
        decoding = [one / other for one, other in zip(takes.decode, rates, strict=True)]
        writing = [one / other for one, other in zip(takes.write, rates, strict=True)]
        table += [
            row(f"behind {depth}: {name}", rates, "tokens/s"),
            row(f"behind {depth}: decoding / {name}", decoding, "", **goal),
            row(f"behind {depth}: writing / {name}", writing, "", **goal),
            Row(f"behind {depth}: the fastest decoding / the fastest of {name}", max(takes.decode) / max(rates)),
        ]
    return table


def _quarters(name: str, takes: list[float], unit: str = "", **goal: float) -> Row:
    return row(name, statistics.quantiles(takes, n=4), unit, **goal)


def arguments() -> argparse.ArgumentParser:
    options = parser(__doc__ or "")
    options.add_argument("--depths", type=int, nargs="+", default=[512, 880], help="tokens in the cache")
    options.add_argument("--tokens", type=int, default=64)
    options.set_defaults(rounds=5)
    return options


def main() -> None:
    chosen = arguments().parse_args()
    results.keep(measure(setup(chosen), chosen.depths, chosen.tokens), chosen.results)


if __name__ == "__main__":
    main()
