"""How long a story of 10,000 turns with a thousand forks takes to open, and its commands to answer.

`python -m tests.bench.tree` prints it; the engine is a scripted one, so that nothing but the story is measured.
"""

import random
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
from tests.conftest import ScriptedEngine

T = TypeVar("T")
TURNS, WORDS = 10_000, 60
COMMANDS = ("/tree", "/search lamp", "/search nothing", "/takes", "/goto 5000", "/undo", "/redo", "/branch dark")
KNOWN = [
    "the",
    "old",
    "house",
    "door",
    "lamp",
    "cellar",
    "stairs",
    "wind",
    "night",
    "key",
    "of",
    "and",
    "to",
    "a",
    "he",
    "she",
    "walks",
    "opens",
]


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
        save = saves.Save(
            saves.SCHEMA, "Tree", saves.now(), "", saves.ModelRef(), "metharme", {}, START, story.turns, story.head
        )
        path.write_bytes(saves.encode(save))
        with SaveFile(path) as file:
            game = _timed("open", lambda: _opened(file))
            for line in COMMANDS:
                _timed(line, lambda line=line: list(commands.run(game, line)))  # type: ignore[misc]


def _opened(file: SaveFile) -> Game:
    engine: object = ScriptedEngine()
    game = Game(engine, FORMATS["metharme"], file.load()[0], file)  # type: ignore[arg-type]
    game.window()
    return game


def _timed(name: str, run: Callable[[], T]) -> T:
    started, work = time.perf_counter(), time.process_time()
    found = run()
    print(f"{time.perf_counter() - started:7.3f} s, {time.process_time() - work:6.3f} s of the processor  {name}")
    return found


if __name__ == "__main__":
    main()
