"""Stories played as the program is, in random order: is what follows as after reading all afresh, and is it told right?

Run from the checkout: python -m tests.bench.walks [--moves N] [--seed N] FILE.gguf ...
Each is a process that talks JSON lines: lines, options, /retry, /undo, /continue, /goto, /edit, /memory, pauses in
which replies are written ahead; left and resumed with another --ctx, --kv and --threads. In it, before a reply begins,
the chances of its first token are compared with those of a second context that reads the same tokens afresh (KL in
nats), and what llama.cpp was given since the reply before is counted.
"""

import argparse
import ctypes
import json
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.bench.program import Program

LINES = ("go on", "I open the door and look", "Who is there?", "I sit down and wait until somebody comes in", "no")
MOVES = (
    *("line",) * 6, *("option",) * 5, "retry", "retry", "undo", "undo", "continue", "goto", "edit", "memory", "branch",
    "redo", "resume", "resume",
)  # fmt: skip
# In nats: rounding, that of a cache in q8_0, and what is moved knows of what is gone.
LIMITS = {"fresh": 0.002, "quantized": 0.02, "moved": 1.0}
HEAD = "| model | moves | prompts | worst KL, unmoved | in q8_0 | moved | turns out | replies | wrong |"


class Watch:
    """Note what the engines of this process do, for the program that is played."""

    def __init__(self, log: Path) -> None:
        self.log, self.given, self.afresh = log, Counter[int](), list[Any]()

    def begin(self) -> None:
        import llama_cpp.llama_cpp as lib

        from advrepl.engines.llama.engine import LlamaEngine
        from advrepl.terminal.pipe import JsonOutput

        self.sampler, self.send, self.decode = LlamaEngine._sampler, JsonOutput._send, lib.llama_decode
        lib.llama_decode = lambda context, batch: self.counted(context, batch)
        LlamaEngine._sampler = lambda *how: self.compared(*how)  # type: ignore[method-assign]
        JsonOutput._send = lambda out, event, **more: self.told(out, event, more)  # type: ignore[method-assign]

    def counted(self, context: Any, batch: Any) -> int:
        code = int(self.decode(context, batch))
        self.given[ctypes.cast(context, ctypes.c_void_p).value or 0] += batch.n_tokens if code == 0 else 0
        return code

    def compared(self, engine: Any, sampling: Any, grammar: Any, prompt: Sequence[int]) -> Any:
        from advrepl.engines.base import LoadOptions
        from advrepl.engines.llama.model import LlamaModel
        from tests.bench.caches import chances, divergence

        model, quantized = engine.model, "q8_0" in engine.model.cache_types
        if not self.afresh:
            options = LoadOptions(model.n_ctx, 1, kv="q8_0" if quantized else "f16")
            self.afresh = [type("Afresh", (), {"model": LlamaModel(model.path, options, model._log)})()]
        here, right = chances(engine), self.afresh[0]
        right.model.remove(0, -1)
        for at in range(0, len(prompt), 32):
            right.model.decode(prompt[at : at + 32], at)
        kind = "moved" if engine.shifted else "quantized" if quantized else "fresh"
        held = engine.sequence.cached == list(prompt)
        with self.log.open("a") as file:
            print(json.dumps([divergence(chances(right), here), kind, len(prompt), held]), file=file)
        return self.sampler(engine, sampling, grammar, prompt)

    def told(self, output: Any, event: str, fields: dict[str, Any]) -> None:
        if event == "reply" and fields["stats"]["stop"] != "written":
            own = {ctypes.cast(each.model.context, ctypes.c_void_p).value for each in self.afresh}
            fields["given"] = sum(tokens for context, tokens in self.given.items() if context not in own)
            self.given.clear()
        self.send(output, event, **fields)


@dataclass
class Found:
    """What was seen of one model."""

    worst: dict[str, float] = field(default_factory=lambda: dict.fromkeys(LIMITS, 0.0))
    prompts: int = 0
    evicted: int = 0
    replies: int = 0
    wrong: list[str] = field(default_factory=list)
    seen: set[str] = field(default_factory=set)  # what /context said of the cache


class Watched(Program):
    """The program, watched."""

    def __init__(self, log: Path, *arguments: str, home: Path) -> None:
        self.log = log
        super().__init__(*arguments, home=home)

    def command(self, *arguments: str) -> list[str]:
        code = (
            f"from pathlib import Path; from tests.bench.walks import Watch; Watch(Path({str(self.log)!r})).begin(); "
        )
        return [sys.executable, "-c", f"{code}from advrepl.cli import main; main()", *arguments, "--json"]

    def until_context(self) -> tuple[list[dict[str, Any]], str]:
        """What came, and what /context says behind it."""
        self.send("/context")
        came = []
        while (event := self._next())["event"] != "note" or "tokens used" not in event["text"]:
            came.append(event)
        return came, event["text"]


class Walk:
    """A story of random moves."""

    def __init__(self, path: Path, rand: random.Random, folder: Path) -> None:
        self.rand, self.folder, self.log, self.done = rand, folder, folder / "log", list[str]()
        self.common = ["-m", str(path), "--max-tokens", "24", "--plain-model", "--saves", str(folder)]
        self.found = Found()

    def play(self, moves: int) -> Found:
        how = ("play", "start", "--save", "walk", "--seed", "1", "--threads", "1")
        program = self.opened(*how, "--ctx", self.rand.choice(("640", "768")))
        try:
            program.ready()
            for _ in range(moves):
                program = self.move(program)
        except SystemExit as end:
            self.found.wrong.append(f"{end} after {self.done[-12:]}")
        program.leave()
        self.read_log()
        return self.found

    def opened(self, *how: str) -> Watched:
        return Watched(self.log, *how, *self.common, home=self.folder)

    def move(self, program: Watched) -> Watched:
        """Do one thing, and hold what was told against what was done."""
        name = self.rand.choice(MOVES)
        self.done.append(name)
        if name == "resume":
            program.leave()
            flags = ["--threads", self.rand.choice("12"), "--ctx", self.rand.choice(("512", "640", "768", "1024"))]
            flags += ["--kv", self.rand.choice(("f16", "f16", "q8_0")), *self.rand.choice(([], [], ["--no-ahead"]))]
            self.done[-1] += " " + " ".join(flags)
            program = self.opened("resume", "walk", *flags)
            program.ready(opening=False)
        else:
            program.send(self.line(name))
            time.sleep(self.rand.choice((0, self.rand.random())))
        self.look(*program.until_context())
        return program

    def line(self, name: str) -> str:
        rand = self.rand
        lines = {
            "line": rand.choice(LINES), "option": rand.choice("123"), "goto": f"/goto {rand.randint(1, 12)}",
            "edit": f"/edit {rand.randint(1, 8)} The door stood open.", "branch": f"/branch b{rand.randrange(10**6)}",
            "memory": rand.choice(("/memory It rains.", "/memory off")),
            "undo": "/undo" + rand.choice(("", " 2", " 4")),
        }  # fmt: skip
        return lines.get(name, f"/{name}")

    def look(self, came: list[dict[str, Any]], context: str) -> None:
        for event in came:
            if event["event"] == "error" and "llama.cpp" in event["text"]:
                self.found.wrong.append(f"{event['text']} after {self.done[-12:]}")
            if event["event"] == "reply" and event["stats"]["stop"] != "written":
                stats = event["stats"]
                self.found.replies += 1
                self.found.evicted = max(self.found.evicted, stats["evicted"])
                # Moved keys are turned by decoding a token once more.
                if not 0 <= event["given"] - stats["decoded"] <= 2:
                    self.found.wrong.append(f"given {event['given']}, told {stats} after {self.done[-6:]}")
        rows = (row.strip().removeprefix("cache").strip() for row in context.splitlines() if "cache" in row)
        self.found.seen.update(rows)

    def read_log(self) -> None:
        for row in self.log.read_text().splitlines() if self.log.exists() else []:
            off, kind, length, held = json.loads(row)
            self.found.prompts += 1
            self.found.worst[kind] = max(self.found.worst[kind], off)
            if off > LIMITS[kind] or not held:
                self.found.wrong.append(f"KL {off:.4f} of {length} tokens, {kind}{', not held' * (not held)}")


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("files", type=Path, nargs="+")
    options.add_argument("--moves", type=int, default=40)
    options.add_argument("--seed", type=int, default=1)
    chosen = options.parse_args()
    print(HEAD, "|" + "---|" * (HEAD.count("|") - 1), sep="\n", flush=True)
    failed = 0
    for path in chosen.files:
        with tempfile.TemporaryDirectory() as folder:
            walk = Walk(path.resolve(), random.Random(f"{chosen.seed} {path.stem}"), Path(folder))
            found = walk.play(chosen.moves)
        nats = (f"{found.worst['fresh']:.5f}", f"{found.worst['quantized']:.4f}", f"{found.worst['moved']:.3f}")
        cells = (path.stem, chosen.moves, found.prompts, *nats, found.evicted, found.replies, len(found.wrong))
        print(f"| {' | '.join(map(str, cells))} |", flush=True)
        print(*(f"  {each}" for each in [*found.wrong[:6], *sorted(found.seen)]), sep="\n", file=sys.stderr, flush=True)
        failed += bool(found.wrong)
    return failed


if __name__ == "__main__":
    sys.exit(main())
