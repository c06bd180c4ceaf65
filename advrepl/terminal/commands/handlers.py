"""The /commands: one decorated function each. /help, completion and the README's list come from the table.

Does not print; what a command has to say comes out as events, so that it works at a terminal, in a pipe and as JSON.
"""

from collections.abc import Iterator

from advrepl import AdvreplError
from advrepl.play.events import Event, Note
from advrepl.play.game import Game
from advrepl.prompt import options as menu
from advrepl.prompt.window import told
from advrepl.story.injections import shown
from advrepl.terminal.commands import context, portrait
from advrepl.terminal.commands.table import COMMANDS, Quit, command, find, is_command, run

__all__ = ["COMMANDS", "Quit", "find", "is_command", "run"]  # whoever takes the table from here has it full
MOST_OPTIONS = 8  # as for --options


# --- the commands, in the order of /help


@command("help", "h", "?")
def show_help(game: Game, argument: str) -> Iterator[Event]:
    """Show the commands and keys."""
    yield Note(f"{command_list()}\n\n{KEYS}")


@command("retry", "r")
def retry(game: Game, argument: str) -> Iterator[Event]:
    """Write the last reply again; the old one stays in the save."""
    return game.retry()


@command("continue", "c")
def go_on(game: Game, argument: str) -> Iterator[Event]:
    """Let the model write more of its last reply."""
    return game.go_on()


@command("undo", "u")
def undo(game: Game, argument: str) -> Iterator[Event]:
    """Take back your last turn and the reply to it."""
    said = game.undo()
    offered = numbered(game.options()) or [_ending(game)]
    yield Note("\n".join([f"taken back: {said}", *offered]))


@command("options", "o", usage="[N]")
def options(game: Game, argument: str) -> Iterator[Event]:
    """Show the choices on offer, or have N after each reply (0: none)."""
    if not argument:
        yield Note("\n".join([_options_wanted(game), *numbered(game.options())]))
        return
    if not argument.isdecimal() or int(argument) > MOST_OPTIONS:
        raise AdvreplError(f"/options takes a whole number from 0 to {MOST_OPTIONS}, not {argument!r}")
    with game.changing():
        game.option_count = int(argument)
    yield Note(_options_wanted(game))


from advrepl.terminal.commands import sampling  # noqa: E402, F401  # /set and /preset, in their place in /help

command("length", usage="[short | medium | long]")(context.length)
command("you", usage="[NAME[: WHO YOU ARE]]")(context.you)
command("greeting", usage="[N]")(context.greeting)
command("note", usage="[[DEPTH] TEXT | off]")(context.note)
command("memory", usage="[TEXT | off]")(context.memory)
command("lore", usage="[FILE]")(context.lore)
command("portrait")(portrait.portrait)


@command("context", "ctx")
def show_context(game: Game, argument: str) -> Iterator[Event]:
    """Show what the model sees of the story, and what the last reply cost."""
    window = game.window()
    system = sum(map(game.engine.count, window.prompt.head))
    turns, dialogues = told(game.scenario, game.story, window.evicted)
    rows = {
        "system text": f"{system} tokens, always seen",
        "turns seen": f"{len(turns)}",
        "no longer seen": f"{len(game.story) - len(turns)}",
    }
    if game.scenario.dialogues:
        rows["examples seen"] = f"{len(dialogues)} of {len(game.scenario.dialogues)}"
    if reminded := [len(texts) for turn in turns if (texts := shown(game.scenario, turn))]:
        rows["notes, lore"] = f"{sum(reminded)}, before {len(reminded)} of these turns"
    rows |= {
        "tokens used": f"{window.used} of {window.budget}",
        "context": f"{game.engine.n_ctx} tokens, {game.engine.n_ctx - window.budget} of them kept free for the reply",
    }
    rows["cache"] = "shifted, it still knows of turns that are gone" if game.engine.shifted else "fresh"
    times = "once" if game.read_in_full == 1 else f"{game.read_in_full} times"
    rows["read in full"] = f"{times} since the story was opened"
    if game.last and (stats := game.last.stats)["generated"]:
        fed = stats["prompt"] - stats["reused"]
        rows["last prompt"] = f"{stats['prompt']} tokens: {stats['reused']} reused, {fed} fed"
        if stats["shifted"]:
            rows["last prompt"] += f"; {stats['shifted']} of the reused ones were moved"
        pace = "begun before you asked" if stats["ahead"] else f"{speed(game):.1f} a second"
        rows["last reply"] = f"{stats['generated']} tokens in {stats['seconds']:.1f} s, {pace}"
        rows["first words"] = f"after {stats['first_ms'] / 1000:.2f} s"
    yield Note("\n".join(f"{name:<15} {value}" for name, value in rows.items()))


@command("raw")
def show_prompt(game: Game, argument: str) -> Iterator[Event]:
    """Show the exact text that the model is given."""
    yield Note(str(game.window().prompt))


@command("save")
def save(game: Game, argument: str) -> Iterator[Event]:
    """Save now (it is done after every turn anyway), and show where."""
    game.save()
    remark = game.keep()
    yield Note(f"saved in {game.file.path}" + (f"; {remark}" if remark else ""))


@command("quit", "q", "exit")
def leave(game: Game, argument: str) -> Iterator[Event]:
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
    """Tokens a second of the last reply, from the player's line to its end; 0 before there was one, or if it was begun
    before that line.
    """
    stats = game.last.stats if game.last else {"generated": 0, "seconds": 0, "ahead": False}
    return float(stats["generated"] / stats["seconds"]) if stats["seconds"] and not stats["ahead"] else 0.0


def _options_wanted(game: Game) -> str:
    return f"{game.option_count} options after each reply" if game.option_count else "no options after a reply"


def _ending(game: Game) -> str:
    """How the story ends now: its last sentence or so."""
    last = game.story.last
    prose = menu.split(last.text)[0] if last else ""
    return "the story stands at: " + (prose if len(prose) <= 100 else "…" + prose[-100:])
