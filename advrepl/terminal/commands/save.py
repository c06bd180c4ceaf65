"""The /commands that save the story, and leave it."""

from collections.abc import Iterator

from advrepl.play.events import Event, Note
from advrepl.play.game import Game
from advrepl.terminal.commands.table import Quit, command


@command("save")
def save(game: Game, argument: str) -> Iterator[Event]:
    """Save now (it is done after every turn anyway), and show where."""
    game.save()
    remark = game.store_kv()
    yield Note(f"saved in {game.file.path}" + (f"; {remark}" if remark else ""))


@command("quit", "q", "exit")
def leave(game: Game, argument: str) -> Iterator[Event]:
    """Save and leave, as Ctrl-D does."""
    raise Quit
