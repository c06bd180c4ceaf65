"""Lines that are read while they are typed, on the real model: the same words, nothing read twice, keys heard."""

import time
from collections.abc import Callable, Iterator
from functools import partial

import pytest
from msgspec.structs import replace

from advrepl.engines.llama.branches import BranchingEngine
from advrepl.engines.llama.engine import LlamaEngine
from advrepl.engines.prefetch import Prefetcher
from advrepl.engines.slots import PrefetchJob
from advrepl.sampling.params import Sampling
from tests.engines.llama.test_engine import ONE, shown, write
from tests.engines.test_prefetch import (
    COOL,
    LINES,
    STORY,
    TOLD,
    WARM,
    _generate,
    begin,
    finish,
    jobs,
    replies,
    taken,
    unused,
)

Open = Callable[..., LlamaEngine]
LINE = "I turn away from the sea, walk up the narrow path to the old house and knock at its door."


@pytest.fixture(params=[False, True], ids=["", "exact"], scope="module")
def engines(request: pytest.FixtureRequest, open_engine: Open) -> tuple[BranchingEngine, LlamaEngine]:
    """One that reads along, one that does not; both have read the story in the same chunks."""
    engine, alone = open_engine(ctx=512, branches=5, exact=request.param), open_engine(ctx=512, exact=request.param)
    assert isinstance(engine, BranchingEngine)
    return engine, alone


@pytest.fixture
def engine(engines: tuple[BranchingEngine, LlamaEngine]) -> BranchingEngine:
    return engines[0]


@pytest.fixture
def alone(engines: tuple[BranchingEngine, LlamaEngine]) -> LlamaEngine:
    for each in engines:
        write(each, shown(each, "Something else."), ONE)
        write(each, shown(each, *STORY[:1]), ONE)
    return engines[1]


@pytest.fixture
def ahead(engine: BranchingEngine, alone: LlamaEngine) -> Iterator[Prefetcher[str]]:
    ahead: Prefetcher[str] = Prefetcher(engine)
    yield ahead
    ahead.close()
    assert unused(engine)


def typed(engine: BranchingEngine, line: str, sampling: Sampling = WARM) -> PrefetchJob[str]:
    return jobs(engine, sampling, line)[0]


def test_a_line_that_was_read_while_it_was_typed_is_answered_in_the_same_words(
    engine: BranchingEngine, ahead: Prefetcher[str], alone: LlamaEngine
) -> None:
    """Word by word, with pauses, with a word taken back, and sent before its end was read."""
    begin(ahead, engine)
    words = LINE.split()
    steps = [*(" ".join(words[:count]) for count in (3, 9, 12, 10, 17)), " ".join([*words[:9], "slope", *words[10:]])]
    for number, line in enumerate((*steps, LINE)):
        ahead.hold()
        ahead.revoke(all=False)
        ahead.read(typed(engine, line), whole=number % 2 == 0)
        time.sleep(0.15 * (number % 3))
    at_rest(ahead)
    taken = ahead.take(LINE)
    assert taken and taken.done
    assert "".join([*taken.done, *taken.events]) == write(alone, shown(alone, *STORY, LINE), WARM)
    assert unused(engine)


def test_what_was_read_of_a_line_is_not_read_again_when_it_is_sent(
    engine: BranchingEngine, ahead: Prefetcher[str], alone: LlamaEngine
) -> None:
    begin(ahead, engine)
    ahead.hold()
    ahead.read(typed(engine, LINE.rpartition(" ")[0]), whole=False)
    at_rest(ahead)
    assert ahead.take(LINE) is None and unused(engine)
    window = shown(engine, *STORY, LINE)
    said = write(engine, window, WARM)
    assert engine.stats.prefilled <= 8 + engine.sizes(window.segments)[-1]
    assert said == write(alone, shown(alone, *STORY, LINE), WARM)


def test_replies_to_options_outlive_a_line_that_was_typed(
    engine: BranchingEngine, ahead: Prefetcher[str], alone: LlamaEngine
) -> None:
    begin(ahead, engine, WARM)
    finish(ahead)
    ahead.hold()
    ahead.read(typed(engine, "I turn away from"), whole=True)
    at_rest(ahead)
    ahead.revoke()
    ready, whole = taken(ahead, LINES[2])
    assert ready == whole == write(alone, shown(alone, *STORY, LINES[2]), WARM)


def test_a_key_stops_replies_and_not_what_every_longer_line_has(
    engine: BranchingEngine, ahead: Prefetcher[str]
) -> None:
    begin(ahead, engine, replace(COOL, max_tokens=100))
    while not any(slot.done for slot in replies(ahead)):
        time.sleep(0.001)
    ahead.hold()
    assert ahead.state == "idle"
    ahead.read(typed(engine, LINE), whole=False)
    at_rest(ahead)
    served = [slot.steps for slot in replies(ahead)]
    ahead.hold()
    time.sleep(0.05)
    assert [slot.steps for slot in replies(ahead)] == served
    line = next(slot for slot in ahead.slots if slot.job and slot.job.key == LINE)
    assert not line.done and line.steps == 0  # its end and the reply are for when the keys pause
    assert len(line.branch.cached) == line.branch.sequence.chunk_ends[-1]  # type: ignore[attr-defined]


def test_turns_slide_out_for_a_line_that_is_being_typed(
    engine: BranchingEngine, ahead: Prefetcher[str], alone: LlamaEngine
) -> None:
    if engine.exact:
        return  # nothing is moved
    write(engine, shown(engine, *TOLD))
    ahead.plan(shown(engine, *TOLD, "A ship came.", "x"), jobs(engine, COOL, *LINES))
    ahead.resume()
    window = shown(engine, *TOLD[2:], "A ship came.", LINE, evicted=2)
    ahead.hold()
    ahead.read(PrefetchJob(LINE, partial(_generate, window=window, sampling=WARM)), whole=True, slide_to=window)
    at_rest(ahead)
    assert engine.shifted and not ahead.is_planned
    assert len(replies(ahead)) == 1
    assert taken(ahead, LINE)[0]
    write(engine, window, ONE)
    assert engine.stats.prefilled == 1


def at_rest(ahead: Prefetcher[str]) -> None:
    """Wait until the worker finds nothing to do."""
    end = time.monotonic() + 60
    while ahead._writing:
        assert time.monotonic() < end, "it never ends"
        time.sleep(0.005)
