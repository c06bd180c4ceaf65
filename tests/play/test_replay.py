"""A story's replies written again: what is told of those that are the same, differ, or cannot be compared."""

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from advrepl.play import moves
from advrepl.play.game import Game
from advrepl.play.replay import Compared, Replay
from advrepl.prompt.formats import FORMATS
from advrepl.sampling.params import Sampling
from advrepl.story.save_file import SaveFile
from advrepl.story.saves import Save, load
from advrepl.story.tree import Story
from tests.conftest import ScriptedEngine
from tests.story.test_saves import a_save

REPLIES = ("The door is locked.", "A key hangs on a nail.", "It fits.", "Stairs lead down.")


@pytest.fixture
def play(tmp_path: Path) -> Callable[..., Game]:
    def begun(*replies: str) -> Game:
        save = msgspec.structs.replace(a_save("Begin!"), sampling={"seed": 7})
        save = msgspec.structs.replace(save, scenario=msgspec.structs.replace(save.scenario, options=0))
        return Game(ScriptedEngine(*replies), FORMATS["metharme"], save, SaveFile(tmp_path / "a.json"))

    return begun


def replayed(save: Save, *replies: str) -> list[Compared]:
    engine = ScriptedEngine(*replies)
    found = list(Replay(engine, FORMATS["metharme"], save).compared())
    seeds = [sampling.seed for sampling in engine.samplings]
    assert seeds == [turn.seed for turn in Story(save.turns, save.head).path_turns() if turn.prompt][: len(seeds)]
    return found


def test_what_a_reply_was_written_with_is_kept(play: Callable[..., Game]) -> None:
    game = play(*REPLIES)
    list(game.retry())
    list(game.act("open the door"))
    game.set_sampling(Sampling(seed=7, temperature=0.2))
    list(game.act("look for a key"))
    save = load(game.file.path)
    assert save.samplings == ({"seed": 7}, {"seed": 7, "temperature": 0.2})
    assert [turn.sampling for turn in save.turns if turn.role == "model"] == [0, 0, 1]
    assert len({turn.prompt for turn in save.turns}) == 4 and all(len(t.prompt) == 16 for t in save.turns[1::2])


def test_the_same_replies_are_told_as_such(play: Callable[..., Game]) -> None:
    game = play(*REPLIES)
    for line in ("begin", "open the door", "take the key"):
        list(game.act(line))
    before = game.file.path.read_bytes()
    assert [each.result for each in replayed(load(game.file.path), *REPLIES)] == ["same"] * 3
    found = replayed(load(game.file.path), REPLIES[0], "A key hangs on a hook.", REPLIES[2])
    assert [each.result for each in found] == ["same", "differs", "same"], "each stands behind the story as it is"
    assert (found[1].turn, found[1].at, found[1].now) == (5, 17, "A key hangs on a hook.")
    assert game.file.path.read_bytes() == before


def test_what_stands_behind_an_edit_has_another_prompt(play: Callable[..., Game]) -> None:
    game = play(*REPLIES)
    for line in ("begin", "open the door"):
        list(game.act(line))
    moves.edit(game, game.story.path[1], "close the door")
    assert [each.result for each in replayed(game.state.save)] == ["other prompt"] * 2
    moves.edit(game, game.story.path[2], "It was open all the time.")
    assert [each.result for each in replayed(game.state.save)] == ["unknown", "other prompt"]


def test_more_of_a_reply_and_one_that_was_stopped(play: Callable[..., Game]) -> None:
    more = " A key hangs on a nail."
    third = "It fits. The door opens wide, and behind it a long dark stair leads down into the cold below."
    game = play(REPLIES[0], more, third)
    list(game.act("begin"))
    list(game.go_on())
    assert game.story.last and game.story.last.text == "The door is locked. A key hangs on a nail."
    events = game.act("take it")
    while "fits" not in getattr(next(events), "text", ""):
        pass
    game.cancel()
    list(events)
    assert game.story.last.stop == "interrupted"
    found = replayed(game.state.save, more, third)
    assert [each.result for each in found] == ["same", "same"]


def test_a_story_of_before_is_told_as_unknown() -> None:
    save = a_save("Begin!", "A house.")
    assert [each.result for each in replayed(save)] == ["unknown"]
