"""Any order of turns, retries, undos, edits, slides, resumes and replies written ahead, on each kind of cache.

Told is what was decoded, by counting the tokens that llama.cpp gets; and what follows is as after reading all afresh.
"""

import ctypes
import random
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import llama_cpp.llama_cpp as lib
import pytest

from advrepl.engines.base import Engine, LoadOptions, Stats
from advrepl.engines.kv.store import KvStore
from advrepl.engines.llama.branches import BranchingEngine
from advrepl.engines.llama.engine import LlamaEngine
from advrepl.engines.llama.log import Log
from advrepl.engines.llama.model import LlamaModel
from advrepl.engines.prefetch import Prefetcher
from advrepl.engines.slots import PrefetchJob
from advrepl.prompt.segments import Prompt, Segment, Window
from advrepl.sampling.params import Sampling
from tests import architectures
from tests.bench.caches import LINES, compared_window, sampling, say, spoken, wait
from tests.engines.llama.test_abilities import KINDS, RIGHT

CTX = 512
MOVES = ("turn", "turn", "retry", "undo", "edit", "resume", "written_ahead", "branch", "branch", "remember")
MOST = 360  # tokens of a window: beyond them turns slide out


class Played:
    """A story on an engine, with all that a player may do to it; `decoded` counts what llama.cpp was given."""

    def __init__(self, open: Callable[[], BranchingEngine], fresh: LlamaEngine, save: Path, seed: int) -> None:
        self.rand, self.open, self.fresh, self.save = random.Random(seed), open, fresh, save
        self.turns: list[str] = []
        self.start = 0  # turns that have slid out
        self.left: list[tuple[list[str], int, str]] = []  # branches that were left: turns, start, memory
        self.memory = ""  # what stands at the end of the head
        self.begin()

    def begin(self) -> None:
        self.engine = self.open()
        self.engine.tails.limit = 1 << 30
        self.ahead: Prefetcher[str] = Prefetcher(self.engine)
        self.store = KvStore(self.engine, self.save, 1 << 30)

    def window(self, turns: list[str]) -> Window:
        prompt = spoken(turns).prompt
        head = (*prompt.head, Segment("", self.memory)) if self.memory else prompt.head
        return Window(Prompt(head, prompt.blocks[self.start :], prompt.cue), self.start, 0, CTX)

    def size(self, turns: list[str]) -> int:
        return sum(self.engine.sizes(self.window(turns).segments))

    def slide(self, turns: list[str]) -> None:
        while self.size(turns) > MOST and self.start + 2 < len(turns):
            self.start += 2

    def reply(self, turns: list[str]) -> Stats:
        """Ask for a reply to these turns."""
        self.slide(turns)
        how = sampling(self.rand.randrange(1000), self.rand.randint(1, 40))
        self.told(turns, say(self.engine, self.window(turns), how))
        return self.engine.stats

    def told(self, turns: list[str], reply: str) -> None:
        self.engine.count(Segment(" A: ", reply))
        self.turns = [*turns, reply]

    # --- what a player does; each asks for one reply

    def turn(self) -> Stats:
        return self.reply([*self.turns, self.rand.choice(LINES)])

    def retry(self) -> Stats:
        return self.reply(self.turns[:-1])

    def undo(self) -> Stats:
        back = 2 * self.rand.randint(1, 4)
        left = self.turns[: max(len(self.turns) - back, 0)]
        self.start = min(self.start, max(len(left) - 2, 0))
        return self.reply([*left, self.rand.choice(LINES)])

    def edit(self) -> Stats:
        """Change a turn that is seen."""
        place = self.rand.randrange(self.start, len(self.turns) - 1)
        turns = [*self.turns[:-1]]
        turns[place] += " indeed"
        self.engine.forget_moved()
        return self.reply(turns)

    def branch(self) -> Stats:
        """Leave the story for a branch that was left before, as /tree does, or for one that begins earlier."""
        here = self.turns, self.start, self.memory
        if self.left and self.rand.random() < 0.6:
            self.turns, self.start, self.memory = self.left.pop(self.rand.randrange(len(self.left)))
            self.left.append(here)
            return self.turn()
        self.left.append(here)
        return self.undo()

    def remember(self) -> Stats:
        """Change what the head says, as /memory does, or have it as it was."""
        self.memory = self.rand.choice(("", " It rains.", " It is night."))
        self.engine.forget_moved()
        return self.turn()

    def resume(self) -> Stats:
        self.store.store(self.window(self.turns))
        self.close()
        self.begin()
        assert not self.store.load(lambda: self.window([*self.turns, "x"]))
        return self.turn()

    def written_ahead(self) -> Stats:
        """Go on with a reply that was begun before it was asked for, or has not been begun."""
        lines = self.rand.sample(LINES, 3)
        self.slide([*self.turns, "x"])
        how = sampling(self.rand.randrange(1000), self.rand.randint(1, 40))
        jobs = [PrefetchJob(line, partial(self.write, [*self.turns, line], how)) for line in lines]
        jobs.append(PrefetchJob("retry", partial(self.write, self.turns[:-1], how), later=True))
        self.ahead.plan(self.window([*self.turns, "x"]), jobs)
        for _ in range(self.rand.randint(0, 6)):
            self.ahead.resume()
            wait(self.ahead, self.rand.random() / 50)
            self.ahead.pause()
        key = self.rand.choice([*lines, "retry", "none"])
        if not (taken := self.ahead.take(key)):
            return self.turn()
        self.told(self.turns[:-1] if key == "retry" else [*self.turns, key], "".join((*taken.done, *taken.events)))
        return self.engine.stats

    def write(self, turns: list[str], how: Sampling, engine: Engine) -> Iterator[str]:
        return engine.generate(self.window(turns), how)

    def close(self) -> None:
        self.ahead.close()
        self.store.close()
        self.engine.close()


def checked(played: Played, name: str, given: Counter[int]) -> None:
    """Do one of these things, and look at what was told of it."""
    before = given.total()
    stats = getattr(played, name)()
    new = given.total() - before
    assert stats.decoded == stats.prefilled + max(stats.generated - 1, 0), name
    # Moved keys are turned before they are swapped out by decoding a token once more.
    assert 0 <= new - stats.decoded - played.ahead.spent() <= int(played.engine.can_shift), name
    assert len(played.engine.sequence.cached) == stats.prompt + stats.generated - 1


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> Counter[int]:
    """Counts the tokens that llama.cpp was given, by the context."""
    counted, decode = Counter[int](), lib.llama_decode

    def spy(context: Any, batch: Any) -> int:
        code = decode(context, batch)
        counted[ctypes.cast(context, ctypes.c_void_p).value or 0] += batch.n_tokens if code == 0 else 0
        return int(code)

    monkeypatch.setattr(lib, "llama_decode", spy)
    return counted


Story = Callable[[str, int], Played]


@pytest.fixture
def begun(tmp_path: Path) -> Iterator[Story]:
    """Begins a story on a tiny model of a kind."""
    log, stories = Log(tmp_path / "log"), list[Played]()

    def begin(kind: str, seed: int) -> Played:
        path = architectures.make(kind, tmp_path)
        fresh = LlamaEngine(LlamaModel(path, LoadOptions(CTX, 1), log))
        open = lambda: BranchingEngine(LlamaModel(path, LoadOptions(CTX, 1, branches=5), log))  # noqa: E731
        stories.append(Played(open, fresh, tmp_path / "story.json", seed))
        return stories[-1]

    yield begin
    for story in stories:
        story.close()
        story.fresh.close()


def is_right(played: Played, given: Counter[int], steps: int) -> None:
    checked(played, "turn", given)
    done = []
    for _ in range(steps):
        done.append(played.rand.choice(MOVES))
        checked(played, done[-1], given)
        if not played.engine.shifted:  # what was moved knows of what is gone
            off = compared_window(played.engine, played.fresh, played.window([*played.turns, "and"]))
            assert off < RIGHT, done


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_told_is_what_was_decoded_and_what_follows_is_right(
    kind: str, begun: Story, given: Counter[int]
) -> None:
    is_right(begun(kind, KINDS.index(kind)), given, 6)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(100, 106))
@pytest.mark.parametrize("kind", KINDS)
def test_so_it_is_in_long_stories(kind: str, seed: int, begun: Story, given: Counter[int]) -> None:
    is_right(begun(kind, seed), given, 25)


def test_a_branch_whose_cells_do_not_reach_its_window_is_read_and_told(begun: Story, given: Counter[int]) -> None:
    """What was put aside had no cells at its end for the layers that slide: all was read, and some told as reused."""
    is_right(begun("gemma3-all-windowed", 2001), given, 21)


@pytest.mark.parametrize(("kind", "read"), [("llama", 0), ("llama-yarn", 1), ("lfm2", 1)])
def test_a_window_that_is_read_again_as_it_slides_is_told(kind: str, read: int, begun: Story) -> None:
    played = begun(kind, 1)
    assert played.turn().whole == 1
    while not played.start:
        assert (stats := played.turn()).whole == (read if played.start else 0)
    assert (stats.shifted > 0) == (not read)
    assert played.turn().whole == 0
