"""The /commands for what is no line of the player: telling the story, asides, dice, a line from the model."""

from collections.abc import Iterator

from advrepl import AdvreplError
from advrepl.play import verbs
from advrepl.play.events import Draft, Event
from advrepl.play.game import Game
from advrepl.terminal.aloud import last_reply
from advrepl.terminal.commands.table import command


@command("do", usage="TEXT")
def do(game: Game, argument: str) -> Iterator[Event]:
    """Do something; `> TEXT` does the same, and so does TEXT alone."""
    return game.act(_some(argument, "/do", "what you do"))


@command("say", usage="[TEXT]")
def say(game: Game, argument: str) -> Iterator[Event]:
    """Say something, as TEXT in quotation marks does; without TEXT, have the last reply read aloud."""
    if argument:
        yield from game.act(f'"{argument}"')
    else:
        yield last_reply(game)


@command("story", usage="TEXT")
def story(game: Game, argument: str) -> Iterator[Event]:
    """Go on with the story in your own words; the model goes on from there."""
    return verbs.tell(game, _some(argument, "/story", "what happens"))


@command("ooc", usage="TEXT")
def ooc(game: Game, argument: str) -> Iterator[Event]:
    """Say something to whoever tells the story, out of character."""
    return verbs.aside(game, _some(argument, "/ooc", "what you want to say"))


@command("roll", usage="DICE [TEXT]")
def roll(game: Game, argument: str) -> Iterator[Event]:
    """Roll dice, as in 2d6+1, for what you do; the model is told, and a retry keeps the roll."""
    dice, _, deed = _some(argument, "/roll", "dice, as in 2d6+1").partition(" ")
    return verbs.roll(game, dice, deed.strip())


@command("me", "impersonate")
def me(game: Game, argument: str) -> Iterator[Event]:
    """Let the model write your next line, for you to change and send."""
    line = verbs.suggested(game)
    yield Draft(f"you might say: {line}", line)


def _some(argument: str, name: str, what: str) -> str:
    if not argument:
        raise AdvreplError(f"{name} takes {what}")
    return argument
