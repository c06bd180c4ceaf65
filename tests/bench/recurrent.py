"""A story on a recurrent and a hybrid model, in turn with llama-server: what is decoded, and how soon a reply begins.

Run from the checkout, with llama.cpp's llama-server on the PATH: python -m tests.bench.recurrent [FILE.gguf ...]
Without files, on two of 25 and 50 million random weights (tests/architectures.py), whose tokens are bytes: so lines
are short. Each tells
its own story: the same lines, three continuations from within each reply as for its options, a retry after each fifth
turn, and an undo of two after each seventh. The server keeps what it can (`cache_prompt`). One thread each, and
processor time, so that it can be taken on a busy machine.
"""

import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Protocol

from advrepl.engines.base import LoadOptions
from advrepl.engines.llama.engine import LlamaEngine
from advrepl.engines.llama.log import Log
from advrepl.engines.llama.model import LlamaModel
from advrepl.prompt.segments import Prompt, Segment, Window
from advrepl.sampling.params import Sampling
from tests import architectures
from tests.bench.caches import spoken
from tests.bench.rivals import SERVER, Server
from tests.bench.setup import Setup, found, line

CTX = 8192  # nothing slides: that costs a window that cannot be moved, here and there
TURNS = 20
REPLY, OPTION, OPTIONS, LINE = 32, 8, 3, 16  # tokens, tokens, how many, bytes of a line
LETTERS = "abcdefghijklmnopqrstuvwxyz"
BIAS = 20.0
HEAD, PLAYER, MODEL = "you tell a story of the sea and of a house", " Q: ", " A: "  # as `spoken` has them


@dataclass
class Costs:
    """What one of them needed: seconds of processor time until the first piece, by turn, and tokens."""

    typed: list[float] = field(default_factory=list)
    read: list[int] = field(default_factory=list)  # before that piece
    again: list[float] = field(default_factory=list)  # after a retry or an undo
    decoded: int = 0
    last: int = 0  # read for what was asked for last
    own: int = 0  # of each thing that was asked for: what is new in it, and what is written


class Teller(Protocol):
    """Tells a story: the turns so far are texts, of which every second is its own."""

    def write(self, turns: Sequence[str], begun: int, length: int, seed: int) -> tuple[str, float, int]:
        """Write a reply, or go on behind `begun` bytes of the last one.

        Returns the text, processor seconds to its first piece, and how many tokens were decoded.
        """

    def close(self) -> None: ...


class Ours:
    """The engine of advrepl."""

    def __init__(self, path: Path) -> None:
        log = Log(Path(tempfile.gettempdir()) / "advrepl-bench.log")
        self._engine = LlamaEngine(LlamaModel(path, LoadOptions(CTX, 1), log))

    def write(self, turns: Sequence[str], begun: int, length: int, seed: int) -> tuple[str, float, int]:
        if len(turns) % 2:
            window = spoken(list(turns))
        else:  # a reply is told when the engine still knows its tokens
            self._engine.count(Segment(MODEL, turns[-1]))
            blocks = spoken(list(turns)).prompt.blocks[:-1]
            window = Window(Prompt(spoken([]).prompt.head, blocks, (Segment(MODEL, turns[-1][:begun]),)), 0, 0, CTX)
        how = Sampling(
            seed=seed, temperature=1.0, max_tokens=length, repeat_penalty=1.0, logit_bias=dict.fromkeys(LETTERS, BIAS)
        )
        asked, first, text = time.process_time(), 0.0, ""
        for piece in self._engine.generate(window, how):
            first = first or time.process_time() - asked
            text += piece
        return text, first, self._engine.stats.decoded

    def close(self) -> None:
        self._engine.close()


class Theirs(Server):
    """llama-server; a token of these models is a byte."""

    def write(self, turns: Sequence[str], begun: int, length: int, seed: int) -> tuple[str, float, int]:
        marks = [(MODEL if n % 2 else PLAYER) + text for n, text in enumerate(turns)]
        text = HEAD + "".join(marks) + (MODEL if len(turns) % 2 else "")
        prompt = text if len(turns) % 2 else text[: len(text) - len(turns[-1]) + begun]
        body = {
            "prompt": prompt, "n_predict": length, "seed": seed, "temperature": 1.0, "repeat_penalty": 1.0,
            "logit_bias": [[letter, BIAS] for letter in LETTERS], "cache_prompt": True, "ignore_eos": True,
        }  # fmt: skip
        asked, first, said = self.processor_time(), 0.0, ""
        for event in self._events("/completion", body):
            if event.get("content"):
                first = first or self.processor_time() - asked
                said += event["content"]
            if timings := event.get("timings"):
                read = int(timings["prompt_n"])
        return said, first, read + length - 1  # the last token is not decoded


def play(teller: Teller, turns: int) -> Costs:
    """Tell a story of so many turns."""
    costs, story = Costs(), list[str]()

    def ask(turns: list[str], own: int, begun: int = 0, length: int = REPLY) -> tuple[str, float]:
        text, first, decoded = teller.write(turns, begun, length, 1000 * len(story) + own)
        costs.last = decoded - (length - 1)
        costs.decoded, costs.own = costs.decoded + decoded, costs.own + own + length - 1
        return text, first

    def reply(said: str) -> tuple[str, float]:
        return ask([*story, said], len(PLAYER + said + MODEL) if len(story) else len(HEAD + PLAYER + said + MODEL))

    for turn in range(turns):
        said = line(turn)[:LINE]
        text, first = reply(said)
        costs.typed.append(first)
        costs.read.append(costs.last)
        story += [said, text]
        for option in range(OPTIONS):
            ask(story, 1, 20 + 8 * option, OPTION)  # its first token stands behind what is known
        if turn % 5 == 4:
            text, first = ask(story[:-1], 1)
            costs.again.append(first)
            story[-1] = text
        if turn % 7 == 6:
            del story[-4:]
            text, first = reply("no, we wait")
            costs.again.append(first)
            story += ["no, we wait", text]
        print(f"\rturn {turn + 1} of {turns} ", end="", file=sys.stderr, flush=True)
    return costs


def row(name: str, who: str, costs: Costs) -> str:
    early, late = costs.typed[1:4], costs.typed[-3:]
    cells = (
        name, who, f"{costs.decoded / costs.own:.2f}", f"{median(early) * 1000:.0f}", f"{median(late) * 1000:.0f}",
        f"{median(late) / median(early):.2f}", f"{median(costs.read[1:4]):.0f}", f"{median(costs.read[-3:]):.0f}",
        f"{median(costs.again) * 1000:.0f}",
    )  # fmt: skip
    return f"| {' | '.join(cells)} |"


def main() -> None:
    print("| model | program | decoded ÷ own | first piece, turns 2 to 4, ms | turns 18 to 20 | ratio ", end="")
    print("| read for it | then | retry, undo, ms |")
    print("|---|---|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        made = (
            architectures.make(name, Path(folder), architectures.LARGE, context_length=CTX)
            for name in ("mamba", "lfm2")
        )
        for path in map(Path, sys.argv[1:]) if sys.argv[1:] else made:
            tellers: dict[str, Teller] = {"advrepl": Ours(path)}
            if found(SERVER):
                tellers[SERVER] = Theirs(Setup(path, 1, CTX))
            for who, teller in tellers.items():
                with closing(teller):
                    print(row(path.stem, who, play(teller, TURNS)), flush=True)


if __name__ == "__main__":
    main()
