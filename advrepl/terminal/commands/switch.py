"""The /commands that go on with another story, or with another model; the present story is saved.

They do not open stories: whoever runs the game does, once this one is closed.
"""

from collections.abc import Iterator

from advrepl import AdvreplError, paths, program
from advrepl.engines import models
from advrepl.play.beginnings import beginnings
from advrepl.play.events import Event, Note
from advrepl.play.game import Game
from advrepl.play.state import Told
from advrepl.story.glance import find, glance
from advrepl.terminal.choosing import Pick
from advrepl.terminal.commands.table import Quit, Then, command
from advrepl.terminal.picker import Choice


def beginning_completions() -> dict[str, str]:
    """Return what may follow `/new`, with a word on each."""
    return {each.name: each.about for each in beginnings()}


def model_completions() -> dict[str, str]:
    """Return what may follow `/model`, with its size."""
    found = [*models.installed(), *models.folders()]
    return {models.name_of(path): f"{models.bytes_of(path) / 1e9:.2f} GB" for path in found}


def story_completions() -> dict[str, str]:
    """Return what may follow `/load`, with a word on each: the stories of the usual folder."""
    found = map(glance, find(paths.saves_folder(None)))
    return {each.name: f"{each.title}, {each.length}, {each.changed}" for each in found if each.readable}


@command("new", "newchat", usage="[NAME]", arguments=beginning_completions, at_once=True)
def new(told: Told, argument: str) -> Iterator[Event]:
    """Begin another story: a scenario, a character or a card; this one is saved."""
    if argument:
        raise Quit(Then("new", argument))
    choices = (Choice(name, about) for name, about in beginning_completions().items())
    yield Pick.of("Begin which story?", choices, "/new", "there is nothing to begin")


@command("load", "resume", "restore", "open", usage="[NAME]", arguments=story_completions, at_once=True)
def load(told: Told, argument: str) -> Iterator[Event]:
    """Go on with another story; this one is saved."""
    if argument:
        raise Quit(Then("load", argument))
    here = told.file.path
    others = (each for each in map(glance, find(here.parent)) if each.readable and each.path != here)
    choices = (
        Choice(each.name, " · ".join(filter(None, (each.title, each.length, each.changed, each.last))))
        for each in others
    )
    yield Pick.of(
        "Go on with which story?", choices, "/load", f"there is no other story in {here.parent}: /new begins one"
    )


@command("model", usage="[NAME | http://…]", arguments=model_completions)
def model(game: Game, argument: str) -> Iterator[Event]:
    """Show which model plays, or go on with this story on another one, of this machine or on a server."""
    if argument:
        models.locate(argument)  # refused before anything else
        if not game.switch:
            raise AdvreplError("this story keeps its model")
        yield Note(game.switch(argument))
        return
    yield Note(f"this story is played on {game.engine.name}")
    others = {name: size for name, size in model_completions().items() if name != game.engine.name}
    yield Pick.of(
        "Go on with which model?",
        (Choice(*each) for each in others.items()),
        "/model",
        f"there is no other model here: `{program.command('models', '--known')}` lists some to fetch",
    )
