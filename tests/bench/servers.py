"""A story on real servers: what a request costs, what is read at a slide beside a plain client, options, four players.

Run from the checkout: python -m tests.bench.servers [--help]; `make servers` makes the servers that it looks for.
"""

import json
import statistics
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx

from advrepl.engines import models
from advrepl.engines.base import LoadOptions
from advrepl.engines.remote.address import read_address
from advrepl.engines.remote.engine import RemoteEngine
from advrepl.engines.remote.opening import open_server
from advrepl.prompt.window import build
from advrepl.sampling.params import Sampling
from advrepl.story.scenario import START
from advrepl.story.tree import Story
from advrepl.tuning.bench import SPARE_TOKENS
from advrepl.tuning.bench_server import measure_server
from tests.bench import results
from tests.bench.program import Program
from tests.bench.results import Row, Section, row
from tests.bench.setup import READING_SECONDS, Setup, line, opening, parser, setup, spelled
from tests.servers.kinds import Kind, Running, kinds, started

OVERHEAD, BEYOND, PICKED, CROWD = 15.0, 70.0, 60.0, 1.5  # goals: ms, tokens, ms, times one player alone
PLAYERS = 4
PICKS = 6
VLLM = "vLLM"
USUAL = ("llama-server", VLLM)  # xllamacpp is the same program, workers cost what their network does
# Three slides on a llama-server, two on a vLLM; all of it takes seven minutes on two cores.
USUALLY = {"ctx": 768, "turns": 20, "reply": 32, "rounds": 2}
READING = 3.0
FRESH = httpx.Limits(max_keepalive_connections=0)  # a llama-server closes what it says to keep


class Plain:
    """A plain client: the whole story as one text, the oldest turns dropped just to fit, whatever the server holds."""

    def __init__(self, url: str, model: str, n_ctx: int, reply: int) -> None:
        self._url, self._model, self._room, self._reply = url, model, n_ctx - reply - SPARE_TOKENS, reply
        self._turns, self._dropped, self._http = (
            opening("chat"),
            0,
            httpx.Client(timeout=600, trust_env=False, limits=FRESH),
        )
        self.slid = list[int]()

    def say(self, number: int) -> int:
        """Take a turn; return how many tokens the server read for it, beyond the turn itself once turns are dropped."""
        self._turns.append(("user", line(number)))
        dropped = self._dropped
        while self._size(prompt := spelled("chat", START, self._turns[self._dropped :])) > self._room:
            self._dropped += 1
        text, read = self._complete(prompt, number)
        self._turns.append(("model", text.strip() or "…"))
        if self._dropped > dropped:
            self.slid.append(read)
        return read

    def _size(self, text: str) -> int:
        field = {"content": text, "prompt": text}
        return len(self._http.post(f"{self._url}/tokenize", json=field).json()["tokens"])

    def _complete(self, prompt: str, seed: int) -> tuple[str, int]:
        asked = {
            "model": self._model, "prompt": prompt, "max_tokens": self._reply, "seed": seed, "stop": ["<|im_end|>"],
            "stream": True, "stream_options": {"include_usage": True},
        }  # fmt: skip
        text, read = "", 0
        with self._http.stream("POST", f"{self._url}/v1/completions", json=asked) as response:
            for event in _events(response):
                text += event["choices"][0]["text"] if event["choices"] else ""
                if usage := event.get("usage"):
                    read = usage["prompt_tokens"] - (usage["prompt_tokens_details"] or {}).get("cached_tokens", 0)
        return text, read


def ours(engine: RemoteEngine, turns: int, reply: int) -> tuple[int, list[int], list[int]]:
    """Play the same turns as advrepl does: all tokens read, those of slides, and those beyond the new turn there."""
    format, story, start = models.choose_format(None, engine), Story(), 0
    read, slides, beyond = 0, list[int](), list[int]()
    for number in range(turns):
        story.say("user", line(number))
        budget = engine.n_ctx - reply - SPARE_TOKENS
        window = build(format, START, story, engine.sizes, budget, start, slide_to=engine.slide_to)
        slid, start = window.evicted > start, window.evicted
        text = "".join(engine.generate(window, Sampling(seed=number, max_tokens=reply), stop=format.stops(START)))
        story.say("model", text.strip() or "…")
        read += engine.stats.prefilled
        if slid:
            slides.append(engine.stats.prefilled)
            beyond.append(slides[-1] - sum(map(engine.count, (*window.prompt.blocks[-1], *window.prompt.cue))))
    return read, slides, beyond


def picked(url: str, picks: int, ctx: int) -> list[float]:
    """Milliseconds to the first words of an option that is picked after some seconds of reading."""
    firsts = []
    with tempfile.TemporaryDirectory(prefix="advrepl-bench-") as folder:
        how = ("--seed", "1", "--plain-model", "--max-tokens", "48", "--ctx", str(ctx), "--ahead", "--saves", folder)
        with Program("play", "start", "-m", url, *how, home=Path(folder)) as program:
            program.ready()
            for number in range(picks):
                time.sleep(READING_SECONDS)
                firsts.append(program.say(str(number % 3 + 1)).first * 1000)
    return firsts


def crowd(url: str, tokenizer: Path, players: int, turns: int, reply: int, reading: float) -> list[float]:
    """Milliseconds to the first word, the median of each of so many players who play at once."""

    def play(player: int) -> float:
        engine = open_server(read_address(url), LoadOptions(None), lambda *_: None, tokenizer)
        format, story, start, firsts = models.choose_format(None, engine), Story(), 0, []
        time.sleep(reading * player / players)
        try:
            for number in range(turns):
                story.say("user", line(player * turns + number))
                asked = time.perf_counter()
                budget = engine.n_ctx - reply - SPARE_TOKENS
                window = build(format, START, story, engine.sizes, budget, start, slide_to=engine.slide_to)
                start, text = window.evicted, ""
                for piece in engine.generate(window, Sampling(seed=number, max_tokens=reply), stop=format.stops(START)):
                    if piece and not text:
                        firsts.append((time.perf_counter() - asked) * 1000)
                    text += piece
                story.say("model", text.strip() or "…")
                time.sleep(reading)
        finally:
            engine.close()
        return statistics.median(firsts[1:])

    with ThreadPoolExecutor(players) as pool:
        return list(pool.map(play, range(players)))


def alone(server: Running, name: str, plan: Setup) -> list[Row]:
    """One player's figures on a server."""
    engine, vllm = open_server(read_address(server.url), LoadOptions(plan.ctx), print, plan.model), name == VLLM
    try:
        found = measure_server(engine, 2, 1, lambda *_: None)
        read, slides, beyond = ours(engine, plan.turns, plan.reply)
        plain = Plain(server.url, engine.server.model, engine.n_ctx, plan.reply)
        plainly = sum(plain.say(number) for number in range(plan.turns))
    finally:
        engine.close()
    rows = [results.missing(f"{name}: overhead of a request", "it does not say what it computed")]
    if cost := found.overhead_ms:
        rows = [Row(f"{name}: overhead of a request", cost.median, "ms", cost.least, cost.most, at_most=OVERHEAD)]
    goal = {} if vllm else {"at_most": BEYOND}
    rows.append(row(f"{name}: read at a slide beyond the new turn", beyond, "tokens", **goal))
    rows.append(row(f"{name}: read at a slide, a plain client", plain.slid, "tokens"))
    note = f"{read} and {plainly} tokens; slides: {len(slides)} and {len(plain.slid)}"
    if slides and plain.slid:
        share = statistics.median(slides) / statistics.median(plain.slid)
        rows.append(Row(f"{name}: read at a slide / by a plain client", share, at_most=1.0))
    rows.append(Row(f"{name}: all that is read / by a plain client", read / plainly, at_most=1.0, note=note))
    firsts = picked(server.url, PICKS, plan.ctx)
    return [*rows, row(f"{name}: first words of an option picked after 5 s", firsts, "ms", at_most=PICKED)]


def together(server: Running, name: str, plan: Setup, reading: float) -> list[Row]:
    """Four players at once beside one alone, before and after."""
    takes = [crowd(server.url, plan.model, count, plan.rounds * 3, plan.reply, reading) for count in (1, PLAYERS, 1)]
    one = statistics.mean([*takes[0], *takes[2]])
    what = f"{name}: first word, {PLAYERS} players who read {reading:g} s"
    return [
        row(f"{name}: first word, one player alone", [*takes[0], *takes[2]], "ms"),
        row(what, takes[1], "ms"),
        Row(f"{what} / one alone, the slowest of them", max(takes[1]) / one, at_most=CROWD),
    ]


def measure(plan: Setup, only: list[str] | None, reading: float) -> Section:
    rows = list[Row]()
    for kind in _asked(kinds(plan.model, plan.ctx, plan.threads), only):
        with started(kind) as server:
            rows += alone(server, kind.name, plan)
            rows += together(server, kind.name, plan, reading) if kind.name == VLLM else []
    for kind in _asked(kinds(plan.model, plan.ctx, plan.threads, PLAYERS), only):
        if kind.name != VLLM and not kind.workers:
            with started(kind) as server:
                rows += together(server, kind.name, plan, reading)
    how = f"context {plan.ctx}, {plan.threads} threads, {plan.turns} turns, replies of {plan.reply} tokens"
    return results.section("servers", "On a server", f"Servers on this machine: {how}", rows, plan.model.stem)


def _asked(there: list[Kind], only: list[str] | None) -> list[Kind]:
    """Those that are asked for; a llama_cpp.server says nothing that could be measured."""
    return [kind for kind in there if kind.name in (only or USUAL)]


def _events(response: httpx.Response) -> Iterator[dict[str, Any]]:
    for text in response.iter_lines():
        if text.startswith("data: {"):
            yield json.loads(text[6:])


def main() -> None:
    options = parser(__doc__ or "")
    options.set_defaults(**USUALLY)
    options.add_argument("--only", nargs="*", metavar="NAME", help=f"of the servers that there are: {' '.join(USUAL)}")
    options.add_argument("--reading", type=float, default=READING, help="seconds of each of several players")
    chosen = options.parse_args()
    results.keep(measure(setup(chosen), chosen.only, chosen.reading), chosen.results)


if __name__ == "__main__":
    main()
