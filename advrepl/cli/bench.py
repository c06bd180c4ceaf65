"""`advrepl bench`: measure, and show what was measured as a table or as JSON."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from advrepl import paths
from advrepl.cli.flags import AsJson, GpuLayers, KvType, ModelFlag, Threads, say, tell, whole
from advrepl.cli.tables import show_json

if TYPE_CHECKING:
    from advrepl.engines.base import LoadOptions
    from advrepl.engines.remote.address import Address
    from advrepl.tuning.bench import BenchResult, Spread
    from advrepl.tuning.bench_server import ServerBench


def bench(
    model: ModelFlag = None,
    ctx: Annotated[int, whole("--ctx", help="Context in tokens.", least=256, show_default=True)] = 1024,
    turns: Annotated[int, whole("--turns", help="Turns of the story that is played.", least=2, show_default=True)] = 40,
    runs: Annotated[int, whole("--runs", help="How often each figure is taken.", least=1, show_default=True)] = 3,
    threads: Threads = None,
    gpu_layers: GpuLayers = None,
    kv: KvType = None,
    json: AsJson = False,
) -> None:
    """Measure this machine with a model: loading, reading, writing, sliding."""
    from advrepl.cli.console import bars
    from advrepl.engines import models
    from advrepl.engines.base import LoadOptions
    from advrepl.engines.llama.loading import devices
    from advrepl.tuning import store as tuning_store
    from advrepl.tuning.bench import BenchPlan, measure

    path = models.locate(model, tell)
    if not isinstance(path, Path):
        _bench_server(path, LoadOptions(ctx), turns, runs, json)
        return
    asked = LoadOptions(ctx, threads, gpu_layers, kv)
    options, told = tuning_store.options(path, paths.tuning_file(), asked, devices())
    if told:
        tell(told)
    with bars() as step:
        result = measure(BenchPlan(path, options, turns, runs), step("measuring"))
    if json:
        show_json(result)
    else:
        where = "GPU" if result.on_gpu else f"{result.threads} threads"
        _show(f"{result.model}, context {result.context} ({result.kv}), {where}", runs, rows(result))


def _bench_server(address: "Address", options: "LoadOptions", turns: int, runs: int, json: bool) -> None:
    from advrepl.cli.console import bars
    from advrepl.engines.remote.opening import open_server
    from advrepl.tuning.bench_server import measure_server

    engine = open_server(address, options, tell)
    try:
        with bars() as step:
            result = measure_server(engine, turns, runs, step("measuring"))
    finally:
        engine.close()
    if json:
        show_json(result)
        return
    _show(f"{result.model} on {result.server}, context {result.context}", runs, _server_rows(result))


def _show(title: str, runs: int, figures: list[tuple[str, str, str]]) -> None:
    from advrepl.cli.tables import listing, screen_width

    say(f"{title}; median (least to most) of {runs} runs")
    for line in listing(("figure", "value", "what it is"), figures, screen_width(), right=("value",)):
        say(line)


def _server_rows(result: "ServerBench") -> list[tuple[str, str, str]]:
    told, story = result.overhead_ms, result.story
    return [
        ("overhead", _ms(told) if told else "not told", "a short request, beside what the server computed"),
        ("write", _rate(result.generate_rate), "writing as in play"),
        ("first piece", _ms(story.first_before_ms), "from the line to the reply, before the window slides"),
        (
            "  after sliding",
            _ms(story.first_after_ms),
            _slides(story.slid, "moved by the server" if story.moved else "read again"),
        ),
        ("  read beyond turn", str(story.prefilled_beyond_turn), "most tokens beside those of the new turn"),
    ]


def rows(result: "BenchResult") -> list[tuple[str, str, str]]:
    """Return the figures as rows of name, value and what it is."""
    return [
        ("load", _seconds(result.load_seconds), "from the file (in the system's cache) to ready"),
        ("read", _rate(result.prefill_rate), "reading a prompt of 512 tokens"),
        ("write", _rate(result.generate_rate), "writing as in play, with all samplers"),
        ("decode", _rate(result.decode_rate), "llama.cpp alone, nothing chosen: what its own bench measures"),
        ("write / decode", f"{result.generate_rate.median / result.decode_rate.median:.3f}", "1 would cost nothing"),
        ("memory", f"{result.memory_mb:.0f} MB", "resident, the whole program with the model"),
        ("first piece", _ms(result.shift.first_before_ms), "from the line to the reply, before the window slides"),
        (
            "  after sliding",
            _ms(result.shift.first_after_ms),
            _slides(result.shift.slid, "moved" if result.shift.moved else "read again"),
        ),
        ("  --no-shift", _ms(result.no_shift.first_after_ms), _slides(result.no_shift.slid, "read again")),
        ("  read beyond turn", str(result.shift.prefilled_beyond_turn), "most tokens beside those of the new turn"),
    ]


def _slides(slid: int, how: str) -> str:
    return f"{slid} slides in the story; what stays is {how}"


def _seconds(s: "Spread") -> str:
    return f"{s.median:.2f} s ({s.least:.2f} to {s.most:.2f})"


def _rate(s: "Spread") -> str:
    return f"{s.median:.1f} tokens/s ({s.least:.1f} to {s.most:.1f})"


def _ms(s: "Spread") -> str:
    return f"{s.median:.0f} ms ({s.least:.0f} to {s.most:.0f})"
