"""What all benchmarks share: the model and its settings, the story's texts, this machine in words.

Does not measure anything.
"""

import argparse
import os
import platform
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

import psutil

from advrepl import __version__
from advrepl.engines import models
from advrepl.machine import physical_cores
from advrepl.story.scenario import START, Scenario

REPLY_TOKENS = 48
READING_SECONDS = 5.0
# What llama.cpp samples with in advrepl by default; the peers are told the same.
SAMPLING = {"temperature": 0.8, "top_k": 40, "top_p": 0.95, "min_p": 0.05, "repeat_penalty": 1.1}

_DEEDS = ("look at", "walk around", "pick up", "listen to", "push", "knock on", "ask about", "put down")
_THINGS = ("the old lamp", "a locked chest", "the broken stairs", "that strange painting", "the cold fireplace")
_ENDS = ("and wait for a moment.", "with great care.", "before the light fails.", "and call out to whoever is there.")


@dataclass(frozen=True)
class Setup:
    """One model on this machine, and how much of it is measured."""

    model: Path
    threads: int
    ctx: int = 1024
    gpu_layers: int | None = None
    turns: int = 40
    rounds: int = 3
    reply: int = REPLY_TOKENS

    @property
    def is_large(self) -> bool:
        """Is it of the size that `--seven` names? It has goals and a place in the results of its own."""
        return self.model.stat().st_size > 1 << 30

    def key(self, part: str) -> str:
        """Under which the results of a part are kept."""
        return f"{part}-seven" if self.is_large else part

    @property
    def play_options(self) -> list[str]:
        """For `advrepl play` and `resume`; the model alone, and nothing is done while others are measured."""
        options = ["--no-ahead", "--plain-model", "-m", str(self.model)]
        options += ["--ctx", str(self.ctx), "--threads", str(self.threads)]
        options += ["--gpu-layers", str(self.gpu_layers)] if self.gpu_layers is not None else []
        return [*options, "--max-tokens", str(self.reply)]


def parser(what: str) -> argparse.ArgumentParser:
    """The options that all benchmarks have."""
    parser = argparse.ArgumentParser(description=what)
    parser.add_argument("-m", "--model", help="GGUF file, or its name in the models folder; the default model if none")
    parser.add_argument("--threads", type=int, default=physical_cores())
    parser.add_argument("--ctx", type=int, default=1024)
    parser.add_argument("--gpu-layers", type=int, help="for a build that knows a GPU; all layers if not given")
    parser.add_argument("--turns", type=int, default=40)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--reply", type=int, default=REPLY_TOKENS, help="tokens of a reply, at most")
    parser.add_argument("--results", type=Path, help="the JSON file that is brought up to date, and its page beside it")
    return parser


def setup(options: argparse.Namespace) -> Setup:
    return Setup(
        models.resolve(options.model), options.threads, options.ctx, options.gpu_layers, options.turns,
        options.rounds, options.reply,
    )  # fmt: skip


def line(number: int) -> str:
    """What the player says in this turn; 160 turns go by before he says the same again."""
    deed, rest = _DEEDS[number % 8], number // 8
    return f"I {deed} {_THINGS[(rest + number) % 5]} {_ENDS[(rest // 5 + number) % 4]}"


def spelled(format: str, scenario: Scenario, turns: list[tuple[str, str]]) -> str:
    """A prompt as one text, for programs that take texts: ChatML, or Metharme's markers."""
    if format == "metharme":
        body = "".join(f"<|{role}|>{text}" for role, text in turns)
        return f"<|system|>{scenario.system}{body}<|model|>"
    names = {"user": "user", "model": "assistant"}
    body = "".join(f"<|im_start|>{names[role]}\n{text}<|im_end|>\n" for role, text in turns)
    return f"<|im_start|>system\n{scenario.system}<|im_end|>\n{body}<|im_start|>assistant\n"


def opening(format: str, scenario: Scenario = START) -> list[tuple[str, str]]:
    """The turns that a story has before the player's first line."""
    first = [("user", scenario.start)]
    return first if format == "metharme" else [*first, ("model", scenario.opening)]


def program(*arguments: str) -> list[str]:
    """The command line of advrepl as it is in this checkout."""
    return [sys.executable, "-m", "advrepl", *arguments]


def found(tool: str) -> str | None:
    """A program of llama.cpp, if it is on the PATH."""
    return shutil.which(tool)


def machine() -> dict[str, str]:
    """What the figures were taken on."""
    from importlib.metadata import version

    memory = psutil.virtual_memory().total / 1e9
    return {
        "processor": _processor(),
        "cores": f"{physical_cores()} of {os.cpu_count()}",
        "memory": f"{memory:.0f} GB",
        "system": f"{platform.system()} {platform.machine()}, Python {platform.python_version()}",
        "advrepl": __version__,
        "llama-cpp-python": version("llama-cpp-python"),
    }


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for row in info.read_text().splitlines():
            if row.startswith("model name"):
                return row.partition(":")[2].strip()
    return platform.processor() or platform.machine()
