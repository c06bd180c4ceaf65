"""A model of the size that people play, and a full window: sliding, resuming, writing ahead, memory.

Run from the checkout: python -m tests.bench.seven -m FILE.gguf [--help]
tests.bench.make_llama makes a 7B of random weights: free of meaning, right in cost. 18 minutes on two cores.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from advrepl.engines.base import LoadOptions, Tuning
from advrepl.engines.llama.log import Log
from advrepl.engines.llama.model import LlamaModel
from advrepl.prompt.segments import Segment
from advrepl.story.scenario import START
from tests import ROOT
from tests.bench import results
from tests.bench.keys import pauses, still
from tests.bench.long_story import save, tell
from tests.bench.peers import CACHE_REUSE
from tests.bench.picked import pick
from tests.bench.program import Heard, Program
from tests.bench.results import Row, Section, missing, row
from tests.bench.rivals import SERVER, FrontEnd, Server
from tests.bench.setup import READING_SECONDS, Setup, found, line, parser, setup, spelled

NAME = "full"
SPARE = 100  # tokens of the window that the story leaves free: it slides after a turn or two
TOLD = 200  # turns of the story
PICKS = 6
UNHURRIED = 15.0  # seconds: to read such a reply with three options, at five tokens a second


def seen(setup: Setup) -> int:
    """How many turns of the story fill the window, both sides counted."""
    log = Log(Path(tempfile.gettempdir()) / "advrepl-bench.log")
    loaded = LlamaModel(setup.model, LoadOptions(256, setup.threads, 0, tuning=Tuning(repack=False)), log)
    try:
        story, turns = tell(TOLD), 0
        while turns < len(story.turns):
            text = spelled("metharme", START, [(turn.role, turn.text) for turn in story.turns[-turns - 2 :]])
            if len(loaded.vocab.encode(Segment("", text), True)) + SPARE + setup.reply > setup.ctx:
                break
            turns += 2
        return turns
    finally:
        loaded.close()


@contextmanager
def resumed(setup: Setup, left: Path, *how: str, options: int = 0) -> Iterator[Program]:
    """The program, going on with a copy of the story."""
    with tempfile.TemporaryDirectory(prefix="advrepl-bench-", dir=left.parent) as copy:
        folder = Path(copy)
        shutil.copytree(
            left, folder, copy_function=os.link, dirs_exist_ok=True
        )  # files are replaced, never written into
        arguments = ["resume", NAME, "--options", str(options), *how, *setup.play_options, "--saves", copy]
        with Program(*arguments, home=folder) as program:
            yield program


def until_slid(setup: Setup, program: Program, before: int, after: int) -> tuple[list[Heard], list[Heard]]:
    """Say lines until the window has slid and so many more: the replies before that, and from then on."""
    first: list[Heard] = []
    then: list[Heard] = []
    while len(then) < after:
        heard = program.say(line(len(first) + len(then) + 1))
        (then if then or heard.stats["evicted"] > before else first).append(heard)
        print(f"\r{len(first)} turns before sliding, {len(then)} from then on ", end="", flush=True)
    return first, then


def read_and_leave(setup: Setup, left: Path) -> tuple[list[Row], str]:
    """The story is read in full, and left: what the cache file takes. And the format that it is spelled in."""
    arguments = ["resume", NAME, "--options", "0", *setup.play_options, "--saves", str(left)]
    with Program(*arguments, home=left) as program:
        ready = program.ready()
        heard = program.say(line(0))
        took = program.leave()
    size = (left / f"{NAME}.kv").stat().st_size
    return [
        Row("start to ready", ready, "s"),
        Row("first piece where all is read again", heard.first, "s", note=f"{heard.fed} tokens"),
        Row("leaving, with the cache file written", took, "s", note=f"{size / 1e6:,.0f} MB"),
    ], program.events[0]["format"]


def resuming(setup: Setup, left: Path) -> list[Row]:
    """Resume from the cache file, go on until the window has slid; the same without moving."""
    with resumed(setup, left) as program:
        ready = program.ready()
        heard = program.say(line(0))
        table = [
            Row("resumed: start to ready", ready, "s"),
            Row("resumed: first piece", heard.first, "s", note=f"{heard.fed} tokens fed"),
        ]
        before, after = until_slid(setup, program, heard.stats["evicted"], 3)
        resident = program.resident()
    with resumed(setup, left, "--no-shift") as program:
        program.ready()
        _, again = until_slid(setup, program, heard.stats["evicted"], 1)
    return [
        *table,
        row("first piece before sliding", [h.first for h in (heard, *before)], "s"),
        row("first piece from then on", [h.first for h in after], "s"),
        Row("the slide itself", after[0].first, "s", note=f"{after[0].fed} tokens fed"),
        Row("the slide with `--no-shift`", again[0].first, "s", note=f"{again[0].fed} tokens fed"),
        Row("memory while playing", resident / 1e6, "MB"),
    ]


def peer(setup: Setup, turns: int, format: str) -> list[Row]:
    """llama.cpp's server with the same story, dropping the oldest turns from its first line on."""
    name = " ".join((SERVER, *CACHE_REUSE))
    if not found(SERVER):
        return [missing(name, f"{SERVER} is not on the PATH")]
    story = [(turn.role, turn.text) for turn in tell(TOLD).turns[-turns:]]
    with closing(FrontEnd(Server(setup, *CACHE_REUSE), setup, format, 1, story)) as front_end:
        first = front_end.say(line(0))
        dropping = []
        for turn in range(1, 6):
            dropped = front_end.dropped
            heard = front_end.say(line(turn))
            dropping += [heard.first] if front_end.dropped > dropped else []
            print(f"\rthe peer, turn {turn} of 5 ", end="", flush=True)
    return [
        Row(f"{name}: first piece where all is read", first.first, "s"),
        row(f"{name}: first piece of turns that drop others", dropping, "s"),
    ]


def memory(setup: Setup) -> list[Row]:
    table = []
    for how, words in (("repack", "weights repacked"), ("plain", "weights as in the file")):
        layers = "all" if setup.gpu_layers is None else str(setup.gpu_layers)
        command = [sys.executable, "-m", "tests.bench.loading", str(setup.model), str(setup.ctx), str(setup.threads)]
        done = subprocess.run([*command, layers, how], stdout=subprocess.PIPE, check=True, cwd=ROOT)
        figures: dict[str, Any] = json.loads(done.stdout)
        pages = f"{figures['file'] / 1e6:,.0f} MB of it the file's pages, which the system can drop"
        table += [
            Row(f"{words}: load", figures["load"], "s"),
            Row(f"{words}: feed", figures["feed"], "tokens/s"),
            Row(f"{words}: write", figures["write"], "tokens/s"),
            Row(f"{words}: memory", figures["resident"] / 1e6, "MB", note=pages),
        ]
    return table


def picking(setup: Setup) -> list[Row]:
    table = []
    for reading in (READING_SECONDS, UNHURRIED):
        heard, name = pick(setup, PICKS, reading, "--ahead"), f"an option picked after {reading:g} s"
        table += [
            row(f"{name}: first piece", [h.first * 1000 for h in heard], "ms"),
            row(f"{name}: of the reply there within 0.1 s", [h.at_once * 100 for h in heard], "%"),
        ]
    return [*table, *still(pauses(setup, 3))]


def measure(setup: Setup) -> Section:
    with tempfile.TemporaryDirectory(prefix="advrepl-bench-") as place:
        left = Path(place) / "left"
        left.mkdir()
        turns = seen(setup)
        save(left, NAME, tell(TOLD), turns)
        read, format = read_and_leave(setup, left)
        table = [*read, *resuming(setup, left), *picking(setup), *peer(setup, turns, format), *memory(setup)]
    text = (
        f"A story that fills the window: context {setup.ctx}, {setup.threads} threads, replies of at most "
        f"{setup.reply} tokens"
    )
    return results.section("seven", "A model of 7 billion weights", text, table, setup.model.stem)


def main() -> None:
    options = parser(__doc__ or "")
    options.set_defaults(ctx=2048, reply=16)
    chosen = options.parse_args()
    results.keep(measure(setup(chosen)), chosen.results)


if __name__ == "__main__":
    main()
