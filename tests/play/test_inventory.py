"""What the player has and where he is: asked while he reads, right on every path, and his to correct."""

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from advrepl import AdvreplError
from advrepl.engines.llama.engine import LlamaEngine
from advrepl.engines.prefetch import Prefetcher
from advrepl.engines.slots import Slot
from advrepl.play import inventory, moves, session
from advrepl.play.game import Game
from advrepl.play.session import Settings
from advrepl.story import carried, crypt, saves
from advrepl.story.carried import Carried
from advrepl.story.tree import Change, Turn, WithTurn
from tests.conftest import ScriptedEngine
from tests.play.conftest import AnsweringEngine
from tests.terminal.commands.conftest import refused, told

TAKE = ("take the lantern", "You take the lantern from the step and go into the hall of the house.")
GIVE = ("give him the lantern", "You give the lantern to the keeper and the two of you go down to the cellar.")


def choices_of(grammar: str) -> list[str]:
    return [each for each in grammar.split('"')[1::2] if each[0] in "+-@"]


def everything(grammar: str) -> str:
    return ", ".join(dict.fromkeys(choices_of(grammar)))


def played(game: Game, *exchanges: tuple[str, str]) -> None:
    for line, reply in exchanges:
        game.state.add(Turn(game.story.head, "user", line))
        game.state.add(Turn(game.story.head, "model", reply))


def answered(game: Game) -> int:
    """What the prefetcher does with the questions while the player reads."""
    jobs = game.inventory.questions(game.planner, game.engine)
    for job in jobs:
        branch: Any = game.engine
        slot = Slot(branch, job.write(branch), job)
        slot.done, slot.over = list(slot.events), True
        game.inventory.collect([slot, slot])
    return len(jobs)


def state(game: Game) -> Carried:
    return carried.fold(game.story.path_turns())


@pytest.fixture
def game(new_game: Callable[..., Game]) -> Game:
    game = new_game(AnsweringEngine(everything))
    game.state.add(Turn(None, "model", "You come to the lighthouse. It stands without a light."))
    return game


def test_what_is_taken_and_lost_follows_the_path(game: Game) -> None:
    played(game, TAKE)
    assert answered(game) == 2
    assert state(game) == Carried(), "a turn has its answer when it is kept"
    game.inventory.keep(game.state)
    assert state(game) == Carried(("lantern",), "hall")
    played(game, GIVE)
    answered(game)
    game.inventory.keep(game.state)
    assert state(game) == Carried((), "cellar")
    game.undo()
    assert state(game) == Carried(("lantern",), "hall")
    game.undo()
    assert state(game) == Carried((), "lighthouse")
    moves.redo(game)
    assert state(game) == Carried(("lantern",), "hall")


def test_the_question_stands_behind_the_prompt_that_is_there(game: Game) -> None:
    played(game, TAKE)
    answered(game)
    asked: str = game.engine.prompts[-1]  # type: ignore[attr-defined]
    assert "Choose of: +lantern, @hall, none.)" in asked
    assert str(game.planner.player_turn(".").window.prompt).startswith(asked[: asked.index("(OOC: What")])


def test_what_was_planned_at_a_head_stays_so(game: Game) -> None:
    """Else what was written ahead would be dropped after each /inventory."""
    played(game, TAKE)
    before = [job.key for job in game.inventory.questions(game.planner, game.engine)]
    answered(game)
    game.inventory.keep(game.state)
    assert [job.key for job in game.inventory.questions(game.planner, game.engine)] == before
    played(game, ("wait", "Nothing comes of it, and the night is long and cold."))
    assert game.inventory.questions(game.planner, game.engine) == [], "nothing can have changed"
    game.inventory.keep(game.state)
    assert game.story.last and game.story.last.change == Change()


def test_an_answer_is_not_for_another_turn(game: Game) -> None:
    played(game, TAKE)
    answered(game)
    game.undo()
    game.state.become(saves.parse(saves.encode(game.state.save), "x"))
    game.state.story.turns[2:] = [Turn(1, "model", "Another reply of the same number.")]
    game.inventory.keep(game.state)
    assert game.story.turns[2].change is None


def test_never_in_roleplay_unless_asked_nor_where_it_is_off(game: Game) -> None:
    played(game, TAKE)
    game.state.replace(scenario=saves.with_scenario(game.state.save, roleplay=True).scenario)
    assert game.inventory.questions(game.planner, game.engine) == []
    game.state.replace(carried="on")
    assert len(game.inventory.questions(game.planner, game.engine)) == 2
    game.state.replace(carried="off")
    assert game.inventory.questions(game.planner, game.engine) == []


def test_another_language_is_not_asked(game: Game) -> None:
    played(game, ("nimm die Lampe", "Du nimmst die Lampe und gehst in den Keller, wo es dunkel ist."))
    game.inventory.questions(game.planner, game.engine)
    game.inventory.keep(game.state)
    assert game.story.last and game.story.last.change is None
    game.state.mark(0, change=carried.NOTHING)
    story, later = game.story, WithTurn(game.story, Turn(game.story.head, "model", "…"))
    save = msgspec.structs.replace(game.state.save, carried="told")
    assert carried.held(save, story, later) is None and carried.held(save, story, story) == ()


def test_options_heed_it_only_where_the_model_is_told(game: Game) -> None:
    """Else a story would follow from how long the player reads."""
    game.set_option_count(3)
    for exchange in (TAKE, ("wait", "You wait in the hall.")):
        played(game, exchange)
        answered(game)
        game.inventory.keep(game.state)

    def held() -> tuple[str, ...] | None:
        return game.planner.reply_task(game.story, game.window(), 1).held

    assert held() is None
    game.state.replace(carried="told")
    assert held() == ("lantern",)
    game.state.mark(0, change=None)
    assert held() is None, "something may have been taken of which nobody was asked"


def test_the_model_is_told_if_the_player_wants_it_and_not_of_the_newest_reply(game: Game) -> None:
    played(game, TAKE)
    answered(game)
    game.inventory.keep(game.state)
    assert "carried" not in game.planner.player_turn("on").turn.injections
    told(game, "/inventory told")
    assert game.planner.player_turn("on").turn.injections["carried"] == (
        "The user has: nothing. The user is here: lighthouse."
    ), "replies to it may have been written before it was asked"
    told(game, "/inventory +rope")
    planned = game.planner.player_turn("on")
    assert planned.turn.injections["carried"] == "The user has: rope. The user is here: lighthouse."
    assert "The user has: rope." in str(planned.window.prompt)
    game.state.add(planned.turn)
    assert carried.answered(game.story, game.story).carried.things == ("rope",), "the same when the line was said"


def test_the_player_corrects_it(game: Game) -> None:
    played(game, TAKE)
    assert told(game, "/inventory").startswith("you have lantern (the model is asked while you read, and not told)")
    assert told(game, "/inventory +the brass key, -lantern").startswith("you have brass key (")
    assert told(game, "/inventory -brass key +self-made rope").startswith("you have self-made rope (")
    assert told(game, "/where the wine cellar") == "you are here: wine cellar"
    assert refused(game, "/inventory -dagger") == "you have no 'dagger': /inventory shows what you have"
    assert refused(game, "/inventory +Self-made rope") == (
        "you have 'Self-made rope' already: /inventory -Self-made rope puts it down"
    )
    assert refused(game, "/inventory a\x1b[31m").startswith("/inventory takes +THING, -THING, off, on or told, not")
    assert refused(game, "/inventory +a\x1b[31m").startswith("a thing or a place is a word or a few, at most 40 char")
    assert refused(game, "/inventory +x -x") == "'x' cannot come and go at once"
    game.undo()
    assert state(game).things == (), "a correction is its turn's own"
    again = saves.parse(saves.encode(game.state.save), "x")
    assert again.turns == game.story.turns


def test_a_longer_reply_and_an_edit_keep_what_the_player_said(game: Game) -> None:
    played(game, TAKE)
    told(game, "/inventory +rope")
    moves.edit(game, 2, "You take nothing of it.")
    assert game.story.last and game.story.last.change is None
    assert state(game).things == ("rope",)
    game.engine.answer = lambda _: " And on it goes."  # type: ignore[attr-defined]
    game.set_option_count(0)
    played(game, ("wait", "You wait."))
    told(game, "/inventory off")
    told(game, "/inventory +stick")
    game.engine = ScriptedEngine(" And on it goes.")
    list(game.go_on())
    assert game.story.last.text != "You wait." and state(game).things == ("rope", "stick")


def test_500_turns_with_all_that_changes_a_story_are_as_their_path_says(game: Game) -> None:
    """Undo, branches, corrections, edits and deletions, also while answers wait; resumed under a passphrase."""
    rng, words = random.Random(7), ("lantern", "key", "rope", "map", "coin", "sword")

    def answer(grammar: str) -> str:
        choices = choices_of(grammar)
        return ", ".join(rng.sample(choices, rng.randint(1, len(choices))))

    game.engine.answer = answer  # type: ignore[attr-defined]
    for number in range(500):
        move = rng.random()
        moved(game, rng, move)
        some = " and the ".join(rng.sample(words, 2))
        played(game, (f"take the {some}", f"You take the {some} to the {rng.choice(('hall', 'cellar'))} {number}."))
        answered(game)
        if move > 0.9:
            shuffled(game, rng, some)
        game.inventory.keep(game.state)
        assert state(game) == replayed(game) == carried.led_to(game.story, game.story.head).carried
        for turn in game.story.path_turns()[-20:]:
            assert all(thing.casefold() in turn.text for thing in (turn.change or Change()).taken)
    assert len(game.story.turns) > 500


def moved(game: Game, rng: random.Random, move: float) -> None:
    """Go somewhere else in the story, correct what is carried, or leave it and resume."""
    things = state(game).things
    if move < 0.1:
        game.state.goto(rng.randrange(len(game.story.turns)))
    elif move < 0.2 and len(game.story) > 3:
        game.undo()
    elif move < 0.25:
        game.state.goto(game.story.future(rng.randrange(len(game.story.turns))))
    elif move < 0.3 and things:
        inventory.correct(game.state, Change(lost=(rng.choice(things),), place="attic"))
    elif move < 0.35 and "Rope" not in things and "rope" not in things:
        inventory.correct(game.state, Change(taken=("Rope",)))
    elif move < 0.36:
        lock = game.state.save.lock or crypt.new_lock("wide awake")
        locked = saves.encode(msgspec.structs.replace(game.state.save, lock=lock))
        game.state.become(saves.parse(locked, "x"))
        assert state(game).things == things and b"lantern" not in locked


def shuffled(game: Game, rng: random.Random, some: str) -> None:
    """Say a turn of the path in other words, or take one out with all that follows it."""
    turn = rng.choice(game.story.path[-12:])
    if rng.random() < 0.5 or len(game.story) < 20:
        moves.edit(game, turn, f"{game.story.turns[turn].text.split('.')[0]}, and the {some}.")
    else:
        moves.delete(game, turn)


def replayed(game: Game) -> Carried:
    """The state of the path, worked out as simply as can be; fails at what is lost and was not there."""
    has, place = list[str](), ""
    for turn in game.story.path_turns():
        for change in (turn.change or Change(), turn.correction or Change()):
            assert not {*change.taken} & {*change.lost}
            for thing in change.lost:
                has = [each for each in has if each.lower() != thing.lower()]
            has += [thing for thing in change.taken if thing.lower() not in map(str.lower, has)]
            place = change.place or place
    assert len({*map(str.lower, has)}) == len(has)
    return Carried(tuple(has), place)


def test_a_real_model_can_only_choose(new_game: Callable[..., Game], open_engine: Callable[..., LlamaEngine]) -> None:
    game = new_game(open_engine(ctx=512))
    game.set_option_count(0)
    played(game, ("go", "The keeper of the house hands you a key and a map."), TAKE)
    told(game, "/inventory")
    changes = [turn.change for turn in game.story.turns if turn.role == "model"]
    assert changes[0] and {*changes[0].taken} <= {"key", "map"} and not changes[0].place
    assert changes[1] and {*changes[1].taken} <= {"lantern"} and changes[1].place in ("", "hall")


def test_it_is_asked_behind_all_that_is_written_ahead(
    new_game: Callable[..., Game], open_engine: Callable[..., LlamaEngine]
) -> None:
    game = new_game(open_engine(ctx=512, branches=5), max_tokens=4)
    game.set_option_count(0)
    game.prefetcher = Prefetcher(game.engine)  # type: ignore[arg-type]
    played(game, ("wait", "You wait in the hall of the house."), TAKE)
    game.start_prefetch()
    assert game.prefetcher._worker
    game.prefetcher._worker.join()
    kinds = [type(slot.job.key).__name__ for slot in game.prefetcher.slots if slot.job]
    assert kinds == ["ReplyTask", "Question", "Question"]
    game.pause_prefetch()
    game.start_prefetch()
    again = [type(slot.job.key).__name__ for slot in game.prefetcher.slots if slot.job]
    assert again == kinds, "what was written ahead is still there"
    game.prefetcher.close()
    assert [turn.change is not None for turn in game.story.turns] == [False, True, False, True]
    assert state(game).things in ((), ("lantern",)) and state(game).place in ("", "hall")


def test_a_story_stays_as_it_was_asked_for(tmp_path: Path) -> None:
    asked = Settings(saves=tmp_path, save="mine", ctx=512, threads=1, state="told", prefetch=False)
    game = session.new_game("start", asked)
    list(game.open())
    told(game, "/options 2")
    game.close()
    game = session.resumed_game("mine", Settings(saves=tmp_path, threads=1, prefetch=False), lambda _: None)
    assert carried.mode(game.state.save) == "told"
    game.close()
    with pytest.raises(AdvreplError, match="--state is off, on, told, not 'maybe'"):
        session.resumed_game("mine", Settings(saves=tmp_path, state="maybe"), lambda _: None)
