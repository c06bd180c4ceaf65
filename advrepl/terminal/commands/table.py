"""The table of the /commands, and how a line finds its command.

Does not know any command: their modules put them in, and the package hands the full table on.
"""

from collections.abc import Callable, Iterator
from typing import Literal, cast

from msgspec import Struct

from advrepl import AdvreplError
from advrepl.hints import did_you_mean
from advrepl.play.events import Event
from advrepl.play.game import Game
from advrepl.play.state import Told
from advrepl.terminal.lines import PlayerLine
from advrepl.terminal.past import noted


class Then(Struct, frozen=True):
    """What to do when the game is closed."""

    kind: Literal["new", "load"]
    name: str  # of what is to be opened


class Quit(Exception):
    """The player wants to leave, or to go on with something else."""

    def __init__(self, then: Then | None = None) -> None:
        super().__init__()
        self.then = then


Handler = Callable[[Game, str], Iterator[Event]]
Arguments = Callable[[], dict[str, str]]


class Command(Struct, frozen=True):
    """One line of the table."""

    name: str
    aliases: tuple[str, ...]
    usage: str  # what may follow the name; empty: nothing
    run: Handler
    arguments: Arguments = dict  # what may follow the name, with a word on each, for completion
    at_once: bool = False  # does it need no model, and no more of a game than Told?

    @property
    def help(self) -> str:
        """Return what it does: the first line of the handler's docstring."""
        return (self.run.__doc__ or "").split("\n")[0]

    @property
    def module(self) -> str:
        """Return the name of the module that it stands in."""
        return self.run.__module__.rpartition(".")[2]


COMMANDS: dict[str, Command] = {}


MOST_DIGITS = 9  # of a number in a command
# What commands of other programs are called here, where it is not just another name.
_ELSEWHERE = {
    "clear": "/delete TURN removes turns; Ctrl-L clears the screen, /new begins another story",
    "reset restart start begin": "/undo goes back in this story, /goto 1 to its beginning; /new begins another one",
    "stop end halt pause abort": "Ctrl-C ends a reply that is being written; /quit leaves the story",
    "history log transcript": "/tree shows the turns, /search finds a text; Ctrl-P brings back what you typed",
    "next": "/redo goes on to the next reply, the Right key shows another take",
    "prev previous last": "/undo goes back, the Left key shows another take",
    "system prompt": "/raw shows the system text; /memory TEXT adds to what the model never forgets",
    "persona user nick name whoami": "/you NAME: WHO YOU ARE says who you are",
    "char character card scenario": "/new NAME begins another story: a scenario, a character, a card",
    "worldinfo world wi world-info lorebook": "/lore FILE adds a world info file",
    "author authors-note an": "/note TEXT keeps a note near the end of what the model sees",
    "remember": "/pin TEXT keeps a part of the story, /memory TEXT what the model never forgets",
    "sys narrate nar": "/story TEXT goes on in your own words, /ooc TEXT speaks to whoever tells the story",
    "summarize summary": "/recap write has the model tell what happened so far",
    "temp temperature seed top-k top-p min-p max-tokens settings config sampler samplers": "/set shows and changes it",
    "show info": "/context draws what the model sees, /raw shows it as text",
    "export import rename title": "leave with /quit; `advrepl saves` renames stories, and takes them to other programs",
    "voice sound tts": "/speak reads the last reply aloud; `--voice` reads each",
    "theme color colour language lang keys vi": "/quit; `advrepl config NAME VALUE` sets an option of play",
    "read": "paste the text, or write it into /memory or /note",
    "image imagine": "a model sees and draws no pictures here; /portrait shows the character's",
}
ELSEWHERE = {word: told for these, told in _ELSEWHERE.items() for word in these.split()}


def command(
    name: str, *aliases: str, usage: str = "", arguments: Arguments = dict, at_once: bool = False
) -> Callable[[Handler], Handler]:
    """Put a handler into the table; the first line of its docstring is its help."""

    def add(handler: Handler) -> Handler:
        taken = {word for each in COMMANDS.values() for word in (each.name, *each.aliases)} & {name, *aliases}
        if taken:
            raise ValueError(f"two commands are called /{min(taken)}")
        COMMANDS[name] = Command(name, aliases, usage, handler, arguments, at_once)
        return handler

    return add


def answer(game: Game, line: PlayerLine) -> Iterator[Event]:
    """Do what a line says, a /command or words; nothing happens before the first event is asked for."""
    if line.refusal:
        raise AdvreplError(line.refusal)
    if line.is_command:
        yield from run(game, line.text)
    elif line.text:
        yield from noted(game, game.act(line.text))


def run(game: Game, line: str) -> Iterator[Event]:
    """Do what a command line says, slash and all; raises Quit for /quit.

    Nothing happens before the first event is asked for.
    """
    name, _, argument = line[1:].partition(" ")
    found = find(name)
    if argument.strip() and not found.usage:
        raise AdvreplError(f"/{found.name} takes nothing after its name")
    yield from noted(game, found.run(game, argument.strip()))


def needs_model(line: PlayerLine) -> bool:
    """Tell whether a line can only be answered with a model; one that is refused or empty needs none."""
    if line.refusal or not line.is_command:
        return bool(line.text) and not line.refusal
    try:
        return not find(line.text[1:].partition(" ")[0]).at_once
    except AdvreplError:
        return False


def answer_at_once(told: Told, line: PlayerLine) -> Iterator[Event]:
    """Do what a line says that needs no model, as `answer` does."""
    return answer(cast(Game, told), line)  # at_once: its handler asks for no more


def whole_number(text: str) -> int | None:
    """Return the number that a text is; None if it is none, or one that nothing here has (Python converts no more)."""
    return int(text) if text.isdecimal() and len(text) <= MOST_DIGITS else None


def find(name: str) -> Command:
    """Return the command of a name or alias; AdvreplError with the nearest names if there is none."""
    names = {alias: entry for entry in COMMANDS.values() for alias in (entry.name, *entry.aliases)}
    if name in names:
        return names[name]
    if told := ELSEWHERE.get(name.casefold().replace("_", "-")):
        raise AdvreplError(f"there is no command /{name}: {told}")
    hint = did_you_mean(name, {known: f"/{entry.name}" for known, entry in names.items()})
    shown = name if len(name) <= 30 else name[:30] + "…"
    hint = hint or "/help lists those there are; what you do in the story has no slash before it"
    raise AdvreplError(f"there is no command /{shown}: {hint}")
