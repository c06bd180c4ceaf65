"""Replies written ahead on the real model: same words, all cells given back, pauses, priming and refreshing."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial

import pytest
from msgspec.structs import replace

from advrepl.engines.base import Engine
from advrepl.engines.llama.branches import BranchingEngine
from advrepl.engines.llama.engine import LlamaEngine
from advrepl.engines.llama.memory import SEQ_PREFETCH, SEQ_REFRESH, SEQ_SWAP
from advrepl.engines.prefetch import Prefetcher
from advrepl.engines.slots import PrefetchJob, Slot
from advrepl.prompt.segments import Segment, Window
from advrepl.sampling.params import Sampling
from tests.engines.llama.test_engine import ONE, ROUNDING, divergence, shown, write

Open = Callable[..., LlamaEngine]
STORY = ("Tell me of the sea.", "It was grey and wide, and nobody had crossed it.")
LINES = ("And then?", "Who was aboard?", "I turn away from the sea and go home.")
TOLD = ("Tell me of the sea.", "It was grey and wide.", "And then?", "A ship came.", "Who was aboard?")
COOL = Sampling(temperature=0, max_tokens=16)
WARM = Sampling(seed=5, max_tokens=16)


@pytest.fixture(scope="module")
def engine(open_shallow: Open) -> BranchingEngine:
    engine = open_shallow(ctx=512, branches=5)
    assert isinstance(engine, BranchingEngine)
    return engine


@pytest.fixture
def ahead(engine: BranchingEngine) -> Iterator[Prefetcher[str]]:
    ahead: Prefetcher[str] = Prefetcher(engine)
    yield ahead
    ahead.close()
    assert unused(engine)


def replies(ahead: Prefetcher[str]) -> list[Slot[str]]:
    return [slot for slot in ahead.slots if slot.job]


def unused(engine: BranchingEngine) -> bool:
    """Are all cells given back but those of the story?"""
    return all(engine.model.extent(sequence) == (-1, -1) for sequence in (SEQ_PREFETCH, SEQ_REFRESH, SEQ_SWAP))


def jobs(engine: BranchingEngine, sampling: Sampling, *lines: str) -> list[PrefetchJob[str]]:
    windows = [(line, shown(engine, *STORY, line)) for line in lines]
    return [PrefetchJob(line, partial(_generate, window=window, sampling=sampling)) for line, window in windows]


def _generate(engine: Engine, window: Window, sampling: Sampling) -> Iterator[str]:
    return engine.generate(window, sampling)


def begin(ahead: Prefetcher[str], engine: BranchingEngine, sampling: Sampling = COOL, *lines: str) -> None:
    ahead.plan(shown(engine, *STORY, "x"), jobs(engine, sampling, *(lines or LINES)))
    ahead.resume()


def finish(ahead: Prefetcher[str]) -> None:
    end = time.monotonic() + 60
    while ahead.state == "writing":
        assert time.monotonic() < end, "it never ends"
        time.sleep(0.01)


def taken(ahead: Prefetcher[str], line: str) -> tuple[str, str]:
    """What was ready of a reply, and the whole of it."""
    found = ahead.take(line)
    assert found is not None
    ready = "".join(found.done)
    return ready, ready + "".join(found.events)


@pytest.mark.parametrize("sampling", [COOL, WARM], ids=["greedy", "sampled"])
def test_a_reply_written_ahead_is_the_one_that_would_have_been_written(
    open_shallow: Open, engine: BranchingEngine, ahead: Prefetcher[str], sampling: Sampling
) -> None:
    alone = open_shallow(ctx=512)
    for line in LINES:
        begin(ahead, engine, sampling)
        finish(ahead)
        assert ahead.state == "ready"
        ready, whole = taken(ahead, line)
        assert ready == whole == write(alone, shown(alone, *STORY, line), sampling)
        assert unused(engine)


def test_a_reply_goes_on_where_it_was_when_it_is_taken(
    open_shallow: Open, engine: BranchingEngine, ahead: Prefetcher[str]
) -> None:
    begin(ahead, engine, WARM)
    while not any(slot.done for slot in replies(ahead)[1:2]):
        time.sleep(0.001)
    ready, whole = taken(ahead, LINES[1])
    assert 0 < len(ready) < len(whole)
    alone = open_shallow(ctx=512)
    assert whole == write(alone, shown(alone, *STORY, LINES[1]), WARM)
    write(engine, shown(engine, *STORY, LINES[1], whole.strip(), "Go on."), COOL)
    assert engine.stats.prefilled < 20


def test_no_progress_is_told_before_the_reply_is_asked_for(engine: BranchingEngine, ahead: Prefetcher[str]) -> None:
    """The terminal would draw how far it is where the player writes."""
    told: list[tuple[int, int]] = []

    def write(engine: Engine) -> Iterator[str]:
        assert isinstance(engine, LlamaEngine)
        window = shown(engine, *STORY, "word " * 300)
        return engine.generate(window, ONE, on_prefill=lambda done, total: told.append((done, total)))

    ahead.plan(shown(engine, *STORY, "x"), [PrefetchJob("long", write)])
    ahead.resume()
    while not any(len(slot.branch.cached) > 128 for slot in replies(ahead)):
        time.sleep(0.001)
    ahead.pause()
    assert not replies(ahead)[0].over and told == []
    taken(ahead, "long")
    assert told and told[-1][0] == told[-1][1] > 128


def test_pauses_change_nothing(open_shallow: Open, engine: BranchingEngine, ahead: Prefetcher[str]) -> None:
    """Also where they end a batch in the middle."""
    begin(ahead, engine, WARM)
    pauses = 0
    while ahead.state != "ready":
        time.sleep(0.01 * pauses)  # longer and longer, so that a slow machine gets to the end
        ahead.pause()
        pauses += 1
        ahead.resume()
    alone = open_shallow(ctx=512)
    assert pauses > 2
    assert taken(ahead, LINES[2])[0] == write(alone, shown(alone, *STORY, LINES[2]), WARM)


def test_another_line_drops_the_replies(open_shallow: Open, engine: BranchingEngine, ahead: Prefetcher[str]) -> None:
    begin(ahead, engine)
    time.sleep(0.1)
    assert ahead.take("I sing.") is None and unused(engine)
    window = shown(engine, *STORY, "I sing.")
    alone = open_shallow(ctx=512)
    assert write(engine, window) == write(alone, shown(alone, *STORY, "I sing."))


def test_the_coming_window_is_read_first_and_kept(engine: BranchingEngine, ahead: Prefetcher[str]) -> None:
    write(engine, shown(engine, "Something else."), ONE)
    window = shown(engine, *STORY, "word " * 200, "Yes.", "x")
    ahead.plan(window, [])
    ahead.resume()
    finish(ahead)
    ahead.drop()
    write(engine, window, ONE)
    assert engine.stats.reused >= 128 and engine.stats.prefilled < 128 + 10


def test_reading_that_is_stopped_is_not_lost(engine: BranchingEngine, ahead: Prefetcher[str]) -> None:
    write(engine, shown(engine, "Something else."), ONE)
    window = shown(engine, *STORY, "word " * 300, "Yes.", "x")
    ahead.plan(window, [])
    ahead.resume()
    while any(len(slot.branch.cached) < 128 for slot in ahead.slots):
        time.sleep(0.001)
    ahead.drop()
    write(engine, window, ONE)
    assert engine.stats.reused >= 128


def test_a_moved_cache_is_refreshed(open_shallow: Open, engine: BranchingEngine, ahead: Prefetcher[str]) -> None:
    write(engine, shown(engine, *TOLD))
    window = shown(engine, *TOLD[2:], evicted=2)
    write(engine, window, ONE)
    assert engine.shifted
    ahead.plan(window, [])
    ahead.resume()
    finish(ahead)
    assert not engine.shifted
    ahead.close()
    write(engine, window, ONE)
    assert engine.stats.prefilled < 10
    fresh = open_shallow(ctx=512)
    write(fresh, shown(fresh, *TOLD[2:], evicted=2), ONE)
    assert divergence(engine, fresh) < ROUNDING


def test_a_refresh_that_was_paused_follows_the_story(
    open_shallow: Open, engine: BranchingEngine, ahead: Prefetcher[str]
) -> None:
    turns = ["Tell me of the sea.", "It was grey and wide.", "word " * 200, "Yes.", "And then?"]
    write(engine, shown(engine, *turns), ONE)
    write(engine, shown(engine, *turns[2:], evicted=2), ONE)
    ahead.plan(shown(engine, *turns[2:], evicted=2), [])
    ahead.resume()
    while not any(slot.branch.waiting for slot in ahead.slots):
        time.sleep(0.001)
    ahead.pause()
    assert ahead.slots[0].branch.waiting
    ahead.drop()
    window = shown(engine, *turns[2:], "A ship came.", "Who was aboard?", evicted=2)
    write(engine, window, ONE)
    ahead.plan(window, [])
    ahead.resume()
    finish(ahead)
    assert not engine.shifted and engine.model.extent(0) == (0, len(engine.sequence.cached) - 1)
    fresh = open_shallow(ctx=512)
    write(fresh, window, ONE)
    write(engine, window, ONE)
    assert engine.stats.prefilled < 10 and divergence(engine, fresh) < ROUNDING


def noted(engine: BranchingEngine | LlamaEngine, line: str) -> Window:
    """The story with a note before the player's line, which is longer than a line and no whole chunk."""
    window = shown(engine, *STORY, line)
    *turns, (said,) = window.prompt.blocks
    note = Segment(said.mark, "[The user is in a small boat on a grey and wide sea, and nobody is aboard but him.]")
    prompt = replace(window.prompt, blocks=(*turns, (note, Segment("\n\n", line))))
    return replace(window, prompt=prompt, used=window.used + engine.count(note))


def test_what_is_told_before_a_line_is_prefilled_before_it_is_typed(
    open_shallow: Open,
) -> None:
    alone, engine = open_shallow(ctx=512), open_shallow(ctx=512, branches=5)
    assert isinstance(engine, BranchingEngine)
    ahead: Prefetcher[str] = Prefetcher(engine)
    for each in (engine, alone):
        write(each, shown(each, *STORY[:1]))
    ahead.plan(noted(engine, "."), [])
    ahead.resume()
    finish(ahead)
    ahead.drop()
    typed = noted(engine, "I row home.")
    new = sum(engine.sizes(typed.segments)[-2:])
    assert write(engine, typed, WARM) == write(alone, noted(alone, "I row home."), WARM)
    assert engine.stats.prefilled == new < alone.stats.prefilled - 20


def test_what_slid_can_make_room_at_once(open_shallow: Open, engine: BranchingEngine) -> None:
    """Keys that were moved are turned before they are taken out of the cache."""
    window = shown(engine, *TOLD[2:], evicted=2)
    alone = open_shallow(ctx=512)
    for each in (engine, alone):
        write(each, shown(each, *TOLD))
    engine.prepare(window)
    assert engine.model.k_shift_pending
    branch = engine.branch()
    engine.enter(branch)
    assert next(branch.generate(shown(engine, "Something else."), ONE)) == ""
    engine.drop(branch)
    for each in (engine, alone):
        write(each, window, ONE)
        assert each.stats.prefilled < 10
    assert divergence(engine, alone) < ROUNDING


@pytest.mark.parametrize(("in_word", "kept"), [(True, False), (False, True)], ids=["a letter", "a full stop"])
def test_half_a_word_is_read_no_further_once_a_key_has_changed_it(
    engine: BranchingEngine, ahead: Prefetcher[str], monkeypatch: pytest.MonkeyPatch, in_word: bool, kept: bool
) -> None:
    write(engine, shown(engine, *STORY), ONE)
    ahead.plan(shown(engine, *STORY, "x"), [])
    ahead.resume()
    finish(ahead)  # what stands before any line
    (line,) = jobs(engine, COOL, "I seek chandel")
    ends, waits, decode = list[bool](), threading.Event(), engine.model.decode_inline

    def held(tokens: Sequence[int], position: int, seq_id: int) -> bool:
        typed = ahead._typed
        assert typed and not typed.branch.at_end
        ends.append(typed.branch.in_last_word)
        if ends[-1]:
            waits.set()
            while not (engine.model.aborted or released.is_set()):
                time.sleep(0.001)
        return decode(tokens, position, seq_id)

    released = threading.Event()
    monkeypatch.setattr(engine.model, "decode_inline", held)
    ahead.hold()
    ahead.read(line, whole=True)
    assert waits.wait(9)
    ahead.spent()
    ahead.revoke(all=False, in_word=in_word)
    released.set()
    while ahead._writing:
        time.sleep(0.001)
    assert ends.count(True) == 1 and (ahead.spent() > 0) is kept
