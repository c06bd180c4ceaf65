"""/help: the commands and keys."""

from collections.abc import Iterator

from advrepl.play.events import Event
from advrepl.play.state import Told
from advrepl.terminal.columns import Table
from advrepl.terminal.commands import topics
from advrepl.terminal.commands.table import COMMANDS, Command, command, find
from advrepl.terminal.commands.topics import topic_names

ALL = "all"
KEYS = (
    ("1, 2, 3", "pick an option; anything else is what you do or say"),
    ("Up, Down", "go through the options on offer, else through earlier lines"),
    ("Left, Right", "at an empty line: other takes of the reply"),
    ("Ctrl-P, Ctrl-N", "go through earlier lines; Ctrl-R searches them"),
    ("Tab", "complete a command, or an option from one of its words"),
    ("Alt-Enter", "a new line in what you write; Enter sends it"),
    ("Ctrl-C", "end the reply that is being written, or clear the line"),
    ("Ctrl-D", "save and leave"),
    ("//text", "say something that begins with a slash"),
)
# What the commands of each module are for, in a word or two; those of one meaning share a line.
GROUPS = {
    "story": "go on, go back",
    "verbs": "tell, remember",
    "tree": "takes, edits",
    "memory": "tell, remember",
    "inventory": "go on, go back",
    "sampling": "choose words",
    "scenario": "set the scene",
    "portrait": "see, copy",
    "window": "see, copy",
    "reading": "see, copy",
    "switch": "save, leave",
    "save": "save, leave",
    "help": "more on these",
}


def help_completions() -> dict[str, str]:
    """Return what may follow `/help`, with a word on each."""
    return {entry.name: entry.help for entry in COMMANDS.values()} | topic_names() | {ALL: "all commands, one by one"}


@command("help", "h", "?", usage="[COMMAND | TOPIC | all]", arguments=help_completions, at_once=True)
def show_help(told: Told, argument: str) -> Iterator[Event]:
    """Show the commands and keys, or more on a command or a topic."""
    if not argument:
        yield Table.of((*KEYS, ("", ""), *_groups()))
    elif argument == ALL:
        yield Table.of(map(_row, COMMANDS.values()))
    elif argument == topics.KEYS:
        yield Table.of(KEYS)
    elif argument in topics.TOPICS:
        yield from _topic(argument)
    else:
        yield Table.of([_row(find(argument.removeprefix("/")))])


def _topic(name: str) -> Iterator[Event]:
    modules, _, examples = topics.TOPICS[name]
    yield Table.of(_row(entry) for entry in COMMANDS.values() if entry.module in modules)
    yield Table.of(examples)


def _groups() -> Iterator[tuple[str, str]]:
    for meaning in dict.fromkeys(GROUPS.values()):
        names = [f"/{entry.name}" for entry in COMMANDS.values() if GROUPS[entry.module] == meaning]
        yield meaning, ", ".join(names if meaning != GROUPS["help"] else [*names, "/help COMMAND", f"/help {ALL}"])
    yield "examples", f"/help {' | '.join(topics.TOPICS)}"


def _row(entry: Command) -> tuple[str, str]:
    also = ", ".join(f"/{alias}" for alias in entry.aliases)
    return f"/{entry.name} {entry.usage}".rstrip(), entry.help + (f" ({also})" if also else "")
