"""`advrepl` alone: what one can do, the models at hand, the stories to go on with, and an offer to start.

Prints before anything slow is loaded. What is picked is a command line; whoever calls runs it.
"""

import math
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from advrepl import AdvreplError, __version__, paths, program, regular

if TYPE_CHECKING:
    from advrepl.story.glance import StoryLine
    from advrepl.terminal.picker import Choice

MOST_STORIES, MOST_MODELS = 8, 5
MEASURE = 100  # columns
MOST_SHOWN = 40  # characters of a word that is not understood
LEAST_ABOUT = 24  # columns of what is said of a story
COMMANDS = (
    ("play [NAME]", "a new story: a scenario, a character, or a card of yours"),
    ("resume [NAME]", "go on with a story"),
    ("saves list", "your stories; also show, rename, delete"),
    ("models", "the models that are here"),
    ("--help", "all commands; COMMAND --help tells more of one"),
)


def home(*, at_terminal: bool) -> list[str]:
    """Show the first screen, and return the command that the player has picked; empty: none."""
    _say(f"advrepl {__version__} · stories told by you and a language model on this machine\n")
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
    chosen = _pick("Where to?", choices, *_look())
    return chosen.name.split(" ", 1) if chosen else []


def begun_with(word: str, commands: Iterable[str]) -> str:
    """Return the command that a word stands behind where one was to be: it names what can be played.

    Raises AdvreplError where it does not, with what may have been meant.
    """
    from advrepl.cards.character import SUFFIXES
    from advrepl.hints import did_you_mean
    from advrepl.play.beginnings import beginnings
    from advrepl.story.glance import find

    names = [each.name for each in beginnings()]
    if word in names or (Path(word).suffix.casefold() in SUFFIXES and Path(word).is_file()):
        return "play"
    stories = [each.stem for each in find(paths.saves_folder(_saves()))]
    if word in stories:
        return "resume"
    known = {name: ("resume", name) for name in stories} | {name: ("play", name) for name in names}
    lines = {name: f"`{program.command(*words)}`" for name, words in known.items()}
    hint = did_you_mean(word, lines | {name: f"`{program.command(name)}`" for name in commands})
    raise AdvreplError(
        f"there is no command {word[:MOST_SHOWN]!r}, and nothing to play of that name: "
        + (hint or f"`{program.command('-h')}` shows the commands, `{program.command('play')}` what can be played")
    )


def pick_beginning(*, plain: bool, theme: str | None) -> str | None:
    """Let the player choose a scenario or a character; None: he gave it up."""
    from advrepl.play.beginnings import beginnings
    from advrepl.terminal.picker import Choice

    chosen = _pick("Begin which story?", [Choice(each.name, each.about) for each in beginnings()], plain, theme)
    return chosen.name if chosen else None


def _pick(title: str, choices: "list[Choice]", plain: bool, theme: str | None) -> "Choice | None":
    from advrepl.terminal import background
    from advrepl.terminal.interrupts import Interrupts
    from advrepl.terminal.picker import pick
    from advrepl.terminal.prompting import end_prompt
    from advrepl.terminal.theme import Capabilities

    can = Capabilities.of(os.environ, plain=plain)
    with Interrupts(lambda: None, math.inf) as interrupts:
        with interrupts.reading():
            looks = background.theme(theme, can, os.environ)
            if not can.cursor:
                return pick(title, choices, can, looks)
        with interrupts.prompting(end_prompt):
            return pick(title, choices, can, looks)


def _choices() -> "list[Choice]":
    """Stories and beginnings, each under the command that opens it; a line for each, as far as one can tell."""
    from advrepl.cli.tables import screen_width
    from advrepl.play.beginnings import beginnings
    from advrepl.terminal.picker import GAP, Choice
    from advrepl.terminal.text import clip, one_line

    stories = _stories(paths.saves_folder(_saves()), MOST_STORIES)
    begun = [(f"play {each.name}", each.about) for each in beginnings()]
    names = [f"resume {each.name}" for each in stories]
    room = max(
        min(screen_width(), MEASURE) - max(map(len, (*names, *(name for name, _ in begun)))) - GAP - 1, LEAST_ABOUT
    )
    own = [(name, clip(one_line(_about(each)), room)) for name, each in zip(names, stories, strict=True)]
    return [Choice(*each) for each in (*own, *begun)]


def _stories(folder: Path, most: int) -> "list[StoryLine]":
    from advrepl.story.glance import find, glance

    return [each for each in map(glance, find(folder)[:most]) if each.readable]


def _about(story: "StoryLine") -> str:
    """What tells it from the others, the most telling first: the line has room for little of it."""
    return " · ".join(filter(None, (story.changed, story.title, story.length, story.last)))


def _saves() -> Path | None:
    usual = os.environ.get("ADVREPL_SAVES")
    return Path(usual) if usual else None


def _look() -> "tuple[bool, str | None]":
    """What the player's own configuration says of it: words only, a theme. What is wrong is told when he plays."""
    import tomllib

    from advrepl.terminal.theme import THEMES

    try:
        said = tomllib.loads(regular.read(paths.config_file()).decode())
    except (OSError, ValueError, RecursionError):
        said = {}
    theme = said.get("theme")
    return said.get("plain") is True, theme if theme in list(THEMES) else None


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
    from advrepl.cli.tables import screen_width
    from advrepl.terminal.text import visible, wrap

    print(wrap(visible(text), screen_width()))


def _table(rows: Iterable[tuple[str, str]]) -> None:
    from advrepl.cli.tables import screen_width
    from advrepl.terminal.layout import lay_out
    from advrepl.terminal.text import visible

    print(visible(lay_out(rows, min(screen_width(), MEASURE))))
