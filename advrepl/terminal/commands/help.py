"""/help: the commands and keys."""

from collections.abc import Iterator

from advrepl.play.events import Event, Note
from advrepl.play.game import Game
from advrepl.terminal.commands.table import COMMANDS, command

KEYS = """\
1, 2, 3          pick an option; anything else is what you do or say
Up, Down         go through the options on offer, else through earlier lines
Ctrl-P, Ctrl-N   go through earlier lines; Ctrl-R searches them
Tab              complete a command, or an option from one of its words
Alt-Enter        a new line in what you write; Enter sends it
Ctrl-C           end the reply that is being written, or clear the line
Ctrl-D           save and leave
//text           say something that begins with a slash"""


@command("help", "h", "?")
def show_help(game: Game, argument: str) -> Iterator[Event]:
    """Show the commands and keys."""
    yield Note(f"{_command_list()}\n\n{KEYS}")


def _command_list() -> str:
    lines = []
    for entry in COMMANDS.values():
        names = f"/{entry.name} {entry.usage}".rstrip()
        also = ", ".join(f"/{alias}" for alias in entry.aliases)
        lines.append(f"{names:<20} {entry.help}" + (f" ({also})" if also else ""))
    return "\n".join(lines)
