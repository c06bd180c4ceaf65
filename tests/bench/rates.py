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
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from advrepl import session
from advrepl.engines import native
from advrepl.engines.base import LoadOptions, Sampling
from advrepl.engines.llama import LlamaEngine
from advrepl.engines.log import Log
from advrepl.engines.native import Loaded
from advrepl.prompt.segments import Prompt, Segment, Window
from advrepl.session import Settings
from tests.bench import results
from tests.bench.results import Section, missing, row
from tests.bench.setup import Setup, found, line, parser, setup

BENCH = "llama-bench"
SHARE = 0.97  # goals
PYTHON_MS = 0.2


@dataclass
class Takes:
    write: list[float] = field(default_factory=list)  # tokens a second
    decode: list[float] = field(default_factory=list)
    theirs: list[float] = field(default_factory=list)
    python: list[float] = field(default_factory=list)  # ms a token


class Between:
    """How long Python had between two calls of llama.cpp's decoder."""

    def __init__(self) -> None:
        self.seconds: list[float] = []
        self.left: float | None = None  # when the last call returned

    @contextmanager
    def watching(self) -> Iterator[None]:
        decode = native.lib.llama_decode

        def timed(context: Any, batch: Any) -> int:
            if self.left and batch.n_tokens == 1:
                self.seconds.append(time.perf_counter() - self.left)
            code = decode(context, batch)
            self.left = time.perf_counter()
            return int(code)

        native.lib.llama_decode = timed
        try:
            yield
        finally:
            native.lib.llama_decode = decode

    def begin(self) -> None:
        self.left = None


def window(loaded: Loaded, depth: int) -> Window:
    """A text of so many tokens, to write behind."""
    text = " ".join(map(line, range(depth)))
    words = loaded.vocab.plain(text)[:depth]
    text = text[: len(b"".join(map(loaded.vocab.piece, words)))]
    return Window(Prompt((Segment("", text),), (), ()), 0, depth, loaded.n_ctx)


def write(loaded: Loaded, behind: Window, tokens: int, seed: int) -> float:
    """Tokens a second as in play, with all samplers."""
    engine = LlamaEngine(loaded)
    pieces = engine.generate(behind, Sampling(seed=seed, max_tokens=tokens))
    next(pieces)
    started, before = time.perf_counter(), engine.stats.generated
    for _ in pieces:
        pass
    return (engine.stats.generated - before) / (time.perf_counter() - started)


def decode(loaded: Loaded, depth: int, tokens: int) -> float:
    """Tokens a second without choosing any; the cache holds `depth` tokens, and what comes behind them is dropped."""
    loaded.remove(depth, -1)
    started = time.perf_counter()
    for index in range(tokens):
        loaded.decode([100 + index], depth + index)
    return tokens / (time.perf_counter() - started)


def theirs(setup: Setup, depth: int, tokens: int) -> float | None:
    tool = found(BENCH)
    if not tool:
        return None
    command = [tool, "-m", str(setup.model), "-p", "0", "-n", str(tokens), "-d", str(depth), "-t", str(setup.threads)]
    command += ["-ngl", str(setup.gpu_layers)] if setup.gpu_layers is not None else []
    done = subprocess.run([*command, "-r", "1", "-o", "json"], capture_output=True, text=True, check=True)
    return float(json.loads(done.stdout)[0]["avg_ts"])


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
        with between.watching():
            list(game.open())
            for turn in range(turns):
                between.begin()
                for _ in game.act(line(turn)):
                    pass
        game.close()


def measure(setup: Setup, depth: int, tokens: int) -> Section:
    takes, alone, game = Takes(), Between(), Between()
    log = Log(Path(tempfile.gettempdir()) / "advrepl-bench.log")
    loaded = Loaded(setup.model, LoadOptions(setup.ctx, setup.threads, setup.gpu_layers), log)
    behind = window(loaded, depth)
    for number in range(setup.rounds):
        print(f"\rround {number + 1} of {setup.rounds} ", end="", flush=True)
        alone.begin()
        takes.write.append(write(loaded, behind, tokens, number))
        takes.decode.append(decode(loaded, depth, tokens))
        rate = theirs(setup, depth, tokens)
        takes.theirs += [rate] if rate else []
        with alone.watching():
            write(loaded, behind, tokens // 2, number)
    loaded.close()
    in_a_game(setup, max(setup.rounds // 2, 1), game)
    return _section(setup, takes, alone, game, depth, tokens)


def _section(setup: Setup, takes: Takes, alone: Between, game: Between, depth: int, tokens: int) -> Section:
    table = [
        row("advrepl, writing as in play, with all samplers", takes.write, "tokens/s"),
        row("advrepl, decoding only", takes.decode, "tokens/s"),
    ]
    if takes.theirs:
        shares = [one / other for one, other in zip(takes.write, takes.theirs, strict=True)]
        plain = [one / other for one, other in zip(takes.decode, takes.theirs, strict=True)]
        table += [
            row(BENCH, takes.theirs, "tokens/s"),
            row(f"decoding / {BENCH}", plain, "", at_least=SHARE),
            row(f"writing / {BENCH}", shares, "", at_least=SHARE),
        ]
    else:
        table.append(missing(f"decoding / {BENCH}", f"{BENCH} is not on the PATH", at_least=SHARE))
    for name, between in (("engine", alone), ("whole game, no options", game)):
        table.append(_python(f"Python and sampling for each token, {name}", between))
    text = (
        f"Behind {depth} tokens, {tokens} at a time, {setup.threads} threads, {setup.rounds} rounds in turn "
        f"(`{BENCH} -p 0 -n {tokens} -d {depth}`). Python's part is what lies between two calls of `llama_decode`; "
        "its ends here are the quarters"
    )
    return results.section("rates", "Writing", text, table, setup.model.stem)


def _python(name: str, between: Between) -> results.Row:
    quarters = statistics.quantiles([1000 * seconds for seconds in between.seconds], n=4)
    return row(name, quarters, "ms", at_most=PYTHON_MS)


def arguments() -> argparse.ArgumentParser:
    options = parser(__doc__ or "")
    options.set_defaults(rounds=5)
    options.add_argument("--depth", type=int, default=512)
    options.add_argument("--tokens", type=int, default=128)
    return options


def main() -> None:
    chosen = arguments().parse_args()
    results.keep(measure(setup(chosen), chosen.depth, chosen.tokens), chosen.results)


if __name__ == "__main__":
    main()
