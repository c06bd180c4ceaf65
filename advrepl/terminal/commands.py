"""The /commands: one decorated function each. /help, completion and the README's list come from the table.

Does not print; what a command has to say comes out as events, so that it works at a terminal, in a pipe and as JSON.
"""

import difflib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from advrepl import AdvreplError
from advrepl.engines.base import Sampling
from advrepl.game import Event, Game
from advrepl.prompt import options as menu
from advrepl.terminal import knobs

MOST_OPTIONS = 8  # as for --options


@dataclass(frozen=True, slots=True)
class Note:
    """What a command says, as plain text."""

    text: str


class Quit(Exception):
    """The player wants to leave."""


Handler = Callable[[Game, str], Iterator[Event | Note]]


@dataclass(frozen=True, slots=True)
class Command:
    """One line of the table."""

    name: str
    aliases: tuple[str, ...]
    usage: str  # what may follow the name; empty: nothing
    run: Handler

    @property
    def help(self) -> str:
        return (self.run.__doc__ or "").split("\n")[0]


COMMANDS: dict[str, Command] = {}


def command(name: str, *aliases: str, usage: str = "") -> Callable[[Handler], Handler]:
    """Put a handler into the table; the first line of its docstring is its help."""

    def add(handler: Handler) -> Handler:
        COMMANDS[name] = Command(name, aliases, usage, handler)
        return handler

    return add


def is_command(line: str) -> bool:
    """Is the line for the program and not for the story? (`//text` is for both: text that begins with a slash.)"""
    return line.lstrip().startswith("/")


def run(game: Game, line: str) -> Iterator[Event | Note]:
    """Do what the line says; raises Quit for /quit. Nothing happens before the first event is asked for."""
    line = line.strip()
    if line.startswith("//"):
        yield from game.act(line[1:])
        return
    name, _, argument = line[1:].partition(" ")
    found = find(name)
    if argument.strip() and not found.usage:
        raise AdvreplError(f"/{found.name} takes nothing after its name")
    yield from found.run(game, argument.strip())


def find(name: str) -> Command:
    names = {alias: entry for entry in COMMANDS.values() for alias in (entry.name, *entry.aliases)}
    if name in names:
        return names[name]
    near = [known for known in COMMANDS if name and known.startswith(name.casefold())]
    near = near or difflib.get_close_matches(name.casefold(), COMMANDS, 1, 0.5)
    hint = f"did you mean /{' or /'.join(near)}?" if near else "/help lists those there are"
    shown = name if len(name) <= 30 else name[:30] + "…"
    raise AdvreplError(f"there is no command /{shown}: {hint} (text that begins with a slash: //)")


# --- the commands, in the order of /help


@command("help", "h", "?")
def show_help(game: Game, argument: str) -> Iterator[Event | Note]:
    """Show the commands and keys."""
    yield Note(f"{command_list()}\n\n{KEYS}")


@command("retry", "r")
def retry(game: Game, argument: str) -> Iterator[Event | Note]:
    """Write the last reply again; the old one stays in the save."""
    return game.retry()


@command("continue", "c")
def go_on(game: Game, argument: str) -> Iterator[Event | Note]:
    """Let the model write more of its last reply."""
    return game.go_on()


@command("undo", "u")
def undo(game: Game, argument: str) -> Iterator[Event | Note]:
    """Take back your last turn and the reply to it."""
    said = game.undo()
    offered = numbered(game.options()) or [_ending(game)]
    yield Note("\n".join([f"taken back: {said}", *offered]))


@command("options", "o", usage="[N]")
def options(game: Game, argument: str) -> Iterator[Event | Note]:
    """Show the choices on offer, or have N after each reply (0: none)."""
    if not argument:
        yield Note("\n".join([_options_wanted(game), *numbered(game.options())]))
        return
    if not argument.isdecimal() or int(argument) > MOST_OPTIONS:
        raise AdvreplError(f"/options takes a whole number from 0 to {MOST_OPTIONS}, not {argument!r}")
    before, game.option_count = game.option_count, int(argument)
    _keep_if_it_fits(game, lambda: setattr(game, "option_count", before))
    yield Note(_options_wanted(game))


@command("set", usage="[NAME [VALUE]]")
def change_sampling(game: Game, argument: str) -> Iterator[Event | Note]:
    """Show how the words are chosen, or change a value; `off` and `default` are values too."""
    name, _, value = argument.partition(" ")
    name = name.replace("-", "_").casefold()
    if not name:
        yield Note(knobs.table(game.sampling))
        return
    if name not in (*knobs.KNOBS, knobs.BIAS):
        near = difflib.get_close_matches(name, knobs.KNOBS, 1, 0.5)
        hint = f"did you mean {near[0]}?" if near else "/set shows those there are"
        raise AdvreplError(f"there is nothing called {name!r} to set: {hint}")
    if value.strip():
        before: Sampling = game.sampling
        game.sampling = knobs.changed(before, name, value.strip())
        _keep_if_it_fits(game, lambda: setattr(game, "sampling", before))
    yield Note(f"{name} is {knobs.shown(game.sampling, name)}")


@command("context", "ctx")
def show_context(game: Game, argument: str) -> Iterator[Event | Note]:
    """Show what the model sees of the story, and what the last reply cost."""
    window = game.window()
    system = sum(map(game.engine.count, window.prompt.head))
    rows = {
        "system text": f"{system} tokens, always seen",
        "turns seen": f"{len(game.story.path) - window.evicted}",
        "no longer seen": f"{window.evicted}",
        "tokens used": f"{window.used} of {window.budget}",
        "context": f"{game.engine.n_ctx} tokens, {game.engine.n_ctx - window.budget} of them kept free for the reply",
    }
    if game.last and (stats := game.last.stats)["generated"]:
        fed = stats["prompt"] - stats["reused"]
        rows["last prompt"] = f"{stats['prompt']} tokens: {stats['reused']} reused, {fed} fed"
        if stats["shifted"]:
            rows["last prompt"] += f"; {stats['shifted']} of the reused ones were moved"
        rows["last reply"] = f"{stats['generated']} tokens in {stats['seconds']:.1f} s, {speed(game):.1f} a second"
        rows["first words"] = f"after {stats['first_ms'] / 1000:.2f} s"
    yield Note("\n".join(f"{name:<15} {value}" for name, value in rows.items()))


@command("raw")
def show_prompt(game: Game, argument: str) -> Iterator[Event | Note]:
    """Show the exact text that the model is given."""
    yield Note(str(game.window().prompt))


@command("save")
def save(game: Game, argument: str) -> Iterator[Event | Note]:
    """Save now (it is done after every turn anyway), and show where."""
    game.save()
    yield Note(f"saved in {game.file.path}")


@command("quit", "q", "exit")
def leave(game: Game, argument: str) -> Iterator[Event | Note]:
    """Save and leave, as Ctrl-D does."""
    raise Quit


# --- what they say

KEYS = """\
1, 2, 3          pick an option; anything else is what you do or say
Up, Down         go through the options on offer, else through earlier lines
Ctrl-P, Ctrl-N   go through earlier lines; Ctrl-R searches them
Tab              complete a command, or an option from one of its words
Alt-Enter        a new line in what you write; Enter sends it
Ctrl-C           end the reply that is being written, or clear the line
Ctrl-D           save and leave
//text           say something that begins with a slash"""


def command_list() -> str:
    """The table as text, one command a line."""
    lines = []
    for entry in COMMANDS.values():
        names = f"/{entry.name} {entry.usage}".rstrip()
        also = ", ".join(f"/{alias}" for alias in entry.aliases)
        lines.append(f"{names:<20} {entry.help}" + (f" ({also})" if also else ""))
    return "\n".join(lines)


def numbered(texts: tuple[str, ...]) -> list[str]:
    return [f"{number}. {text}" for number, text in enumerate(texts, 1)]


def speed(game: Game) -> float:
    """Tokens a second of the last reply, from the player's line to its end; 0 before there was one."""
    stats = game.last.stats if game.last else {"generated": 0, "seconds": 0}
    return float(stats["generated"] / stats["seconds"]) if stats["seconds"] else 0.0


def _options_wanted(game: Game) -> str:
    return f"{game.option_count} options after each reply" if game.option_count else "no options after a reply"


def _ending(game: Game) -> str:
    """How the story ends now: its last sentence or so."""
    last = game.story.last
    prose = menu.split(last.text)[0] if last else ""
    return "the story stands at: " + (prose if len(prose) <= 100 else "…" + prose[-100:])


def _keep_if_it_fits(game: Game, restore: Callable[[], None]) -> None:
    """Save a new setting, unless it leaves no room for the story in the context."""
    try:
        game.window()
    except AdvreplError:
        restore()
        raise
    game.save()
