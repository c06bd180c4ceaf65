"""Help for small models: where it applies, what it adds, how it is turned off."""

from collections.abc import Callable

import pytest

from advrepl.play import guidance
from advrepl.play.game import Game
from advrepl.prompt.actions import VERBS
from advrepl.prompt.formats import FORMATS
from advrepl.prompt.template import ChatTemplate
from advrepl.sampling.params import Sampling
from advrepl.story.scenario import BUILT_IN, LIGHTHOUSE, START, Scenario
from advrepl.story.tree import Turn
from tests.conftest import ScriptedEngine

NewGame = Callable[..., Game]
CHATTY = ChatTemplate("{{ messages }}")


class SmallEngine(ScriptedEngine):
    """A base model of the size of those that come with the program."""

    n_params = 135_000_000
    format_hint: str | None = "pygmalion"


WARM = (
    "and it is warm, as if somebody had put it down here a moment ago and gone out into the rain to look for you "
    "and for the others who came before."
)
STAIR = (
    "and see a stair behind the cupboard that leads down to where the water is loud, and where nobody has been for "
    "as long as anybody can remember, if it was ever used."
)


def played(new_game: NewGame, engine: ScriptedEngine, *lines: str, options: int = 3) -> Game:
    game = new_game(engine, format="pygmalion")
    game.set_option_count(options)
    list(game.open())
    for line in lines:
        list(game.act(line))
    return game


def test_a_small_model_is_helped_with_an_adventure(new_game: NewGame) -> None:
    engine = SmallEngine(f" {WARM}", *[" Open the door.\n", " Climb the stairs.\n", " Wait here now.\n"], grammars=True)
    game = played(new_game, engine, "take the lantern")
    assert game.last and game.last.text == f"You take the lantern {WARM}"
    assert game.last.options == ("Open the door.", "Climb the stairs.", "Wait here now.")
    assert f"[The user is {game.scenario.place}." in engine.prompts[0]
    assert engine.prompts[0].endswith("\nYou: take the lantern\nNarrator: You take the lantern")
    assert f'"{VERBS[0]} at "' in engine.grammars_seen[1] and engine.samplings[0].logit_bias[" I"] < 0
    assert engine.samplings[0].logit_bias[" user"] < 0  # as the note calls the player
    assert engine.samplings[0].logit_bias[" ["] == -100  # the notes stand in brackets, and are not to be written


def test_what_was_told_with_a_turn_stays_there(new_game: NewGame) -> None:
    engine = SmallEngine(f" {WARM}", f" {STAIR}", grammars=True)
    game = played(new_game, engine, "take the lantern", "look around", options=0)
    first, second = (turn.injections for turn in game.story.turns if turn.role == "user" and turn.injections)
    assert first == second == {"guidance": next(iter(first.values()))}


@pytest.mark.parametrize(
    ("engine", "format", "plain"),
    [
        (SmallEngine(" It is warm.", grammars=True), "pygmalion", True),
        (SmallEngine(" It is warm.", grammars=True), "metharme", False),
        (ScriptedEngine(" It is warm.", grammars=True), "pygmalion", False),
        (SmallEngine(" It is warm."), "pygmalion", False),  # it has to write its list by itself
    ],
)
def test_not_where_it_was_turned_off_nor_for_a_model_that_knows_the_game_nor_a_large_one(
    new_game: NewGame, engine: ScriptedEngine, format: str, plain: bool
) -> None:
    game = new_game(engine, format=format)
    game.planner.plain_model = plain
    engine.replies.insert(0, "A house.") if FORMATS[format].writes_opening else None
    game.set_option_count(0)
    list(game.open())
    list(game.act("take the lantern"))
    assert game.last and game.last.text == "It is warm."
    assert not game.story.turns[-2].injections and engine.samplings[-1].logit_bias == {}


def test_a_story_in_another_language_is_left_alone(new_game: NewGame) -> None:
    engine = SmallEngine(" Es ist warm und dunkel.", " Der Regen fällt.", grammars=True)
    game = played(new_game, engine, "Ich nehme die Laterne", "Weiter", options=0)
    assert game.last and game.last.text == "Der Regen fällt."
    assert not any(turn.injections for turn in game.story.turns)


def test_a_note_is_made_of_the_place() -> None:
    assert guidance.notes(Scenario("mine", "Mine", "A game.")) == {}
    for scenario in BUILT_IN.values():
        assert guidance.notes(scenario)["guidance"].startswith(f"The user is {scenario.place}. ")
    assert guidance.sampling(START, CHATTY, Sampling(logit_bias={" I": 1.0}), []).logit_bias[" I"] == 1.0


def test_in_roleplay_it_says_who_the_model_is() -> None:
    persona = "Brindle is a badger the size of a stout man, who walks upright, wears an apron. She cooks."
    mine = Scenario("brindle", "Brindle", persona, narrator="Brindle", roleplay=True)
    note = "Brindle is a badger the size of a stout man. Answer as Brindle, who says I, in two or three sentences."
    assert guidance.notes(mine) == {"guidance": note}
    assert guidance.beginning(mine, [Turn(None, "user", "open it")]) == "" and guidance.verbs(mine) == ()
    assert guidance.beginning(mine, [Turn(None, "user", "Who are you?")]) == "I am Brindle,"
    assert guidance.beginning(mine, [Turn(None, "user", "(OOC: who are you?)")]) == ""
    small, large = SmallEngine(grammars=True), ScriptedEngine(grammars=True)
    assert guidance.applies(small, CHATTY, mine) and not guidance.applies(large, CHATTY, mine)
    assert not guidance.applies(small, FORMATS["pygmalion"], mine)
    small.format_hint = None  # a base model gets that format for want of one that it knows
    assert guidance.applies(small, FORMATS["pygmalion"], mine)


def test_in_roleplay_what_the_persona_tells_of_and_the_player_asks_is_made_likelier() -> None:
    mine = Scenario("brindle", "Brindle", "Brindle wears an apron.", narrator="Brindle", roleplay=True)
    bias = guidance.sampling(mine, CHATTY, Sampling(), [Turn(None, "user", "Are you lonely?")]).logit_bias
    assert (bias[" apron"], bias[" lonely"]) == (guidance.PERSONA_BIAS, guidance.ASKED_BIAS)
    assert bias["["] == guidance.NEVER
    status = Scenario("brindle", "Brindle", "Brindle ends with [HP: 10].", narrator="Brindle", roleplay=True)
    assert "[" not in guidance.sampling(status, CHATTY, Sampling(), []).logit_bias


def test_a_reply_that_does_not_tell_its_language_is_in_that_of_the_opening() -> None:
    told = "I'm lookin' after my ship, I reckon? My, my, I like it here."
    assert guidance.is_told(LIGHTHOUSE, [Turn(None, "model", told), Turn(None, "user", "Who is there?")])
    told = "Es ist warm und die Lampe ist nicht mehr da."
    assert not guidance.is_told(LIGHTHOUSE, [Turn(None, "model", told), Turn(None, "user", "Who is there?")])


@pytest.mark.parametrize(
    ("persona", "essence"),
    [
        ("Ann is 30. She sings.", "Ann is 30"),
        ("Ann", "Ann"),
        ("", ""),
        ("Ann is tall, dark, quick, " + "very, " * 20, "Ann is tall, dark, quick, very, very, very, very, very"),
    ],
)
def test_the_essence_of_a_persona_is_its_beginning(persona: str, essence: str) -> None:
    assert guidance.essence(persona) == essence


def test_what_the_opening_names_is_made_likelier_and_no_other_word() -> None:
    """A word like "down" that is made likelier is written until nothing else comes."""
    bias = guidance.sampling(LIGHTHOUSE, CHATTY, Sampling(), [Turn(None, "model", "A sword lies there.")]).logit_bias
    assert bias[" lantern"] == bias[" stairs"] == guidance.LANDMARK_BIAS
    assert bias[" sword"] == guidance.NEAR_BIAS and bias["/"] == guidance.NEVER
    assert not {" down", " away", " small", " dark"} & bias.keys()
    base = guidance.sampling(LIGHTHOUSE, FORMATS["pygmalion"], Sampling(), []).logit_bias
    assert base[" lantern"] == guidance.BASE_LANDMARK_BIAS  # by itself it is soon with Bobo and Charlie Brown


def test_the_smallest_models_are_shown_few_turns_and_have_room_to_end_a_sentence(new_game: NewGame) -> None:
    """In roleplay too: of its own replies a small model soon makes the next ones."""
    game = new_game(SmallEngine(grammars=True), format="pygmalion")
    list(game.open())
    assert guidance.turns_shown(game.engine, START) == guidance.TURNS_SHOWN
    assert game.planner.reply_task(game.story, game.planner.window(), 1).soft_end == guidance.SOFT_END
