"""What is said of a story where it stands, and how one goes on behind a reply that was cut."""

from collections.abc import Callable

import pytest

from advrepl.play.game import Game
from advrepl.play.writer import without_sign
from advrepl.terminal import standing
from tests.conftest import ScriptedEngine

OPTIONS = (" Go in.\n", " Leave.\n", " Knock.\n")
OTHERS = (" Climb the stairs.\n", " Open the door.\n", " Shout.\n")
LONG = "You walk on and on through the dark hall"


def test_a_reply_that_is_cut_at_its_length_says_how_to_go_on(new_game: Callable[..., Game]) -> None:
    engine = ScriptedEngine(
        "A house.",
        *OPTIONS,
        LONG,
        *OTHERS,
        " hall. A lamp burns.",
        " Look around.\n",
        " Feel your way.\n",
        " Sleep.\n",
        grammars=True,
    )
    game = new_game(engine, max_tokens=7)
    list(game.open())
    assert standing.how_to_read_on(game) == ""
    list(game.act("I walk."))
    last = game.story.last
    assert last and last.text.startswith("You walk on and on through the…\n- ")
    assert standing.how_to_read_on(game).startswith("cut at its length; /continue goes on from here")

    list(game.go_on())
    last = game.story.last
    assert last and last.text.startswith("You walk on and on through the hall. A lamp burns.\n- ")
    assert standing.how_to_read_on(game) == ""


def test_a_reply_that_was_stopped_says_so_when_the_story_goes_on(new_game: Callable[..., Game]) -> None:
    game = new_game(ScriptedEngine("A house.", *OPTIONS, "You walk into the hall.", *OPTIONS, grammars=True))
    list(game.open())
    events = game.act("I walk.")
    next(events)
    game.cancel()
    list(events)
    assert standing.how_to_read_on(game).startswith("stopped; /continue goes on from here")


@pytest.mark.parametrize(
    ("prose", "left"),
    [
        ("You walk through the…", "You walk through the"),
        ("He says: “I will go…”", "He says: “I will go"),
        ("He says: “I will go… now.”", "He says: “I will go… now.”"),
        ("You wait.", "You wait."),
        ("…", "…"),
    ],
)
def test_the_sign_of_prose_that_was_cut_is_taken_back(prose: str, left: str) -> None:
    assert without_sign(prose) == left
