"""The /commands for what the model keeps in mind of turns that it no longer sees."""

from collections.abc import Iterator

from advrepl import AdvreplError
from advrepl.play import memory
from advrepl.play.events import Event, Note
from advrepl.play.game import Game
from advrepl.story import quotes
from advrepl.story.quotes import Quote
from advrepl.terminal.columns import Table
from advrepl.terminal.commands.table import command, whole_number
from advrepl.terminal.text import one_line


@command("recap", usage="[on | off]")
def recap(game: Game, argument: str) -> Iterator[Event]:
    """Show the lines that are kept of turns out of sight, or have the model choose some while you read."""
    if argument not in ("", "on", "off"):
        raise AdvreplError(f"/recap is on or off, not {argument[:20]!r}")
    if argument:
        game.state.replace(recap=argument == "on")
        game.save()
    lines, story = _lines(game), game.story
    rows = [
        (f"{number}{'*' if line.pinned else ' '} turn {line.turn + 1}", one_line(quotes.text(line, story)))
        for number, line in enumerate(lines, 1)
    ]
    if rows:
        yield Table.of(rows)
    chosen = "a sentence of each turn that slides out is chosen while you read" if game.state.save.recap else "off"
    yield Note(f"recap: {chosen}; {len(lines)} lines of this branch, /pin TEXT keeps one, /forget N drops one")


@command("pin", usage="TEXT")
def pin(game: Game, argument: str) -> Iterator[Event]:
    """Keep a sentence of the story in mind for good, in its own words."""
    if not argument:
        raise AdvreplError("/pin takes words of the story: the sentence around them is kept")
    quote = memory.pin(game.state, argument)
    game.save()
    yield Note(f"kept in mind: {one_line(quotes.text(quote, game.story))}")


@command("forget", usage="N")
def forget(game: Game, argument: str) -> Iterator[Event]:
    """Drop a line that is kept in mind, by its number in /recap."""
    lines, number = _lines(game), whole_number(argument)
    if not number or number > len(lines):
        raise AdvreplError(f"/forget takes the number of a line, 1 to {len(lines)}" if lines else "nothing is kept")
    line = lines[number - 1]
    said = one_line(quotes.text(line, game.story))
    memory.forget(game.state, line)
    game.save()
    yield Note(f"no longer kept in mind: {said}")


def _lines(game: Game) -> list[Quote]:
    return quotes.on_path(game.state.save.quotes, game.story)
