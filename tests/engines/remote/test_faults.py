"""What a server does wrong: what came is kept, nothing is lost or waited for without end, and one line says it."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from advrepl import AdvreplError
from advrepl.engines.base import LoadOptions
from advrepl.engines.remote import completion
from advrepl.engines.remote.address import read_address
from advrepl.engines.remote.engine import RemoteEngine
from advrepl.engines.remote.opening import open_server
from advrepl.prompt.segments import Prompt, Segment, Window
from advrepl.sampling.params import Sampling
from tests.engines.remote import scripted_server as scripted
from tests.engines.remote.scripted_server import KINDS, LCP, LLAMA, VLLM, Scripted, says, serving

SAMPLING = Sampling(seed=3, max_tokens=20)


def window(*turns: str, evicted: int = 0, head: str = "You tell a story.", cue: str = "") -> Window:
    blocks = tuple((Segment("<|user|>" if i % 2 == 0 else "<|model|>", text),) for i, text in enumerate(turns, evicted))
    return Window(Prompt((Segment("<|system|>", head),), blocks, (Segment("<|model|>", cue),)), evicted, 0, 800)


WINDOW = window("Hello there.")


@contextmanager
def engine_on(server: Scripted, **options: int) -> Iterator[tuple[RemoteEngine, list[str]]]:
    told: list[str] = []
    engine = open_server(read_address(server.url), LoadOptions(**options), told.append)  # type: ignore[arg-type]
    told.clear()
    try:
        yield engine, told
    finally:
        engine.close()


def pieces_and_error(engine: RemoteEngine, window: Window = WINDOW, **how: object) -> tuple[str, str]:
    """What came of a reply, and the error that ended it."""
    text = ""
    try:
        for piece in engine.generate(window, SAMPLING, **how):  # type: ignore[arg-type]
            text += piece
    except AdvreplError as error:
        return text, str(error)
    return text, ""


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(completion, "DELAYS", (0.0, 0.01, 0.01, 0.01, 0.01))
    monkeypatch.setattr(completion, "PATIENCE", 0.02)
    monkeypatch.setattr(completion, "LONGEST_SILENCE", 0.1)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("act", "said"),
    [
        (scripted.breaks_off(" The", " door"), "it hung up in the middle of the reply; what came of it is kept"),
        (scripted.ends_without_reason(" The", " door"), "it broke off in the middle of the reply"),
        (scripted.tells_error(" The", " door"), "EngineCore died; what came of the reply is kept: /continue goes on"),
        (scripted.falls_silent(" The", " door"), "it has fallen silent in the middle of the reply"),
    ],
    ids=["gone", "no reason", "error inside", "silent"],
)
def test_a_fault_in_a_reply_keeps_what_came_and_asks_for_nothing_again(
    kind: str, act: scripted.Act, said: str, impatient: None
) -> None:
    with serving(kind, act) as server, engine_on(server) as (engine, _):
        text, error = pieces_and_error(engine)
        assert text == " The door"
        assert said in error
        assert len(server.asked) == 1


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("act", "said"),
    [
        (scripted.hangs_up, []),  # a connection that the server has closed: nobody is told
        (scripted.refuses(503, {"error": {"message": "Loading model"}}), ["it is loading its model: trying again"]),
        (scripted.refuses(429, {"detail": "slow down"}, Retry_After="0.01"), ["it has too much to do: trying again"]),
        (scripted.sends_garbage, []),
    ],
    ids=["closed", "loading", "too many", "garbage"],
)
def test_a_request_that_brought_nothing_is_sent_again(
    kind: str, act: scripted.Act, said: list[str], impatient: None
) -> None:
    with serving(kind, act, says(" A", " door.")) as server, engine_on(server) as (engine, told):
        assert pieces_and_error(engine) == (" A door.", "")
        assert len(server.asked) == 2
        lines = (line.partition(f"{server.url}: ") for line in told)  # others tell what it has not
        assert [line for before, url, line in lines if url] == said


def test_a_server_that_never_answers_is_given_up_with_what_to_do(
    impatient: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(completion, "PATIENCE", 60.0)  # a slow machine would also say that it waits, in between
    with serving(LLAMA, scripted.hangs_up) as server, engine_on(server) as (engine, told):
        _, error = pieces_and_error(engine)
        assert error == (
            f"{server.url}: it hung up: /retry asks again, /model FILE goes on with a model of this machine"
        )
        assert len(server.asked) == 6
        # One line, however often it is tried.
        assert sum("trying again" in line for line in told) == 1


def test_a_server_that_asks_to_wait_too_long_is_not_waited_for() -> None:
    busy = scripted.refuses(429, {"detail": "come back tomorrow"}, Retry_After="86400")
    with serving(VLLM, busy) as server, engine_on(server) as (engine, _):
        started = time.monotonic()
        assert "come back tomorrow" in pieces_and_error(engine)[1]
        assert time.monotonic() - started < 1


@pytest.mark.parametrize("kind", KINDS)
def test_an_answer_without_a_word_is_a_refusal(kind: str) -> None:
    with serving(kind, scripted.is_empty) as server, engine_on(server) as (engine, _):
        assert "answers with nothing" in pieces_and_error(engine)[1]
        assert len(server.asked) == 1


@pytest.mark.parametrize("kind", KINDS)
def test_a_reply_that_never_ends_is_ended_here(kind: str) -> None:
    with serving(kind, scripted.never_ends) as server, engine_on(server) as (engine, _):
        text, error = pieces_and_error(engine)
        assert error == ""
        assert engine.stats.stop == "length"
        assert 100_000 < len(text) < 400_000
        assert server.hung_up.wait(2)


@pytest.mark.parametrize(
    ("body", "n_ctx"),
    [
        ({"error": {"message": "the request exceeds the available context size", "n_ctx": 512}}, 512),
        ({"error": {"message": "This model's maximum context length is 640 tokens. However, …"}}, 640),
        ({"error": {"message": "the prompt exceeds the context"}}, scripted.CONTEXT),
    ],
)
def test_an_overflow_that_the_server_tells_makes_the_next_window_shorter(body: object, n_ctx: int) -> None:
    with serving(LLAMA, scripted.refuses(400, body)) as server, engine_on(server) as (engine, _):
        assert "/retry asks again with less of the story" in pieces_and_error(engine)[1]
        assert engine.n_ctx == n_ctx
        assert len(server.asked) == 1


@pytest.mark.parametrize("act", [scripted.falls_silent(), scripted.falls_silent(" The")], ids=["reading", "writing"])
@pytest.mark.parametrize("kind", [LLAMA, LCP, VLLM])
def test_a_cancel_ends_a_reply_at_once_and_hangs_up(kind: str, act: scripted.Act) -> None:
    with serving(kind, act) as server, engine_on(server) as (engine, _):
        cancelled = list[float]()

        def cancel() -> None:  # not before it is asked: a request begins by forgetting a cancel
            end = time.monotonic() + 5
            while not server.asked and time.monotonic() < end:
                time.sleep(0.005)
            time.sleep(0.05)
            cancelled.append(time.monotonic())
            engine.cancel()

        threading.Thread(target=cancel).start()
        _, error = pieces_and_error(engine)
        assert error == ""
        assert engine.stats.stop == "interrupted"
        assert time.monotonic() - cancelled[0] < 1
        assert server.hung_up.wait(2)
        server.acts[:] = [says(" Again.")]
        assert pieces_and_error(engine)[0] == " Again."  # the cancel is forgotten


def test_a_cancel_ends_the_wait_between_two_tries() -> None:
    loading = scripted.refuses(503, {"error": {"message": "Loading model"}})
    with serving(LLAMA, loading) as server, engine_on(server) as (engine, _):
        engine.sizes(WINDOW.segments)  # known by now: the wait alone is left to be cancelled
        threading.Timer(0.2, engine.cancel).start()
        started = time.monotonic()
        assert pieces_and_error(engine) == ("", "")
        assert engine.stats.stop == "interrupted"
        assert time.monotonic() - started < 0.9


def test_a_question_that_is_on_its_way_when_all_is_closed_ends_without_a_word() -> None:
    with serving(LLAMA) as server, engine_on(server) as (engine, _):
        engine.wire.close()
        with pytest.raises(AdvreplError, match="tells how long a text is"):
            engine.count(Segment("<|user|>", "never asked before"))


def test_silence_is_told_while_it_lasts(impatient: None) -> None:
    with serving(LLAMA, scripted.falls_silent()) as server, engine_on(server) as (engine, told):
        pieces_and_error(engine)
        assert any("has said nothing for" in line and "Ctrl-C stops waiting" in line for line in told)


def test_a_server_that_is_gone_when_a_text_is_to_be_counted() -> None:
    with serving(LLAMA) as server, engine_on(server) as (engine, _):
        assert engine.count(Segment("<|user|>", "one two")) == 3
        server.is_dead = True
        assert engine.count(Segment("<|user|>", "one two")) == 3  # known by now
        with pytest.raises(AdvreplError, match=r"no longer tells how long a text is .*: try again, or go on with"):
            engine.count(Segment("<|user|>", "three"))


@pytest.mark.parametrize("kind", [LCP, VLLM])
def test_a_whole_reply_is_not_waited_for(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(completion, "AFTER_END", 0.05)
    with serving(kind, scripted.lingers) as server, engine_on(server) as (engine, _):
        started = time.monotonic()
        assert pieces_and_error(engine) == (" Yes.", "")
        assert engine.stats.stop == "end"
        assert time.monotonic() - started < 2


def test_control_characters_of_an_error_stay_in_one_line() -> None:
    body = {"error": {"message": "no\n\n  model " + "x" * 5000}}
    with serving(LLAMA, scripted.refuses(400, body)) as server, engine_on(server) as (engine, _):
        error = pieces_and_error(engine)[1]
        assert "no model xxx" in error
        assert "\n" not in error
        assert len(error) < 500
