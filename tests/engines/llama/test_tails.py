"""Branches of a story that are left and read again: nothing of them is read anew, and nothing is wrong with them."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from advrepl.engines.base import LoadOptions
from advrepl.engines.kv.tails import LEAST, MOST, Tail, Tails
from advrepl.engines.llama.branches import BranchingEngine
from advrepl.engines.llama.engine import LlamaEngine
from advrepl.engines.llama.log import Log
from advrepl.engines.llama.model import LlamaModel
from tests import architectures
from tests.bench.caches import CTX, LINES, beyond, compared, played, sampling, say, spoken, told

RIGHT = 1e-4  # nats
LIMIT = 64 << 20
BRANCHES = 3

Open = Callable[..., LlamaEngine]


@pytest.fixture
def open_tiny(tmp_path: Path) -> Iterator[Open]:
    opened: list[LlamaEngine] = []

    def open(name: str) -> LlamaEngine:
        path = tmp_path / f"{name}.gguf"
        path = path if path.exists() else architectures.make(name, tmp_path)
        opened.append(BranchingEngine(LlamaModel(path, LoadOptions(CTX, 1, branches=4), Log(tmp_path / "log"))))
        opened[-1].tails.limit = LIMIT
        return opened[-1]

    yield open
    for engine in opened:
        engine.close()


def forked(engine: LlamaEngine, first: list[str], branches: int = BRANCHES, ways: str = "a b c d") -> list[list[str]]:
    """Stories that begin alike, each played for two turns of its own."""
    stories = []
    for number, way in enumerate(ways.split()[:branches]):
        story = [*first, f"way {way}"]
        for turn in range(2):
            reply = say(engine, spoken(story), sampling(100 * number + turn, 40))
            story = [*told(engine, story, reply), LINES[turn]]
        stories.append(story)
    return stories


@pytest.mark.parametrize("name", ["llama", "gemma3", "mamba", "lfm2"])
def test_a_branch_that_was_left_is_not_read_again(name: str, open_tiny: Open) -> None:
    engine, fresh = open_tiny(name), open_tiny(name)
    stories = forked(engine, played(engine, 2))
    for number in (0, 1, 2):
        turns = stories[number]
        foretold = engine.missing(spoken(turns))
        assert compared(engine, fresh, turns) < RIGHT
        assert beyond(engine, turns) == foretold <= 8
        assert engine.stats.shifted == 0


@pytest.mark.parametrize("name", ["llama", "gemma3"])
def test_a_branch_that_parts_from_another_a_few_tokens_behind_their_fork_is_not_read_again(
    name: str, open_tiny: Open
) -> None:
    """Its tail begins in the other's, which alone would save too little."""
    engine, fresh = open_tiny(name), open_tiny(name)
    stories = forked(engine, played(engine, 2), ways="abc b abz")
    for number in (0, 1, 2, 1, 2, 0):
        assert compared(engine, fresh, stories[number]) < RIGHT
        assert beyond(engine, stories[number]) <= 8


def test_without_room_branches_are_read_again(open_tiny: Open) -> None:
    engine, fresh = open_tiny("llama"), open_tiny("llama")
    engine.tails.limit = 0
    stories = forked(engine, played(engine, 2), 2)
    foretold = engine.missing(spoken(stories[0]))
    assert compared(engine, fresh, stories[0]) < RIGHT
    assert beyond(engine, stories[0]) == foretold > 60


@pytest.mark.parametrize("name", ["llama", "lfm2"])
def test_turns_that_are_taken_back_and_come_again_are_not_read_again(name: str, open_tiny: Open) -> None:
    """Undo twice, another way, back: what was put aside in parts fits together."""
    engine, fresh = open_tiny(name), open_tiny(name)
    story = [*played(engine, 4), "and then"]
    say(engine, spoken(story), sampling(1, 1))
    for turns in (story[:5], story[:3], [*story[:3], "no"], story[:5], [*story[:5], "no"], story):
        assert compared(engine, fresh, turns) < RIGHT
    assert beyond(engine, story) <= 8


def test_words_that_were_changed_keep_a_branch_out(open_tiny: Open) -> None:
    engine, fresh = open_tiny("llama"), open_tiny("llama")
    story = [*played(engine, 4), "and then"]
    say(engine, spoken(story), sampling(1, 1))
    changed = [*story[:2], "other words", *story[3:]]
    assert compared(engine, fresh, changed) < RIGHT
    assert engine.stats.reused < engine.stats.prompt // 2
    assert compared(engine, fresh, story) < RIGHT and beyond(engine, story) <= 8


def test_what_knows_of_turns_that_slid_out_is_given_up_with_them(open_tiny: Open) -> None:
    engine, fresh = open_tiny("llama"), open_tiny("llama")
    stories = forked(engine, played(engine, 2), 2)
    say(engine, spoken(stories[0]), sampling(1, 1))
    engine.sequence.unshifted = 10  # as if the story had slid
    say(engine, spoken(stories[1]), sampling(1, 1))
    engine.forget_moved()
    assert compared(engine, fresh, stories[0]) < RIGHT
    assert beyond(engine, stories[0]) > 60


def test_what_was_sampled_and_is_no_part_of_the_story_is_not_put_aside(open_tiny: Open) -> None:
    """As thoughts are not: they never come again, and a long story would fill the memory with them."""
    engine = open_tiny("llama")
    story = played(engine, 2)
    for turn in range(3):
        say(engine, spoken(story), sampling(turn, 40))
        story += ["told otherwise", LINES[turn]]
        say(engine, spoken(story), sampling(turn, 1))
    assert not engine.tails.count


# --- which are kept


def tail(name: int, start: int = 0, length: int = 100, size: int = 1000) -> Tail:
    tokens = [*range(start), *([name] * (length - start))]
    return Tail(tokens, start, [bytes(size)], (), None, (), [])


def test_what_saves_most_and_was_wanted_last_is_kept() -> None:
    tails = Tails()
    tails.limit = 3000
    cheap, dear, old, new = tail(1000, length=50), tail(2000), tail(3000), tail(4000)
    for each in (cheap, dear, old):
        assert tails.make_room(each.size)
        tails.add(each)
    assert tails.make_room(new.size)
    tails.add(new)
    there = [each for each in (cheap, dear, old, new) if tails.find([*each.tokens, 1], 0)]
    assert there == [dear, old, new], "what saves least has gone"
    tails.used(dear, LEAST)  # a part of it was wanted again
    assert tails.make_room(1000)
    assert [each for each in (dear, old, new) if tails.find([*each.tokens, 1], 0)] == [dear, new]
    assert not tails.make_room(3001)


def test_a_tail_that_begins_in_another_is_found_through_it() -> None:
    tails = Tails()
    tails.limit = 3000
    way_1, way_10 = tail(1), Tail([1, 1, 1, *[2] * 90], 3, [bytes(1000)], (), None, (), [])
    tails.add(way_1)
    tails.add(way_10)
    wanted = [*way_10.tokens, 5]
    assert tails.held(wanted, 0) == 93
    assert tails.find(wanted, 0) == (way_1, 3)
    assert tails.find(wanted, 3) == (way_10, 93)
    assert tails.find([*way_1.tokens[:10], 5], 0) is None, "ten tokens are not worth it"
    tails.used(way_10, 93)
    tails.add(way_10)  # wanted last: the other one is older
    assert tails.make_room(2000)
    assert tails.find([*way_1.tokens, 5], 0) == (way_1, 100), "without it the other one would be of no use"


def test_a_tail_that_another_holds_is_let_go() -> None:
    tails = Tails()
    tails.limit = 3000
    short, long = tail(7, start=20, length=60), tail(7, start=10, length=100)
    long = Tail([*short.tokens, *[7] * 40], 10, long.cells, (), None, (), [])
    tails.add(short)
    tails.add(long)
    assert tails.find([*short.tokens, 1], 20) == (long, 60)
    assert tails.find([*short.tokens, 1], 5) is None, "the cache has not come to where it begins"


def test_no_more_are_kept_than_can_be_compared_in_a_moment() -> None:
    tails = Tails()
    tails.limit = 1 << 30
    for number in range(MOST + 10):
        each = tail(1000 + number)
        assert tails.make_room(each.size)
        tails.add(each)
    assert tails.count == MOST
