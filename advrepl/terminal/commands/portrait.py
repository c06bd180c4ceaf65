"""/portrait: the picture of a story's character, found in the card that the story began with.

Does not draw; that is pictures.py.
"""

from collections.abc import Iterator
from pathlib import Path

from advrepl import AdvreplError, program
from advrepl.cards.card_files import load_bytes
from advrepl.cards.read import find_picture
from advrepl.play.events import Event, Note, Picture
from advrepl.play.game import Game
from advrepl.play.state import Told
from advrepl.terminal import pictures
from advrepl.terminal.commands.table import command


@command("portrait")
def portrait(game: Game, argument: str) -> Iterator[Event]:
    """Show the character's picture."""
    if not pictures.available():
        yield Note(f"pictures need one more package: {program.install('advrepl[pictures]')}")
        return
    data = card_picture(game)
    yield Picture("the picture can only be seen at a terminal", data) if data else Note(f"{game.title} has no picture")


def card_picture(told: Told) -> bytes | None:
    """Return the picture of the card that the story began with; None: it has none. AdvreplError: the card is gone."""
    path = told.state.save.card_path
    if not path:
        return None
    try:
        return find_picture(load_bytes(Path(path)))
    except AdvreplError as error:
        raise AdvreplError(f"the card of this story cannot be read any more: {error}") from error


def opening_picture(told: Told) -> bytes | None:
    """Return the same for when a story opens, where nobody asked for a picture: whatever is wrong, there is none."""
    try:
        return card_picture(told) if pictures.available() else None
    except AdvreplError:
        return None
