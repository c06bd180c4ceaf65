"""What the tests of whole programs in a pseudo-terminal share: starting one, and the story that it has saved."""

from collections.abc import Callable
from pathlib import Path

import pytest

from advrepl.story import saves
from advrepl.story.tree import Story
from tests.pty_play import Terminal, with_a_story

# One thread: two that wait for each other on a busy machine are many times slower.
SMALL = ("--threads", "1", "--ctx", "1024", "--seed", "3", "--max-tokens", "24")
# With this seed the replies to what is said here are long: 190 tokens and more.
LONG = ("--threads", "1", "--ctx", "1024", "--seed", "5", "--max-tokens", "400", "--options", "0", "--plain-model")


@pytest.fixture
def open_terminal(tmp_path: Path, shallow: Path) -> Callable[..., Terminal]:
    """Starts the program with a home and a folder of saves of its own."""

    def start(
        *arguments: str, columns: int = 80, rows: int = 24, prepare: str = "pass", **environment: str
    ) -> Terminal:
        own = {"ADVREPL_HOME": str(tmp_path / "home"), "ADVREPL_SAVES": str(tmp_path), "ADVREPL_MODEL": str(shallow)}
        return Terminal(*with_a_story(arguments), columns=columns, rows=rows, prepare=prepare, **own | environment)

    return start


def story(folder: Path, name: str = "start") -> list[tuple[str, str]]:
    save = saves.load(folder / f"{name}.json")
    return [(turn.role, turn.text) for turn in Story(save.turns, save.head).path_turns()]
