"""The commands that save the story, and leave it."""

import pytest

from advrepl.play.game import Game
from advrepl.story import saves
from advrepl.terminal import commands
from advrepl.terminal.commands import Quit
from tests.terminal.commands.conftest import told


def test_save_says_where(game: Game) -> None:
    game.file.path.unlink()
    assert told(game, "/save") == f"saved in {game.file.path}"
    assert [turn.text for turn in saves.load(game.file.path).turns][2] == "Go in."


@pytest.mark.parametrize("line", ["/quit", "/q", "/exit"])
def test_quit_leaves_once_it_is_asked_for_events(game: Game, line: str) -> None:
    events = commands.run(game, line)
    with pytest.raises(Quit):
        next(events)
