"""Telling the story, asides, dice, and a line that the model suggests."""

import re
from collections.abc import Callable

import pytest

from advrepl import AdvreplError
from advrepl.engines.llama.engine import LlamaEngine
from advrepl.play import guidance, memory, verbs
from advrepl.play.events import Note, Reply
from advrepl.play.game import Game
from advrepl.story.scenario import START
from advrepl.story.tree import Turn
from advrepl.terminal.lines import understood_in
from tests.conftest import ScriptedEngine

HOUSE = ("A house.", " Go in.\n", " Leave.\n", " Knock.\n")
HALL = (" Climb up.\n", " Open it.\n", " Shout.\n")
CELLAR = (" Look around.\n", " Feel your way.\n", " Sleep.\n")


@pytest.fixture
def house(new_game: Callable[..., Game]) -> Callable[..., Game]:
    def make(*replies: str, **how: object) -> Game:
        game = new_game(ScriptedEngine(*HOUSE, *replies, grammars=True), **how)
        list(game.open())
        return game

    return make


def test_the_player_tells_the_story_and_the_model_goes_on(house: Callable[..., Game]) -> None:
    game = house(" It is a wolf.", " Run.\n", " Hide.\n", " Shout.\n")
    list(verbs.tell(game, "Something howls."))
    assert game.story.last and game.story.last.text.startswith("A house.\n\nSomething howls. It is a wolf.\n- Run.")
    takes = [game.story.turns[take].text for take in game.story.siblings(game.story.path[-1])]
    assert takes[1] == "A house.\n\nSomething howls." and len(takes) == 3


def test_a_roll_is_kept_by_a_retry(house: Callable[..., Game]) -> None:
    game = house("You jump.", *HALL, "You fall.", *CELLAR)
    shown, *_ = verbs.roll(game, "2d6+1", "jump")
    said = game.story.path_turns()[-2].text
    found = re.fullmatch(r"jump \(rolled 2d6\+1: (\d+) \((\d) (\d) \+1\)\)", said)
    assert found and isinstance(shown, Note) and shown.text == f"rolled {said[len('jump (rolled ') : -1]}"
    total, one, other = map(int, found.groups())
    assert total == one + other + 1
    list(game.retry())
    assert game.story.path_turns()[-2].text == said


def test_rolls_of_a_seed_come_again_and_those_of_a_story_do_not(house: Callable[..., Game]) -> None:
    game = house()
    assert verbs.rolled(game, "9d100") == verbs.rolled(game, "9d100")
    before = verbs.rolled(game, "9d100")
    game.state.add(Turn(game.story.head, "user", "x"))
    assert verbs.rolled(game, "9d100") != before
    for wrong in ("", "d", "2x6", "1d0x", "9" * 5000, "1" * 300 + "d6"):
        with pytest.raises(AdvreplError, match="is no dice to roll"):
            verbs.rolled(game, wrong)


def test_an_aside_is_no_deed(house: Callable[..., Game]) -> None:
    game = house("Gladly.", *HALL)
    list(verbs.aside(game, "shorter, please"))
    asked = game.story.path_turns()[-2]
    assert asked.text == "(OOC: shorter, please)"
    assert guidance.beginning(START, [asked]) == ""


@pytest.mark.parametrize("format", ["metharme", "pygmalion"])
def test_the_model_writes_the_players_line(house: Callable[..., Game], format: str) -> None:
    game = house("You: open  the door\nYou stand in a hall.", format=format)
    engine = game.engine
    engine.replies = engine.replies[-1:]  # type: ignore[attr-defined]
    before = len(game.story.turns)
    assert verbs.suggested(game) == "open the door"
    assert engine.prompts[-1].endswith({"metharme": "<|user|>", "pygmalion": "\nYou:"}[format])  # type: ignore[attr-defined]
    assert len(game.story.turns) == before, "it is not said yet"


def test_what_is_asked_besides_replies_is_told_with_the_next_one(house: Callable[..., Game]) -> None:
    """It was decoded and never told: 60 tokens of a line, 153 of a summary."""
    game = house("open the door", "You came to a house.", "A hall.", *HALL, "A cellar.", *CELLAR)
    game.engine.costs = [(60, 1), (153, 0), (20, 0), *3 * [(1, 0)]]  # type: ignore[attr-defined]
    read = game.read_in_full
    assert verbs.suggested(game) == "open the door"
    assert memory.summary(game) == "You came to a house."
    first, then = (list(game.act("go in"))[-1] for _ in range(2))
    assert isinstance(first, Reply) and (first.stats["decoded"], first.stats["aside"]) == (60 + 153 + 23, 60 + 153)
    assert isinstance(then, Reply) and then.stats["aside"] == 0
    assert game.read_in_full == read + 1


def test_a_real_model_writes_one_too(new_game: Callable[..., Game], open_engine: Callable[..., LlamaEngine]) -> None:
    game = new_game(open_engine(ctx=512), max_tokens=8, seed=1)
    game.state.add(Turn(None, "model", "You stand before a door. It is locked, and a key lies on the step."))
    line = verbs.suggested(game)
    assert line and "\n" not in line and "<|" not in line


def test_a_deed_may_be_marked(house: Callable[..., Game]) -> None:
    game = house()
    assert understood_in(game, "> open the door").text == "open the door"
    assert understood_in(game, " > 2").text == "Leave."
    assert understood_in(game, ">:(").text == ">:("
