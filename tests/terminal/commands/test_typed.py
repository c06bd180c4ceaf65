"""Each /command that the docs and /help tell to type is typed, as it stands."""

from pathlib import Path

import pytest

from advrepl import AdvreplError
from advrepl.play.game import Game
from advrepl.terminal import commands
from advrepl.terminal.commands.table import Quit
from advrepl.terminal.commands.topics import TOPICS
from tests.docs_commands import in_a_story

EXAMPLES = [line for _, _, examples in TOPICS.values() for line, _ in examples if line.startswith("/")]
OPEN = {"NAME VALUE": "temperature 0.7", "save NAME": "save calm", "/preset NAME": "/preset good-winds", "DEPTH": "2"}
# What cannot be done in this story, or is the name of a command that wants a word more.
NOT_HERE = {
    "/delete": "/delete takes the number of a turn",
    "/do": "/do takes what you do",
    "/goto": "/goto takes the number of a turn",
    "/inventory +key -lamp": "you have no 'lamp'",
    "/recap drop": "there is no summary",
}
LORE = '{"entries": {"0": {"key": ["hall"], "content": "The hall is cold."}}}'


def test_there_is_something_to_type() -> None:
    assert len(in_a_story()) > 25 and len(EXAMPLES) > 15


@pytest.mark.parametrize("line", sorted({*in_a_story(), *EXAMPLES}))
def test_a_command_of_the_docs_does_something(
    line: str, game: Game, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ADVREPL_HOME", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "world.json").write_text(LORE)
    for name, text in OPEN.items():
        line = line.replace(name, text)
    line = line.replace("FILE", "world.json").replace("PATH", "copy").replace("TEXT", "Keep it dark.")
    try:
        assert list(commands.run(game, line)), line
    except Quit as quit:
        assert quit.then
    except AdvreplError as error:
        assert line in NOT_HERE and NOT_HERE[line] in str(error)
