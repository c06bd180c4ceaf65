"""What the tests of the /commands share: a story with one turn, and what a command says to it."""

from collections.abc import Callable, Iterator

import pytest

from advrepl import AdvreplError
from advrepl.play.events import Note
from advrepl.play.game import Game
from advrepl.terminal import commands
from advrepl.terminal.columns import Table
from advrepl.terminal.layout import ENDLESS, lay_out
from tests.conftest import ScriptedEngine

OPENING = ("A house.", " Go in.\n", " Leave.\n", " Knock.\n")
HALL = ("You stand in a hall.", " Climb the stairs.\n", " Open the door.\n", " Shout.\n")
CELLAR = ("You fall into a cellar.", " Look around.\n", " Feel your way.\n", " Sleep.\n")


@pytest.fixture
def game(new_game: Callable[..., Game]) -> Iterator[Game]:
    """A story with an opening and one turn, and one more reply to come."""
    game = new_game(ScriptedEngine(*OPENING, *HALL, *CELLAR, grammars=True))
    list(game.open())
    list(game.act("Go in."))
    yield game
    game.file.close()


def drawn(game: Game, line: str) -> list[str]:
    """The lines of a table that a command draws."""
    (table,) = (event for event in commands.run(game, line) if isinstance(event, Table))
    return lay_out(table.rows, ENDLESS).split("\n")


def told(game: Game, line: str) -> str:
    """All that a command says."""
    return "\n".join(event.text for event in commands.run(game, line) if isinstance(event, Note))


def refused(game: Game, line: str) -> str:
    """The one sentence with which a command is refused."""
    with pytest.raises(AdvreplError) as error:
        list(commands.run(game, line))
    assert "\n" not in str(error.value)
    return str(error.value)
