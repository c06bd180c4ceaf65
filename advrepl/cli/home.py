"""`advrepl` alone: what one can do, the models at hand, the stories to go on with, and an offer to start.

Prints before anything slow is loaded. What is picked is a command line; whoever calls runs it.
"""

import os
import sys
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from advrepl import __version__, paths, program

if TYPE_CHECKING:
    from advrepl.terminal.picker import Choice

MOST_STORIES, MOST_MODELS = 8, 5
MEASURE = 100  # columns
COMMANDS = (
    ("play [NAME]", "a new story: a scenario, a character, or a card of yours"),
    ("resume [NAME]", "go on with a story"),
    ("saves list", "your stories; also show, rename, delete"),
    ("models", "the models that are here"),
    ("--help", "all commands; COMMAND --help tells more of one"),
)


def home(*, at_terminal: bool) -> list[str]:
    """Show the first screen, and return the command that the player has picked; empty: none."""
    _say(f"advrepl {__version__} · stories that you and a language model on this machine tell each other\n")
    _say(f"`{program.command()} …` with one of these words, or choose below:")
    _table(COMMANDS)
    there = _models()
    _say(f"\nModels: {', '.join(there)}" if there else f"\n{_no_model()}")
    choices = _choices()
    if not at_terminal or not there:
        _say("\nStories to go on with and to begin:")
        _table((each.name, each.about) for each in choices)
        return []
    sys.stdout.write("\n")
    sys.stdout.flush()
    chosen = _pick("Where to?", choices, _plain())
    return chosen.name.split(" ", 1) if chosen else []


def pick_beginning(*, plain: bool) -> str | None:
    """Let the player choose a scenario or a character; None: he gave it up."""
    from advrepl.play.beginnings import beginnings
    from advrepl.terminal.picker import Choice

    chosen = _pick("Begin which story?", [Choice(each.name, each.about) for each in beginnings()], plain)
    return chosen.name if chosen else None


def _pick(title: str, choices: "list[Choice]", plain: bool) -> "Choice | None":
    from advrepl.terminal.picker import pick
    from advrepl.terminal.screen import Capabilities

    can = Capabilities.of(os.environ, plain=plain)
    return pick(title, choices, cursor=can.cursor, style=can.style)


def _choices() -> "list[Choice]":
    """Stories and beginnings, each under the command that opens it."""
    from advrepl.play.beginnings import beginnings
    from advrepl.terminal.picker import Choice

    own = [Choice(f"resume {each.name}", each.about) for each in _stories(paths.saves_folder(_saves()), MOST_STORIES)]
    return [*own, *(Choice(f"play {each.name}", each.about) for each in beginnings())]


def _stories(folder: Path, most: int | None) -> "list[Choice]":
    from advrepl.story.glance import find, glance
    from advrepl.terminal.picker import Choice

    return [
        Choice(each.name, " · ".join(filter(None, (each.title, each.length, each.changed, each.last))))
        for each in map(glance, find(folder)[:most])
        if each.readable
    ]


def _saves() -> Path | None:
    usual = os.environ.get("ADVREPL_SAVES")
    return Path(usual) if usual else None


def _plain() -> bool:
    """Does the player's own configuration ask for words only? What is wrong with it is told when he plays."""
    try:
        return paths.config_file().exists() and tomllib.loads(paths.config_file().read_text("utf-8"))["plain"] is True
    except (OSError, ValueError, KeyError):
        return False


def _models() -> list[str]:
    """Their names, without asking llama.cpp which of them can be played: that takes longer than a look should."""
    from advrepl.engines import installed

    names = [installed.name_of(path) for path in (*installed.installed(), *installed.folders())]
    chosen = os.environ.get("ADVREPL_MODEL")
    names = list(dict.fromkeys([installed.name_of(Path(chosen)), *names])) if chosen else names
    more = len(names) - MOST_MODELS
    return [*names[:MOST_MODELS], *([f"and {more} more"] if more > 0 else [])]


def _no_model() -> str:
    from advrepl.engines import installed

    return installed.how_to_get_one()


def _say(text: str) -> None:
    from advrepl.terminal.text import visible

    print(visible(text))


def _table(rows: Iterable[tuple[str, str]]) -> None:
    from advrepl.cli.tables import screen_width
    from advrepl.terminal.layout import lay_out

    _say(lay_out(rows, min(screen_width(), MEASURE)))
