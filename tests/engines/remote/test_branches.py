"""Replies written ahead on a server: the same words, closed at a key, going on from where they were."""

import threading
import time
from collections.abc import Callable, Iterator
from functools import partial

import pytest
from msgspec.structs import replace

from advrepl.engines.base import Engine, LoadOptions
from advrepl.engines.prefetch import Prefetcher
from advrepl.engines.remote.address import read_address
from advrepl.engines.remote.branches import RemoteBranching
from advrepl.engines.remote.opening import open_server
from advrepl.engines.slots import PrefetchJob
from tests.engines.remote import scripted_server as scripted
from tests.engines.remote.scripted_server import KOBOLD, LCP, LLAMA, VLLM, Scripted, says, serving
from tests.engines.remote.test_engine import GRAMMAR
from tests.engines.remote.test_faults import SAMPLING, engine_on, window

LINES = ("I go in.", "I walk away.", "I run.")


def write(line: str, grammar: str | None, engine: Engine) -> Iterator[str]:
    return engine.generate(window("Hello.", "Hi.", line), SAMPLING, grammar=grammar, stop=("\n",))


def begun(server: Scripted, grammar: str | None = None) -> tuple[Prefetcher[str], RemoteBranching]:
    engine = open_server(read_address(server.url), LoadOptions(branches=6), lambda _: None)
    assert isinstance(engine, RemoteBranching)
    ahead: Prefetcher[str] = Prefetcher(engine)  # as a session makes it
    ahead.plan(window("Hello.", "Hi.", "."), [PrefetchJob(line, partial(write, line, grammar)) for line in LINES])
    ahead.resume()
    return ahead, engine


def until(there: Callable[[], object]) -> None:
    end = time.monotonic() + 5
    while not there():
        assert time.monotonic() < end
        time.sleep(0.005)


@pytest.mark.parametrize("kind", [LCP, KOBOLD])
def test_a_server_that_cannot_do_it_is_never_asked(kind: str) -> None:
    with serving(kind) as server:
        engine = open_server(read_address(server.url), LoadOptions(branches=6), lambda _: None)
        assert not isinstance(engine, RemoteBranching)
        engine.close()


@pytest.mark.parametrize("kind", [LLAMA, VLLM])
def test_a_reply_that_was_written_ahead_is_there_and_costs_no_request(kind: str) -> None:
    with serving(kind, scripted.goes_on(" The", " door", " is", " open", " now", ".")) as server:
        ahead, engine = begun(server)
        until(lambda: ahead.state == "ready")
        asked = len(server.asked)
        # First words of each, then more of each: where that is done in turn, each is asked for again.
        assert asked == (6 if kind == LLAMA else 3)
        taken = ahead.take("I walk away.")
        assert taken
        assert "".join(taken.done) == " The door is open now."
        assert list(taken.events) == []
        assert len(server.asked) == asked
        ahead.close()
        engine.close()


@pytest.mark.parametrize(("kind", "at_once"), [(LLAMA, False), (VLLM, True)])
def test_only_a_server_that_shares_the_story_writes_several_at_once(kind: str, at_once: bool) -> None:
    with serving(kind, says(*"abcdefghij", pause=0.01)) as server:
        ahead, engine = begun(server)
        most = 0
        while ahead.state != "ready":
            most = max(most, sum(branch._source is not None for branch in engine._live))
            time.sleep(0.002)
        assert (most > 1) == at_once
        ahead.close()
        engine.close()


def test_a_key_hangs_up_and_what_follows_goes_on_behind_what_there_is() -> None:
    with serving(LLAMA, scripted.falls_silent(" The", " door"), says(" opens.")) as server:
        ahead, engine = begun(server)
        until(lambda: ahead.slots and ahead.slots[0].done == [" The", " door"])
        ahead.hold()
        assert server.hung_up.wait(2)
        taken = ahead.take("I go in.")
        assert taken
        assert "".join([*taken.done, *taken.events]) == " The door opens."
        first, second = server.asked
        assert second["prompt"] == [*first["prompt"], *server.ids(" The door", False)]
        assert second["n_predict"] == first["n_predict"] - 2
        assert second["n_cache_reuse"] == 0
        ahead.close()
        engine.close()


def test_a_reply_that_waited_beside_the_one_that_was_written_goes_on_when_it_is_taken() -> None:
    """Several streams are open at once, and a key closes all of them, not only the one that is waited for."""
    said = " The", " door", " is", " open"
    with serving(VLLM, *[scripted.falls_silent(*said)] * 3, says(" now.")) as server:
        ahead, engine = begun(server)
        until(lambda: ahead.slots and ahead.slots[0].done == [*said])  # and it is waited for again
        taken = ahead.take("I walk away.")
        assert taken
        assert "".join([*taken.done, *taken.events]) == " The door is open now."
        assert server.asked[3]["prompt"] == [*server.asked[1]["prompt"], *server.ids("".join(said), False)]
        ahead.close()
        engine.close()


def test_an_option_under_a_grammar_is_asked_for_anew() -> None:
    with serving(LLAMA, scripted.falls_silent(" y"), says(" no", "\n")) as server:
        ahead, engine = begun(server, GRAMMAR)
        until(lambda: server.asked)
        time.sleep(0.05)
        ahead.hold()
        assert server.hung_up.wait(2)
        ahead.resume()
        until(lambda: ahead.state == "ready")
        assert ahead.slots[0].done == [" no"]
        assert server.asked[1]["prompt"] == server.asked[0]["prompt"]
        ahead.close()
        engine.close()


def test_slots_that_share_a_context_hold_no_more_replies_than_fit_it() -> None:
    """Three of 250 tokens do not fit 900 with the reply that is kept free; a llama-server would refuse all."""
    shown = window("one " * 120, "Hi.", ".")
    with serving(LLAMA) as server, engine_on(server, branches=6) as (engine, _):
        assert isinstance(engine, RemoteBranching)
        for slots, branches in ((1, 6), (4, 3)):
            engine.server = replace(engine.server, slots=slots)
            engine.prepare(type(shown)(shown.prompt, 0, 150, 700))
            assert engine.branches == branches


def test_a_reply_that_was_taken_hears_a_cancel() -> None:
    with serving(LLAMA, scripted.falls_silent(" The")) as server:
        ahead, engine = begun(server)
        until(lambda: ahead.slots and ahead.slots[0].done)
        taken = ahead.take("I go in.")
        assert taken
        threading.Timer(0.1, engine.cancel).start()
        started = time.monotonic()
        assert "".join(taken.events).strip() in ("", "The")
        assert time.monotonic() - started < 2
        ahead.close()
        engine.close()


@pytest.mark.parametrize("kind", [LLAMA, VLLM])
def test_a_typed_line_is_only_read(kind: str) -> None:
    """One token is asked for, the least that all of them take, and none of what comes is a reply."""
    with serving(kind, says(" x")) as server, engine_on(server, branches=6) as (engine, _):
        assert isinstance(engine, RemoteBranching) and engine.reads_along
        ahead: Prefetcher[str] = Prefetcher(engine)
        ahead.plan(window("Hello.", "Hi.", "."), [])
        for line in ("I go", "I go down"):
            shown = window("Hello.", "Hi.", line)
            ahead.hold()
            ahead.read(PrefetchJob(line, lambda branch, shown=shown: branch.read(shown)), whole=False)  # type: ignore[misc]
            until(lambda: not ahead._writing)
        assert [request["n_predict" if kind == LLAMA else "max_tokens"] for request in server.asked] == [1, 1]
        longer, shorter = server.asked[1]["prompt"], server.asked[0]["prompt"]
        assert len(longer) > len(shorter)
        assert ahead.take("something else") is None
        said = "".join(engine.generate(window("Hello.", "Hi.", "I go down there."), SAMPLING))
        assert said == " x"
        assert engine.stats.prompt == len(server.asked[2]["prompt"]) > len(longer)
        ahead.close()


@pytest.mark.parametrize("kind", [LCP, KOBOLD])
def test_a_typed_line_is_not_sent_where_that_would_hurt(kind: str) -> None:
    with serving(kind) as server, engine_on(server, branches=6) as (engine, _):
        assert not getattr(engine, "reads_along", False)
