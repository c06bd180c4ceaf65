"""How long a story of 10,000 turns with a thousand forks takes to open, its commands to answer, and a list of 2,000.

`python -m tests.bench.tree` prints it; the engine is a scripted one, so that nothing but the story is measured.
"""

import os
import random
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from advrepl.play.game import Game
from advrepl.prompt.formats import FORMATS
from advrepl.story import saves
from advrepl.story.save_file import SaveFile
from advrepl.story.scenario import START
from advrepl.story.tree import Story, Turn
from advrepl.terminal import commands
from tests.bench.long_story import tell
from tests.bench.setup import program
from tests.conftest import ScriptedEngine

T = TypeVar("T")
TURNS, WORDS = 10_000, 60
COMMANDS = ("/tree", "/search lamp", "/search nothing", "/takes", "/goto 5000", "/undo", "/redo", "/branch dark")
KNOWN = (
    *("the", "old", "house", "door", "lamp", "cellar", "stairs", "wind", "night", "key", "of", "and", "to", "a", "he"),
    *("she", "walks", "opens"),
)
STORIES, TOLD = 2_000, 20  # what `saves list` lists, and turns of each


def large_story(chance: random.Random) -> Story:
    """Return a story in which every tenth turn goes on from one of the two hundred before."""
    story = Story([Turn(None, "user", "Start!")], 0)
    for number in range(1, TURNS):
        if chance.random() < 0.1:
            story.goto(max(0, number - 1 - chance.randrange(min(number, 200))))
        said = " ".join(chance.choice(KNOWN) for _ in range(WORDS))
        story.say("model" if number % 2 else "user", said)
    return story


def main() -> None:
    """Print seconds."""
    story = large_story(random.Random(1))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "story.json"
        path.write_bytes(saves.encode(_save("Tree", story)))
        with SaveFile(path) as file:
            game = _timed("open", lambda: _opened(file))
            for line in COMMANDS:
                _timed(line, lambda line=line: list(commands.run(game, line)))  # type: ignore[misc]

    _list()


def _list() -> None:
    """The whole program, which lists the stories of a folder."""
    with tempfile.TemporaryDirectory() as folder:
        for number in range(STORIES):
            story, path = tell(TOLD), Path(folder) / f"story-{number}.json"
            path.write_bytes(saves.encode(_save(f"Story {number}", story)))
        for _ in range(3):
            command = program("saves", "list", "--saves", folder)
            _timed("saves list", lambda command=command: subprocess.run(command, check=True, capture_output=True))  # type: ignore[misc]


def _save(title: str, story: Story) -> saves.Save:
    return saves.Save(
        saves.SCHEMA, title, saves.now(), saves.ModelRef(), "metharme", {}, START, story.turns, story.head
    )


def _opened(file: SaveFile) -> Game:
    engine: object = ScriptedEngine()
    game = Game(engine, FORMATS["metharme"], file.load()[0], file)  # type: ignore[arg-type]
    game.window()
    return game


def _worked() -> float:
    """Seconds of the processor that this process and those that it has waited for have taken."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def _timed(name: str, run: Callable[[], T]) -> T:
    started, work = time.perf_counter(), _worked()
    found = run()
    print(f"{time.perf_counter() - started:7.3f} s, {_worked() - work:6.3f} s of the processor  {name}")
    return found


if __name__ == "__main__":
    main()
