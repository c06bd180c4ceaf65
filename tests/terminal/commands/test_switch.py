"""/new, /load and /model: what they offer, and what they ask for."""

from collections.abc import Callable

import pytest

from advrepl.play.game import Game
from advrepl.terminal import commands
from advrepl.terminal.choosing import Pick
from advrepl.terminal.commands import Quit, Then
from tests.terminal.commands.conftest import refused, told


@pytest.mark.parametrize("kind", ["new", "load"])
def test_a_name_leaves_the_story_for_what_is_named(game: Game, kind: str) -> None:
    with pytest.raises(Quit) as left:
        list(commands.run(game, f"/{kind} the old one"))
    assert left.value.then == Then(kind, "the old one")  # type: ignore[arg-type]


def test_a_model_that_is_not_there_leaves_nothing(game: Game) -> None:
    assert refused(game, "/model gone.gguf").startswith("there is no model gone.gguf")


def test_without_a_name_there_is_a_list(game: Game, new_game: Callable[..., Game]) -> None:
    (offer,) = commands.run(game, "/new")
    assert isinstance(offer, Pick) and [each.name for each in offer.choices][:2] == ["start", "lighthouse"]
    assert offer.text.endswith("/new NAME takes one")
    game.save()
    assert told(game, "/load").startswith("there is no other story in ")
    other = new_game(game.engine)
    other.save()
    other.file.close()
    (offer,) = commands.run(game, "/load")
    assert isinstance(offer, Pick) and [each.name for each in offer.choices] == ["story-2"]
    assert told(game, "/model").startswith("this story is played on scripted")
