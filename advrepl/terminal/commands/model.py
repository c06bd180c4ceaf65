"""/model: which model writes, and going on with another."""

from collections.abc import Iterator

from advrepl import AdvreplError, paths
from advrepl.engines.installed import folders, installed, name_of
from advrepl.play.events import Event, Note
from advrepl.play.game import Game
from advrepl.terminal.commands.table import command


def _models() -> dict[str, str]:
    return {name_of(path): "of this machine" for path in (*installed(), *folders())}


@command("model", usage="[NAME | FILE | http://…]", arguments=_models)
def model(game: Game, argument: str) -> Iterator[Event]:
    """Show which model writes, or go on with another one, of this machine or on a server."""
    if not argument:
        others = ", ".join(name for name in _models() if name != game.engine.name)
        yield Note(f"{game.engine.name} writes, prompts are spelled as {game.format.name}")
        yield Note(f"there are also: {others}" if others else f"others are looked for in {paths.models_folder()}")
    elif not game.switch:
        raise AdvreplError("the model of this story cannot be changed")
    else:
        yield Note(game.switch(argument))
