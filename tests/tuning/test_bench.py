"""The benchmark's scripts at their smallest, on the real model; and that the peers are given the same prompts."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from advrepl.engines.llama.engine import LlamaEngine
from advrepl.engines.models import choose_format
from advrepl.prompt.formats import FORMATS
from advrepl.story.scenario import START
from advrepl.story.tree import Turn
from tests import ROOT
from tests.bench import results
from tests.bench.peers import ADVREPL, Takes, Teller, play, quick, rows
from tests.bench.program import Heard
from tests.bench.rivals import FrontEnd
from tests.bench.setup import Setup, line, opening, spelled

SMALL = ["--threads", "1", "--ctx", "256", "--reply", "6"]


@pytest.mark.parametrize(
    "part,options,figure",
    [
        ("peers", ["--turns", "2", "--rounds", "1"], "llama-cpp-python: before a turn was dropped"),
        ("picked", ["--picks", "1", "--reading", "0.5", "--gpu-layers", "0"], "first piece, written ahead"),
        ("drift", ["--turns", "6"], "after 1 slide"),
        ("keys", ["--turns", "1"], "from a key until it is on the screen"),
        ("resumed", ["--turns", "2", "--rounds", "1", "--gpu-layers", "99"], "fed for the first turn"),
        ("rates", ["--rounds", "1", "--depths", "64", "--tokens", "24"], "behind 64: advrepl, decoding only"),
        ("long_story", ["--turns", "2"], "turn 2,000: first piece"),
    ],
)
def test_a_part_measures_and_writes_its_results(part: str, options: list[str], figure: str, tmp_path: Path) -> None:
    path = tmp_path / "performance.json"
    command = [sys.executable, "-m", f"tests.bench.{part}", *SMALL, *options, "--results", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr[-2000:]
    (section,) = results.read(path).sections.values()
    found = {row.figure: row for row in section.rows}
    value = found[figure].value
    assert value is None or value > 0
    assert results.markdown(section) in done.stdout


def test_the_peers_are_given_the_prompts_that_advrepl_gives(open_engine: Callable[..., LlamaEngine]) -> None:
    for name, format in (("chat", choose_format(None, open_engine())), ("metharme", FORMATS["metharme"])):
        said = [*opening(name), ("user", line(0)), ("model", "A door opens."), ("user", line(1))]
        turns = [Turn(None, "user" if role == "user" else "model", text) for role, text in said]
        assert spelled(name, START, said) == str(format.spell(START, turns))


class Words:
    """A peer that counts words and says the same each time."""

    def __init__(self) -> None:
        self.prompts: list[str] = []

    def count(self, text: str) -> int:
        return len(text.split())

    def complete(self, prompt: str, tokens: int, seed: int) -> Iterator[str]:
        self.prompts.append(prompt)
        yield from ["A", " door"] + [" creaks"] * (tokens - 2)

    def close(self) -> None:
        self.prompts.append("closed")


def test_the_front_end_drops_the_oldest_turns_just_to_fit() -> None:
    setup, words = Setup(Path("no.gguf"), 1, ctx=200, reply=20), Words()
    front_end = FrontEnd(words, setup, "chat", 1)
    for turn in range(12):
        heard = front_end.say(line(turn))
        assert heard.text.split() == ["A", "door"] + ["creaks"] * 18 and heard.first <= heard.whole
    sizes = [words.count(prompt) for prompt in words.prompts]
    assert front_end.dropped > 0 and max(sizes) <= 180 and min(sizes[-5:]) > 120
    assert all(prompt.startswith("<|im_start|>system") for prompt in words.prompts)
    assert line(11) in words.prompts[-1] and line(0) not in words.prompts[-1]


class Counted:
    """A teller that drops turns from the third on, and then needs so many seconds."""

    def __init__(self, order: list[str], name: str, seconds: float) -> None:
        self._order, self._name, self._seconds = order, name, seconds
        self.dropped = self._turns = 0

    def say(self, line: str) -> Heard:
        self._order.append(self._name)
        self._turns += 1
        self.dropped = max(self._turns - 2, 0)
        return Heard(first=self._seconds if self.dropped else 0.1, stats={})

    def close(self) -> None:
        self._order.append(f"{self._name} closed")


def test_they_take_turns_and_the_slow_one_plays_one_round() -> None:
    order: list[str] = []

    def opener(name: str, seconds: float) -> Callable[[int], Teller]:
        return lambda _seed: Counted(order, name, seconds)

    kinds = {name: opener(name, seconds) for name, seconds in ((ADVREPL, 0.08), ("quick", 0.1), ("slow", 3.0))}
    takes = play(Setup(Path("no.gguf"), 1, turns=4, rounds=2), kinds)
    assert order[:6] == [ADVREPL, "quick", "slow", "quick", "slow", ADVREPL]
    assert order.count("slow") == 4 and order.count("quick") == 8 and order.count("quick closed") == 2
    assert takes["slow"].after == [3000.0] * 2 and not quick(takes["slow"])
    assert takes["quick"].curve() == [100.0] * 4
    *_, last = rows(takes)
    assert last.value == pytest.approx(0.8) and last.met and "the best is quick" in last.note


def test_a_story_that_never_slides_gives_no_ratio() -> None:
    takes = {ADVREPL: Takes([[1.0]], [1.0]), "other": Takes([[1.0]], [1.0])}
    assert rows(takes)[-1].value is None
