"""The /commands that go on with the story, or back in it."""

from collections.abc import Iterator

from advrepl import AdvreplError
from advrepl.play.events import Event, Note
from advrepl.play.game import Game
from advrepl.prompt import options as menu
from advrepl.story.scenario import MAX_OPTIONS
from advrepl.terminal.commands.table import command, whole_number

SHOWN = 100  # characters of the prose at which the story stands


@command("retry", "r", "regen", "regenerate", "reroll", "swipe")
def retry(game: Game, argument: str) -> Iterator[Event]:
    """Write the last reply again; the old one stays in the save."""
    return game.retry()


@command("continue", "c")
def go_on(game: Game, argument: str) -> Iterator[Event]:
    """Let the model write more of its last reply."""
    return game.go_on()


@command("undo", "u", "back", "revert")
def undo(game: Game, argument: str) -> Iterator[Event]:
    """Take back your last turn and the reply to it."""
    text = game.undo()
    offered = _numbered(game.options()) or [_ending(game)]
    yield Note("\n".join([f"taken back: {text}", *offered]))


@command("options", "o", usage="[N]")
def options(game: Game, argument: str) -> Iterator[Event]:
    """Show the choices on offer, or have N after each reply (0: none)."""
    if not argument:
        yield Note("\n".join([_options_wanted(game), *_numbered(game.options())]))
        return
    count = whole_number(argument)
    if count is None or count > MAX_OPTIONS:
        raise AdvreplError(f"/options takes a whole number from 0 to {MAX_OPTIONS}, not {argument[:20]!r}")
    game.set_option_count(count)
    yield Note(_options_wanted(game))


def _numbered(texts: tuple[str, ...]) -> list[str]:
    return [f"{number}. {text}" for number, text in enumerate(texts, 1)]


def _options_wanted(game: Game) -> str:
    return f"{game.option_count} options after each reply" if game.option_count else "no options after a reply"


def _ending(game: Game) -> str:
    """How the story ends now: its last sentence or so."""
    last = game.story.last
    prose = menu.parted(last.text, game.option_count)[0] if last else ""
    return "the story stands at: " + (prose if len(prose) <= SHOWN else "…" + prose[-SHOWN:])
