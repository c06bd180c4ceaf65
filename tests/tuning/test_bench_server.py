"""The figures of a server, of which it tells some itself."""

from advrepl.tuning.bench_server import measure_server
from tests.engines.remote.scripted_server import CONTEXT, LCP, LLAMA, says, serving
from tests.engines.remote.test_faults import engine_on


def test_a_server_that_tells_how_long_it_computed() -> None:
    done: list[str] = []
    with serving(LLAMA, says(" Yes", ".")) as server, engine_on(server) as (engine, _):
        found = measure_server(engine, 3, 1, lambda doing, *_: done.append(doing))
    assert found.context == CONTEXT
    assert found.overhead_ms
    assert 0 < found.overhead_ms.median < 1000
    assert found.story.turns == 3
    assert done[-1] == "a story, turn 3 of 3"


def test_a_server_that_does_not() -> None:
    with serving(LCP, says(" Yes", ".")) as server, engine_on(server) as (engine, _):
        assert measure_server(engine, 2, 1, lambda *_: None).overhead_ms is None
