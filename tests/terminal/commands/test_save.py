"""The commands that save the story, and leave it."""

from pathlib import Path

import pytest

from advrepl.play.game import Game
from advrepl.story import saves
from advrepl.terminal import commands
from advrepl.terminal.commands import Quit
from tests.terminal.commands.conftest import refused, told


def test_save_says_where(game: Game) -> None:
    game.file.path.unlink()
    assert told(game, "/save") == f"saved in {game.file.path}"
    assert [turn.text for turn in saves.load(game.file.path).turns][2] == "Go in."


@pytest.mark.parametrize("line", ["/quit", "/q", "/exit"])
def test_quit_leaves_once_it_is_asked_for_events(game: Game, line: str) -> None:
    events = commands.run(game, line)
    with pytest.raises(Quit):
        next(events)


def test_save_with_a_path_writes_a_copy_and_replaces_nothing(game: Game, tmp_path: Path) -> None:
    copy = tmp_path / "folder" / "copy.json"
    assert "could not be written" in refused(game, f"/save {copy}")
    copy.parent.mkdir()
    game.save()
    assert told(game, f"/save {copy.with_suffix('')}") == f"a copy is in {copy}"
    assert saves.load(copy).turns == saves.load(game.file.path).turns
    assert refused(game, f"/save {copy}") == f"{copy} is there already: give another name"
