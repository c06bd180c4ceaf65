"""The commands that go on with the story, or back in it."""

from collections.abc import Callable

import pytest

from advrepl.play.events import Reply
from advrepl.play.game import Game
from advrepl.story import saves
from advrepl.story.injections import NOTE
from advrepl.terminal import commands
from tests.conftest import ScriptedEngine
from tests.terminal.commands.conftest import HALL, OPENING, refused, told


def test_undo_says_what_was_taken_back_and_what_is_on_offer(game: Game) -> None:
    assert told(game, "/undo") == "taken back: Go in.\n1. Go in.\n2. Leave.\n3. Knock."
    assert refused(game, "/undo") == "this is where the story begins; there is nothing to take back"


def test_retry_writes_another_take(game: Game) -> None:
    reply = list(commands.run(game, "/retry"))[-1]
    assert isinstance(reply, Reply)
    assert (reply.text, reply.options) == ("You fall into a cellar.", ("Look around.", "Feel your way.", "Sleep."))
    assert len(game.story.path) == 4 and len(game.story.turns) == 5


def test_continue_adds_to_the_reply(game: Game) -> None:
    reply = list(commands.run(game, "/c"))[-1]
    assert isinstance(reply, Reply)
    assert reply.text.startswith("You stand in a hall.") and reply.text.endswith("You fall into a cellar.")


def test_options_can_be_shown_and_changed(game: Game) -> None:
    assert told(game, "/options") == ("3 options after each reply\n1. Climb the stairs.\n2. Open the door.\n3. Shout.")
    assert told(game, "/options 0") == "no options after a reply"
    assert game.options() == () and saves.load(game.file.path).scenario.options == 0


@pytest.mark.parametrize("wrong", ["9", "-1", "two", "2.5", "²"])
def test_wrong_number_of_options_is_refused(game: Game, wrong: str) -> None:
    assert refused(game, f"/options {wrong}") == f"/options takes a whole number from 0 to 8, not {wrong!r}"
    assert game.option_count == 3


def test_setting_that_leaves_no_room_is_taken_back(new_game: Callable[..., Game]) -> None:
    game = new_game(ScriptedEngine(*OPENING, *HALL, n_ctx=280, grammars=True), max_tokens=20)
    list(game.open())
    assert "the context has room for" in refused(game, "/options 8")
    assert game.option_count == 3
    list(game.act("on"))  # and the story goes on


@pytest.mark.parametrize("line", ["/options", "/greeting", "/note"])
def test_a_number_of_thousands_of_digits_is_refused_or_a_word(game: Game, line: str) -> None:
    """Python converts no more than 4,300."""
    number = "9" * 5000
    if line == "/note":
        told(game, f"{line} {number}")
        assert number in game.scenario.injections[NOTE].text
        return
    assert len(refused(game, f"{line} {number}")) < 100
