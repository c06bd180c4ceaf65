"""The game: what the player does to a story, on a scripted engine; saves hold it all."""

import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from advrepl import AdvreplError, atomic
from advrepl.cards.character import Character
from advrepl.play.events import Event, Note, Reply, Slid
from advrepl.play.game import Game
from advrepl.play.moves import greet
from advrepl.play.reply import Piece
from advrepl.story import save_file, saves
from advrepl.story.roleplay import scenario_of
from advrepl.story.saves import with_scenario
from advrepl.story.scenario import LIGHTHOUSE, START
from tests.conftest import STATS, ScriptedEngine

NewGame = Callable[..., Game]
HALL = ("You enter.", " Go up.\n", " Go down.\n", " Wait.\n")
STAIRS = ("You climb.", " Sit.\n", " Stand.\n", " Sing.\n")


def told(game: Game) -> list[str]:
    return [turn.text for turn in game.story.path_turns()]


def reply(events: Iterable[Event]) -> Reply:
    last = list(events)[-1]
    assert isinstance(last, Reply)
    return last


@pytest.fixture
def game(new_game: NewGame) -> Game:
    """Three turns in: Start!, an opening by the model, and nothing else."""
    game = new_game(ScriptedEngine("A house.", " Enter.\n", " Flee.\n", " Knock.\n", *HALL, *STAIRS, grammars=True))
    reply(game.open())
    return game


def test_a_metharme_model_writes_its_own_opening(game: Game) -> None:
    assert told(game) == ["Start!", "A house.\n- Enter.\n- Flee.\n- Knock."]
    assert game.engine.prompts[0].endswith("<|user|>Start!<|model|>")  # type: ignore[attr-defined]


def test_other_models_are_shown_the_written_opening(new_game: NewGame) -> None:
    game = new_game(ScriptedEngine(), format="pygmalion")
    events = list(game.open())
    assert isinstance(events[0], Piece) and events[0].text.startswith("You are standing in front of an old")
    opening = reply(events)
    assert opening.options == ("Go inside the house.", "Ignore the call and move away.", "Run as fast as you can.")
    assert opening.stats["stop"] == "written" and told(game) == ["Start!", START.opening]


def test_what_is_said_is_said_as_it_is(game: Game) -> None:
    """That a number picks an option is decided before, and once (terminal/lines.py)."""
    list(game.act("1"))
    assert told(game)[2] == "1"


def test_a_turn_is_answered_and_saved(game: Game) -> None:
    events = list(game.act("Enter."))
    assert reply(events).text == "You enter." and reply(events).options == ("Go up.", "Go down.", "Wait.")
    assert told(game)[2:] == ["Enter.", "You enter.\n- Go up.\n- Go down.\n- Wait."]
    assert set(reply(events).stats) == STATS
    kept = saves.load(game.file.path)
    assert kept.turns == game.story.turns and kept.head == 3


def test_retry_keeps_the_old_take(game: Game) -> None:
    list(game.act("Enter."))
    assert reply(game.retry()).text == "You climb."
    assert told(game)[2] == "Enter." and len(game.story.turns) == 5
    assert game.story.turns[3].text.startswith("You enter.")
    assert game.story.turns[3].seed != game.story.turns[4].seed


def test_a_retry_that_is_stopped_before_its_first_word_leaves_the_old_take(game: Game) -> None:
    list(game.act("Enter."))
    game.engine.replies.clear()  # type: ignore[attr-defined]
    with pytest.raises(IndexError):
        list(game.retry())
    assert told(game)[-1].startswith("You enter.") and game.options() == ("Go up.", "Go down.", "Wait.")


def test_undo_takes_the_exchange_back_and_the_next_one_branches(game: Game) -> None:
    list(game.act("Enter."))
    assert game.undo() == "Enter."
    assert told(game)[-1].startswith("A house.") and game.options() == ("Enter.", "Flee.", "Knock.")
    list(game.act("Flee."))
    assert told(game)[2] == "Flee." and len(game.story.turns) == 6
    game.undo()
    with pytest.raises(AdvreplError, match="where the story begins"):
        game.undo()


def test_continue_writes_more_of_the_same_reply(game: Game) -> None:
    list(game.act("Enter."))
    game.engine.replies[:] = [" You trip.", *HALL[1:]]  # type: ignore[attr-defined]
    assert reply(game.go_on()).text == "You enter. You trip."
    assert told(game)[3].startswith("You enter. You trip.\n- Go up.") and len(told(game)) == 4


def test_ctrl_c_keeps_what_was_written(game: Game) -> None:
    game.engine.replies[:] = ["You see a long dark hall.", " You fall.", *HALL[1:]]  # type: ignore[attr-defined]
    events = game.act("look")
    assert next(events) == Piece("You")
    game.cancel()
    stopped = reply(events)
    assert stopped.options == () and stopped.stats["stop"] == "interrupted"
    assert told(game)[-1] == "You" and saves.load(game.file.path).turns[-1].text == "You"
    assert reply(game.go_on()).text == "You You fall."


def test_a_reply_left_in_the_middle_is_kept_too(game: Game) -> None:
    events = game.act("look")
    next(events)
    events.close()  # type: ignore[attr-defined]
    assert told(game)[-1] == "You" and saves.load(game.file.path).turns[-1].text == "You"


def test_an_engine_that_fails_leaves_the_story_where_it_can_be_retried(game: Game) -> None:
    game.engine.replies.clear()  # type: ignore[attr-defined]
    with pytest.raises(IndexError):
        list(game.act("look"))
    assert told(game)[-1] == "look"
    game.engine.replies[:] = HALL  # type: ignore[attr-defined]
    assert reply(game.retry()).text == "You enter." and told(game)[-2] == "look"


def test_a_line_that_cannot_fit_changes_nothing(game: Game) -> None:
    before = told(game)
    with pytest.raises(AdvreplError, match="last turn takes"):
        list(game.act("word " * 3000))
    assert told(game) == before and game.options() == ("Enter.", "Flee.", "Knock.")


def test_turns_slide_out_and_are_announced(new_game: NewGame) -> None:
    script = [text for n in range(40) for text in (f"Door {n} opens on a room.", f" A{n}.\n", f" B{n}.\n", f" C{n}.\n")]
    game = new_game(ScriptedEngine(*script, n_ctx=320, grammars=True), scenario=LIGHTHOUSE, max_tokens=20)
    reply(game.open())
    slides = [event for _ in range(30) for event in game.act("I go on.") if isinstance(event, Slid)]
    assert len(slides) >= 3
    assert game.last and slides[-1].turns == game.last.stats["evicted"] > 20
    assert len(game.story.path_turns()) == 62
    assert all(prompt.startswith("<|system|>This is a text adventure") for prompt in game.engine.prompts)  # type: ignore[attr-defined]


def test_a_story_goes_on_where_it_was_left(game: Game, new_game: NewGame) -> None:
    list(game.act("Enter."))
    game.close()
    kept = saves.load(game.file.path)
    file = save_file.SaveFile(game.file.path)
    again = Game(ScriptedEngine(*STAIRS, grammars=True), game.format, kept, file)
    assert told(again) == told(game) and not again.waits_for_opening
    assert again.options() == ("Go up.", "Go down.", "Wait.")
    assert reply(again.act("Go up.")).text == "You climb." and told(again)[4] == "Go up."


def test_a_single_option_is_on_offer_after_its_reply(new_game: NewGame) -> None:
    game = new_game(ScriptedEngine("A house.", " Enter.\n", *HALL[:2], grammars=True))
    game.set_option_count(1)
    assert reply(game.open()).options == game.options() == ("Enter.",)
    assert reply(game.act("Enter.")).options == game.options() == ("Go up.",)


def test_without_options_a_reply_is_prose_alone(new_game: NewGame) -> None:
    game = new_game(ScriptedEngine("A house.\n- with a dash", n_ctx=900))
    game.set_option_count(0)
    assert reply(game.open()).options == () and told(game)[1] == "A house.\n- with a dash"


MIRA = Character(
    name="Mira", first_mes="Coin first, {{user}}.", alternate_greetings=("Go away, {{user}}.", "Hm.", "Hm.")
)


def test_a_list_that_nobody_asked_for_is_prose(new_game: NewGame) -> None:
    """In a roleplay it is what the character says: it is shown, and /continue goes on behind it."""
    text = "I need, dear:\n- brown bread\n- goat milk"
    game = new_game(ScriptedEngine(text, "\n- candles"), scenario=scenario_of(MIRA), character=MIRA)
    list(game.open())
    assert reply(game.act("What?")).text == text
    events = list(game.go_on())
    assert reply(events).text == f"{text}\n- candles" and game.options() == ()
    assert "".join(event.text for event in events if isinstance(event, Piece)) == "\n- candles"


def test_a_greeting_that_ends_with_a_list_is_shown_whole(new_game: NewGame) -> None:
    greeting = "I need, dear:\n- brown bread\n- goat milk"
    mira = Character(name="Mira", first_mes=greeting)
    shown = reply(new_game(ScriptedEngine(), scenario=scenario_of(mira), character=mira).open())
    assert (shown.text, shown.options) == (greeting, ())


def test_the_story_knows_who_speaks_and_what_must_not_come(new_game: NewGame) -> None:
    engine = ScriptedEngine("**Mira:** It sent shivers down", " a chill and more", " up.\nann: hello")
    game = new_game(engine, scenario=scenario_of(MIRA, "Ann"), character=MIRA)
    list(game.open())
    game.change(msgspec.structs.replace(game.state.save, bans=("shivers down",)))
    assert reply(game.act("Hm.")).text == "It sent a chill up."


@pytest.fixture
def roleplay(new_game: NewGame) -> Game:
    game = new_game(ScriptedEngine("She nods."), scenario=scenario_of(MIRA), character=MIRA)
    reply(game.open())
    return game


def test_another_greeting_is_a_branch_and_is_not_added_twice(roleplay: Game) -> None:
    assert reply(greet(roleplay, 2)).text == "Go away, You." == told(roleplay)[0]
    reply(greet(roleplay, 1))
    assert told(roleplay) == ["Coin first, You."] and len(roleplay.story.turns) == 2
    with pytest.raises(AdvreplError, match="there are 3 greetings, so 1 to 3, not 4"):
        list(greet(roleplay, 4))
    list(roleplay.act("Here."))
    with pytest.raises(AdvreplError, match="before your first words"):
        list(greet(roleplay, 2))


def test_a_greeting_calls_the_player_by_his_new_name(roleplay: Game) -> None:
    roleplay.set_player("Ann", "")
    assert told(roleplay) == ["Coin first, Ann."] and saves.load(roleplay.file.path).scenario.you == "Ann"
    list(roleplay.act("Here."))
    roleplay.set_player("Bea", "")
    assert told(roleplay) == ["Coin first, Ann.", "Here.", "She nods."]


def test_retry_at_a_greeting_points_to_the_others(roleplay: Game) -> None:
    with pytest.raises(AdvreplError, match="/greeting offers others"):
        list(roleplay.retry())


def test_a_change_that_leaves_no_room_is_taken_back(roleplay: Game) -> None:
    roleplay.save()
    before = roleplay.file.path.read_bytes()
    with pytest.raises(AdvreplError, match="the system text takes"):
        roleplay.change(roleplay.context.with_memory(roleplay.state.save, "word " * 3000))
    assert roleplay.scenario.memory == "" and roleplay.file.path.read_bytes() == before


def test_short_replies_are_cut_sooner(roleplay: Game) -> None:
    roleplay.change(with_scenario(roleplay.state.save, length="short"))
    list(roleplay.act("Here."))
    assert roleplay.engine.samplings[-1].max_tokens == 60  # type: ignore[attr-defined]


def test_planning_a_turn_leaves_the_story_alone(roleplay: Game) -> None:
    roleplay.change(roleplay.context.with_note(roleplay.state.save, "It rains.", 4))
    planned = roleplay.planner.player_turn("Here.")
    assert planned.turn.injections == {"note": "It rains."} and len(roleplay.story) == 1
    list(roleplay.act("Here."))
    assert roleplay.story.path_turns()[1] == planned.turn
    assert roleplay.engine.prompts[-1] == str(planned.window.prompt)  # type: ignore[attr-defined]


def test_a_save_that_cannot_be_written_stops_no_turn(new_game: NewGame, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is said once, tried after each turn, and nothing is lost."""
    game = new_game(ScriptedEngine("A house.", "A hall.", "Stairs.", "A ladder."), format="metharme")
    game.set_option_count(0)
    reply(game.open())

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as broken:
        broken.setattr("advrepl.atomic.write", full)
        first, second = list(game.act("go in")), list(game.act("climb"))
    assert [event.text for event in first if isinstance(event, Note)] == [
        f"{game.file.path} could not be written (No space left on device): the story goes on, but only in memory; "
        "it is tried again after each turn, and /save PATH writes it somewhere else"
    ]
    assert not any(isinstance(event, Note) for event in second)
    assert [turn.role for turn in game.story.path_turns()] == ["user", "model"] * 3
    assert len(saves.load(game.file.path).turns) == 2
    third = list(game.retry())
    assert [event.text for event in third if isinstance(event, Note)] == [
        f"{game.file.path} could be written again: the story is kept"
    ]
    assert len(saves.load(game.file.path).turns) == 7


def test_a_story_that_its_folder_does_not_take_is_kept_elsewhere(
    game: Game, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    list(game.act("go in"))
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    real = atomic.write

    def refused(path: Path, *data: bytes, **how: Any) -> None:
        if path == game.file.path:
            raise OSError(30, "Read-only file system")
        real(path, *data, **how)

    monkeypatch.setattr("advrepl.atomic.write", refused)
    remark = game.leave()
    assert remark == game.leave() and f"--saves {elsewhere}" in remark
    assert [path.name for path in elsewhere.iterdir()] == [game.file.path.name]
    assert len(saves.load(elsewhere / game.file.path.name).turns) == 4


def test_a_folder_that_was_removed_is_made_again(game: Game) -> None:
    shutil.rmtree(game.file.path.parent)
    reply(game.act("go in"))
    assert len(saves.load(game.file.path).turns) == 4
