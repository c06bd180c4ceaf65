"""Takes, branches, edits and deletions in a game."""

from collections.abc import Callable

import pytest

from advrepl import AdvreplError
from advrepl.engines.kv.tails import Tails
from advrepl.engines.llama.engine import LlamaEngine
from advrepl.play import moves
from advrepl.play.game import Game
from advrepl.story import outline, saves
from advrepl.story.tree import Story
from tests.conftest import ScriptedEngine
from tests.deterministic_engine import DeterministicEngine
from tests.engines.llama.test_engine import ONE, ROUNDING, divergence, write


def texts(game: Game) -> list[str]:
    return [turn.text.split("\n")[0] for turn in game.story.path_turns()]


@pytest.fixture
def game(new_game: Callable[..., Game]) -> Game:
    """A story with two takes of its second reply, and one more exchange behind each."""
    game = new_game(ScriptedEngine("One.", "Two.", "Three.", "Four.", "Five."), format="pygmalion", options=0)
    game.set_option_count(0)
    list(game.open())
    for line in ("in", "on"):
        list(game.act(line))
    game.undo()
    list(game.retry())
    list(game.act("up"))
    return game


def test_takes_have_their_own_futures(game: Game) -> None:
    here = texts(game)
    assert here[-4:] == ["in", "Three.", "up", "Four."]
    moves.browse(game, game.story.path[-3], 1)
    assert texts(game)[-2:] == ["in", "One."], "what was taken back stays so"
    moves.redo(game)
    assert texts(game)[-4:] == ["in", "One.", "on", "Two."]
    moves.browse(game, game.story.path[-3], 1)
    assert texts(game)[-4:] == ["in", "One.", "on", "Two."]
    takes, take = moves.browsed_takes(game)
    assert (len(takes), take) == (2, 0), "the arrows go on with that turn's takes"
    moves.browse(game, takes[take], 2)
    assert texts(game) == here == texts_of(game)
    with pytest.raises(AdvreplError, match="has 2 takes, so 1 to 2, not 3"):
        moves.browse(game, takes[0], 3)


def texts_of(game: Game) -> list[str]:
    """What the file has."""
    save = saves.load(game.file.path)
    return [turn.text.split("\n")[0] for turn in Story(save.turns, save.head).path_turns()]


def test_what_was_taken_back_does_not_come_with_an_earlier_take(new_game: Callable[..., Game]) -> None:
    game = new_game(ScriptedEngine("One.", "Two.", "Three."), format="pygmalion", options=0)
    game.set_option_count(0)
    list(game.open())
    for line in ("in", "on"):
        list(game.act(line))
    game.undo()
    list(game.retry())
    moves.browse(game, game.story.path[-1], 1)
    assert texts(game)[-2:] == ["in", "One."]
    moves.redo(game)
    assert texts(game)[-2:] == ["on", "Two."], "it can be had all the same"
    moves.browse(game, game.story.path[-3], 2)
    moves.browse(game, game.story.path[-1], 1)
    assert texts(game)[-2:] == ["on", "Two."], "what was read last comes with it"


def test_redo_takes_undo_back(game: Game) -> None:
    here = texts(game)
    game.undo()
    game.undo()
    moves.redo(game)
    assert texts(game) == here[:-2]
    moves.redo(game)
    assert texts(game) == here
    with pytest.raises(AdvreplError, match="nothing follows here"):
        moves.redo(game)


def test_an_edit_in_the_middle_keeps_what_follows(game: Game) -> None:
    before = texts(game)
    old = game.story.path[-3]
    new = moves.edit(game, old, "Drei.")
    assert texts(game) == [*before[:-3], "Drei.", *before[-2:]] == texts_of(game)
    assert game.story.turns[old].text == "Three." and new in game.story.siblings(old)
    with pytest.raises(AdvreplError, match="cannot be empty"):
        moves.edit(game, new, " \n")


def test_branches_move_with_the_story(game: Game) -> None:
    moves.name_branch(game, "dark")
    assert game.state.save.branches == {"main": game.story.head, "dark": game.story.head}
    end = game.story.head
    list(game.act("down"))
    assert game.state.save.branches == {"main": end, "dark": game.story.head}
    dark = game.story.head
    moves.go(game, game.state.save.branches["main"], "main")
    assert game.story.head == end and game.state.save.branches["dark"] == dark
    with pytest.raises(AdvreplError, match="there is a branch 'dark' already"):
        moves.name_branch(game, "dark")


def test_a_deleted_turn_leaves_the_file(game: Game) -> None:
    turn = game.story.path[-3]
    assert moves.delete(game, turn) == 3
    assert texts(game)[-4:] == ["in", "One.", "on", "Two."]
    assert "Three." not in game.file.path.read_text()
    list(game.retry())  # and the story goes on
    with pytest.raises(AdvreplError, match="nothing would be left"):
        moves.delete(game, 0)


def long_walk(new_game: Callable[..., Game]) -> Game:
    """A story of which the first turns have slid out."""
    game = new_game(DeterministicEngine(400))
    game.set_option_count(0)
    list(game.open())
    for number in range(30):
        list(game.act(f"step {number} of a long walk through the old house"))
    return game


def test_the_window_follows_to_a_far_branch(new_game: Callable[..., Game]) -> None:
    """Not with one turn alone, because the window began late on the path that is left."""
    game = long_walk(new_game)
    assert game.state.evicted() > 10
    moves.go(game, game.story.path[9])
    assert len(game.story) == 10 and game.window().evicted == 0
    list(game.act("another way"))


def test_a_branch_that_is_read_again_begins_where_it_did(new_game: Callable[..., Game]) -> None:
    """Then the prompt is the one that the cache was built for."""
    game = long_walk(new_game)
    end, window = game.story.head, game.window()
    moves.go(game, game.story.path[9])
    list(game.act("another way"))
    assert game.window().evicted != window.evicted
    moves.go(game, end)
    assert game.window() == window


def test_what_it_costs_to_go_somewhere_is_what_is_read_there(
    new_game: Callable[..., Game], open_engine: Callable[..., LlamaEngine]
) -> None:
    engine = open_engine(ctx=512)
    engine.tails.limit = 64 << 20
    game = new_game(engine, max_tokens=4, seed=5)
    game.set_option_count(0)
    list(game.open())
    list(game.act("walk on through the long hall of the old house, past the door and the stairs"))
    game.undo()
    list(game.act("go back to the garden, to the gate and to the road that you came on, before it is night"))
    told, read = gone_elsewhere(game)
    assert told <= 8 and read <= 8
    engine.tails = Tails()  # nothing was kept
    told, read = gone_elsewhere(game)
    assert read > 20 and abs(told - read) <= 4


def test_what_was_read_before_an_edit_costs_nothing_to_go_back_to(
    new_game: Callable[..., Game], open_engine: Callable[..., LlamaEngine]
) -> None:
    game = new_game(open_engine(ctx=512), max_tokens=4, seed=5)
    game.set_option_count(0)
    list(game.open())
    list(game.act("walk on through the long hall of the old house, past the door and the stairs"))
    moves.edit(game, game.story.path[-2], "stay where you are")
    (old,) = (each for each in outline.stretches(game.story) if not each.on_path)
    assert int(moves.Costs(game).said(old).replace("nothing", "0").split()[0]) <= 1, "the last token of a reply"


def gone_elsewhere(game: Game) -> tuple[int, int]:
    """How many tokens /tree tells of the branch that is not read, and how many are read there beside a line."""
    (far,) = (each for each in outline.stretches(game.story) if not each.on_path)
    told = int(moves.Costs(game).said(far).replace("nothing", "0").split()[0])
    moves.go(game, far.last)
    list(game.act("."))
    stats = game.engine.stats
    return told, stats.prompt - stats.reused - sum(game.engine.sizes(game.planner.earlier_window().segments)[-2:])


def test_logits_after_an_edit_out_of_sight_are_those_of_a_fresh_engine(
    new_game: Callable[..., Game], open_engine: Callable[..., LlamaEngine]
) -> None:
    """What was moved when the old words slid out has seen them, though its own text stays the same."""
    engine, fresh = open_engine(ctx=256), open_engine(ctx=256)
    game = new_game(engine, max_tokens=4, seed=5)
    game.set_option_count(0)
    list(game.open())
    while not engine.shifted:
        list(game.act("walk on through the long hall of the old house, past the door and the stairs"))
    shown = str(game.window().prompt)
    moves.edit(game, game.story.path[1], "You are at sea, in a small boat.")
    assert str(game.window().prompt) == shown and not engine.shifted
    fresh.sequence.token_cache = engine.sequence.token_cache.copy()  # replies keep the tokens they were sampled as
    for each in (engine, fresh):
        write(each, game.window(), ONE)
    assert engine.stats.shifted == 0 and divergence(engine, fresh) < ROUNDING
