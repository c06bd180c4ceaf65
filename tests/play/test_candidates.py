"""Looking ahead in a game: the same story as without, nothing of it in the save, the likeliest first."""

import time
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from advrepl.engines.base import LoadOptions
from advrepl.engines.llama.branches import BranchingEngine
from advrepl.engines.llama.engine import LlamaEngine
from advrepl.engines.llama.log import Log
from advrepl.engines.llama.memory import SEQ_PREFETCH, SEQ_REFRESH, SEQ_SWAP
from advrepl.engines.llama.model import LlamaModel
from advrepl.engines.prefetch import SHARES, Prefetcher
from advrepl.play.candidates import candidates, habits
from advrepl.play.events import Event, Reply
from advrepl.play.game import Game
from advrepl.story.scenario import START
from advrepl.terminal.lines import understood
from tests import architectures
from tests.deterministic_engine import DeterministicEngine

NewGame = Callable[..., Game]


def ended(events: Iterable[Event]) -> Reply:
    last = list(events)[-1]
    assert isinstance(last, Reply)
    return last


def ready(game: Game) -> None:
    """Wait until all is written."""
    assert game.prefetcher
    end = time.monotonic() + 60
    while game.prefetcher.state == "writing":
        assert time.monotonic() < end, "it never ends"
        time.sleep(0.002)


def looking(game: Game) -> Game:
    game.prefetcher = Prefetcher(game.engine)  # type: ignore[arg-type]
    return game


def texts(game: Game) -> list[str]:
    return [turn.text for turn in game.story.path_turns()]


STEPS = st.lists(
    st.tuples(st.sampled_from(["1", "2", "3", "I wait.", "/retry", "/undo"]), st.integers(0, 60)), max_size=10
)


def step(game: Game, line: str) -> None:
    if line == "/retry":
        ended(game.retry())
    elif line == "/undo":
        if len(game.story) > 2:
            game.undo()
    else:
        ended(game.act(understood(line, game.options()).text))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
@pytest.mark.parametrize("n_ctx", [2000, 300])
def test_the_story_is_the_same_with_and_without(new_game: NewGame, n_ctx: int, steps: list[tuple[str, int]]) -> None:
    """However far the replies were when one was asked for, and also where turns slide out."""
    plain = new_game(DeterministicEngine(n_ctx), seed=3, max_tokens=20)
    ended(plain.open())
    game = looking(new_game(DeterministicEngine(n_ctx), seed=3, max_tokens=20))
    ended(game.open())
    for line, served in steps:
        if n_ctx < 1000 and line.startswith("/"):
            continue  # where turns are about to slide out, another take is written after they have
        game.start_prefetch()
        until = game.engine.served + served  # type: ignore[attr-defined]
        while game.prefetcher and game.prefetcher.state == "writing" and game.engine.served < until:  # type: ignore[attr-defined]
            time.sleep(0)
        game.pause_prefetch()
        step(plain, line)
        step(game, line)
        assert texts(game) == texts(plain)
    assert game.story.turns and [turn.seed for turn in game.story.turns] == [turn.seed for turn in plain.story.turns]
    game.close()
    plain.close()
    assert game.engine.lent == 0  # type: ignore[attr-defined]


@pytest.fixture
def game(new_game: NewGame) -> Game:
    game = looking(new_game(DeterministicEngine(), seed=3, max_tokens=20))
    ended(game.open())
    return game


def test_a_chosen_reply_was_there_before_it_was_asked_for(game: Game) -> None:
    game.start_prefetch()
    ready(game)
    reply = ended(game.act(game.options()[1]))
    assert reply.stats["ahead"] and reply.stats["stop"] == "end" and game.engine.lent == 0  # type: ignore[attr-defined]
    assert not ended(game.act("I sing.")).stats["ahead"]


def test_what_was_decoded_for_other_replies_is_told_once(game: Game) -> None:
    game.start_prefetch()
    ready(game)
    served = game.engine.served  # type: ignore[attr-defined]
    stats = ended(game.act(game.options()[1])).stats
    assert 0 < stats["aside"] < served and stats["decoded"] >= stats["aside"]
    assert ended(game.act("I sing.")).stats["aside"] == 0


def test_what_was_not_chosen_never_reaches_the_save(game: Game) -> None:
    before = game.file.path.read_bytes()
    game.start_prefetch()
    ready(game)
    assert game.file.path.read_bytes() == before
    ended(game.act("I sing."))
    assert len(game.story.turns) == 4


def test_another_take_is_written_last(game: Game) -> None:
    game.start_prefetch()
    ready(game)
    assert ended(game.retry()).stats["ahead"]


def test_what_is_changed_meanwhile_is_heeded(game: Game, new_game: NewGame) -> None:
    """Nothing that was written under other settings is taken."""
    game.start_prefetch()
    ready(game)
    game.set_option_count(2)
    reply = ended(game.act(game.options()[0]))
    assert not reply.stats["ahead"] and len(reply.options) == 2


def test_an_empty_line_or_a_question_drops_nothing(game: Game) -> None:
    game.start_prefetch()
    ready(game)
    served = game.engine.served  # type: ignore[attr-defined]
    game.pause_prefetch()
    game.start_prefetch()
    ready(game)
    assert game.engine.served == served and ended(game.act(game.options()[0])).stats["ahead"]  # type: ignore[attr-defined]


def test_the_likeliest_comes_first(game: Game) -> None:
    for line in ("3", "3", "1", "I sing."):
        step(game, line)
    assert habits(game.story) == {0: 1, 2: 2}
    _, jobs = candidates(game.planner, game.write)
    said = [job.key.window.prompt.blocks[-1][-1].text for job in jobs]  # type: ignore[attr-defined]
    options = game.options()
    assert said == [options[2], options[0], options[1], "I sing."]
    assert [job.later for job in jobs] == [False, False, False, True]


def test_all_have_their_first_words_before_one_is_written_to_its_end(game: Game) -> None:
    game.start_prefetch()
    ready(game)
    order = game.engine.order  # type: ignore[attr-defined]
    turns = [branch for at, branch in enumerate(order) if at == 0 or branch is not order[at - 1]]
    options, again = [*dict.fromkeys(order)][:3], order[-1]
    assert turns == [*options * (len(SHARES) + 1), again]
    assert [order.index(branch) for branch in options] == [0, SHARES[0] - 1, 2 * (SHARES[0] - 1)]


def test_leaving_while_it_writes_loses_nothing(game: Game) -> None:
    game.start_prefetch()
    game.close()
    assert game.engine.closed and game.engine.lent == 0  # type: ignore[attr-defined]


def test_a_bug_in_the_worker_is_not_hidden(game: Game) -> None:
    def fail(_: object) -> bool:
        raise ZeroDivisionError

    game.engine.serve = fail  # type: ignore[attr-defined]
    game.start_prefetch()
    ready(game)
    with pytest.raises(ZeroDivisionError):
        game.pause_prefetch()


def test_the_real_model_tells_the_same_story(new_game: NewGame, open_engine: Callable[..., LlamaEngine]) -> None:
    """The same words at every turn, and no cell is left behind."""
    settings = {"format": "pygmalion", "seed": 1, "max_tokens": 12}
    plain = new_game(open_engine(ctx=1024), START, **settings)
    ended(plain.open())
    engine = open_engine(ctx=1024, branches=5)
    game = looking(new_game(engine, START, **settings))
    ended(game.open())
    for turn, line in enumerate(("1", "3", "I sing.", "2")):
        game.start_prefetch()
        if turn % 2:
            ready(game)
        else:
            time.sleep(0.3)
        reply = ended(game.act(understood(line, game.options()).text))
        step(plain, line)
        assert texts(game) == texts(plain)
        assert reply.stats["ahead"] or not turn % 2
        assert all(engine.model.extent(sequence) == (-1, -1) for sequence in (SEQ_PREFETCH, SEQ_REFRESH, SEQ_SWAP))
    assert engine.model.extent(0) == (0, len(engine.sequence.cached) - 1)


@pytest.mark.parametrize("kind", ["llama-yarn", "mamba", "lfm2"])
def test_a_window_that_cannot_be_moved_is_read_again_while_the_player_reads(
    kind: str, new_game: NewGame, tmp_path: Path
) -> None:
    model, log = architectures.make(kind, tmp_path), Log(tmp_path / "log")
    letters = dict.fromkeys("abcdefghijklmnopqrstuvwxyz", 20.0)  # else random bytes, which are no text
    fed: dict[bool, list[int]] = {}
    for reads in (True, False):
        engine = BranchingEngine(LlamaModel(model, LoadOptions(768, 1, branches=5), log))
        game = new_game(engine, seed=3, max_tokens=24, logit_bias=letters)
        if reads:
            looking(game)
        ended(game.open())
        fed[reads] = []
        for _ in range(8):
            game.start_prefetch()
            if reads:
                ready(game)
            stats = ended(game.act("I wait and wait.")).stats
            fed[reads].append(stats["prompt"] - stats["reused"])
        assert game.read_in_full == 4  # the first time, and as it slid three times
        game.close()
    assert max(fed[True]) < 40 and sum(tokens > 300 for tokens in fed[False]) == 3
