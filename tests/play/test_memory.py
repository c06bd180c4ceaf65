"""What the model chooses to keep of turns that slide out, and what the player keeps and drops."""

from collections.abc import Callable
from typing import Any

import pytest

from advrepl.engines.llama.engine import LlamaEngine
from advrepl.engines.slots import Slot
from advrepl.play import memory
from advrepl.play.game import Game
from advrepl.play.memory import QUESTION
from advrepl.story import quotes
from advrepl.story.tree import Turn
from tests.play.conftest import AnsweringEngine
from tests.terminal.commands.conftest import refused, told

TALE = "The door is locked with a chain. A key lies under the mat. Somebody coughs behind the door."


def second_text(grammar: str) -> str:
    return grammar.split('"')[3]


@pytest.fixture
def game(new_game: Callable[..., Game]) -> Game:
    """A story of which the model no longer sees the first turns."""
    game = new_game(AnsweringEngine(second_text, n_ctx=400), max_tokens=100)
    game.set_option_count(0)
    for number in range(12):
        game.state.add(Turn(game.story.head, "user", f"step {number}"))
        game.state.add(Turn(game.story.head, "model", f"{TALE} This is the {number}th time."))
    assert game.window().evicted > 4
    return game


def answered(game: Game) -> None:
    """What the prefetcher does with the questions while the player reads."""
    for job in game.memory.questions(game.planner, game.engine):
        branch: Any = game.engine
        slot = Slot(branch, job.write(branch), job)
        slot.done, slot.over = list(slot.events), True
        game.memory.collect([slot, slot])


def test_nothing_is_asked_unless_the_player_wants_it(game: Game) -> None:
    assert game.memory.questions(game.planner, game.engine) == []


def test_a_turn_out_of_sight_is_asked_about_once_and_its_line_is_told(game: Game) -> None:
    told(game, "/recap on")
    for asked in (2, 2):
        answered(game)
        assert len(game.engine.prompts) == asked  # type: ignore[attr-defined]
        game.engine.prompts.clear()  # type: ignore[attr-defined]
    assert game.state.save.quotes == (), "the reply that was written ahead stays as it is"
    game.memory.keep(game.state)
    lines = [quotes.text(line, game.story) for line in quotes.on_path(game.state.save.quotes, game.story)]
    assert lines == ["A key lies under the mat."] * 4
    planned = game.planner.player_turn("on")
    assert planned.turn.injections["recap"] == "Earlier: " + " … ".join(lines)
    assert planned.turn.injections["recap"] in str(planned.window.prompt)
    game.undo()
    assert len(quotes.on_path(game.state.save.quotes, game.story)) == 4
    game.state.goto(game.story.path[1])
    assert len(quotes.on_path(game.state.save.quotes, game.story)) == 1, "the others' turns are on no path that is read"


def test_the_question_stands_behind_the_prompt_that_is_there(game: Game) -> None:
    told(game, "/recap on")
    answered(game)
    asked = game.engine.prompts[0]  # type: ignore[attr-defined]
    before = asked[: asked.index(QUESTION)]
    assert game.planner.player_turn(".").window.prompt.segments[-2].text == "."
    assert str(game.planner.player_turn(".").window.prompt).startswith(before)


def test_the_player_pins_and_drops_lines(game: Game) -> None:
    assert told(game, "/pin under the MAT") == "kept in mind: A key lies under the mat."
    assert told(game, "/recap").startswith("1* turn 24  A key lies under the mat.\nrecap: off; 1 lines")
    assert refused(game, "/pin a dragon") == "no turn of this story says 'a dragon': only its own words can be kept"
    assert refused(game, "/forget 2") == "/forget takes the number of a line, 1 to 1"
    assert told(game, "/forget 1") == "no longer kept in mind: A key lies under the mat."
    assert refused(game, "/forget 1") == "nothing is kept"


def test_a_real_model_can_only_quote(new_game: Callable[..., Game], open_engine: Callable[..., LlamaEngine]) -> None:
    engine = open_engine(ctx=512)
    game = new_game(engine, max_tokens=200)
    game.set_option_count(0)
    for number in range(8):
        game.state.add(Turn(game.story.head, "user", f"step {number}"))
        game.state.add(Turn(game.story.head, "model", f'{TALE} "This is the {number}th time," says the owl\\man.'))
    game.state.replace(recap=True)
    answered(game)
    game.memory.keep(game.state)
    lines = quotes.on_path(game.state.save.quotes, game.story)
    assert len(lines) == memory.ASKED_AT_ONCE
    for line in lines:
        text = game.story.turns[line.turn].text
        assert (line.start, line.end) in memory.sentences(text)


def test_a_question_needs_no_more_room_than_its_longest_answer(new_game: Callable[..., Game]) -> None:
    """In a small context, of which the window takes most, turns would never be asked about."""
    game = new_game(AnsweringEngine(second_text, n_ctx=260), max_tokens=16)
    game.set_option_count(0)
    game.state.replace(recap=True)
    for number in range(12):
        game.state.add(Turn(game.story.head, "user", f"step {number}"))
        game.state.add(Turn(game.story.head, "model", TALE))
    assert game.window().evicted > 4 and not game.planner.asked(QUESTION + TALE, memory.GREEDY.max_tokens)
    assert len(game.memory.questions(game.planner, game.engine)) == memory.ASKED_AT_ONCE
