"""What is written of a player's stories is for his eyes alone, whatever the umask, and stands in no log."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from advrepl.play import lookup
from advrepl.story import saves
from tests import ROOT, architectures
from tests.exchange_chats import EVERY_TEXT
from tests.pty_play import Terminal

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such modes")
LINE = "open the brass door quietly"
TYPED = (LINE, "/set temperature 0.9", "/preset save mine", "/note the bell is cracked", "/save", "/undo", LINE, "")


def run(home: Path, umask: int, *words: str, typed: str = "") -> None:
    code = f"import os; os.umask({umask}); from advrepl.cli import main; main()"
    subprocess.run(
        [sys.executable, "-c", code, *words],
        input=typed,
        cwd=home.parent,
        env={**os.environ, "ADVREPL_HOME": str(home), "PYTHONPATH": str(ROOT)},
        check=True,
        capture_output=True,
        text=True,
        timeout=100,
    )


@pytest.mark.parametrize("umask", [0, 0o022])
def test_what_is_written_is_for_its_owner_alone(umask: int, tmp_path: Path) -> None:
    model, home = architectures.make("llama", tmp_path), tmp_path / "data" / "advrepl"
    flags = ("-m", str(model), "--format", "metharme", "--max-tokens", "24", "--threads", "1")
    with Terminal(
        "play", "start", "--save", "a", *flags,
        prepare=f"import os; os.chdir({str(tmp_path)!r}); os.umask({umask})", ADVREPL_HOME=str(home),
    ) as terminal:  # fmt: skip
        terminal.ready()
        terminal.line(LINE)
        # A small model may well end an option with "3.", and an Enter before there is a prompt sends nothing.
        terminal.until(lambda: terminal.menus() >= 2)
        terminal.ready()
        terminal.line("/quit")
        assert terminal.left() == 0
    chat = tmp_path / "chat.json"
    chat.write_text(next(iter(EVERY_TEXT.values())))
    run(home, umask, "saves", "import", str(chat))
    run(home, umask, "config", "temperature", "0.5")
    run(home, umask, "resume", "a", *flags, typed="\n".join(TYPED))
    there = {path.relative_to(tmp_path / "data"): path for path in (tmp_path / "data").rglob("*")}
    assert {"history", "facts.json", "llama.log", "config.toml", "a.json", "a.json.bak", "a.kv", "mine.json"} <= {
        path.name for path in there.values()
    }
    modes = {str(name): oct(path.stat().st_mode & 0o777) for name, path in there.items()}
    assert {name: mode for name, mode in modes.items() if int(mode, 8) & 0o077} == {}
    story = saves.load(lookup.saved("a", home / "saves", lambda _: None))
    replies = [max(turn.text.split("\n"), key=len) for turn in story.turns if turn.role == "model"]
    told = [LINE, *(text for text in replies if len(text) > 4)]  # a letter or two may well stand in a log
    for name, path in there.items():  # but for the cache: this vocabulary's token ids are the text's bytes
        if path.is_file() and path.suffix not in (".json", ".bak", ".kv") and path.name != "history":
            assert not [text for text in told if text.encode() in path.read_bytes()], name
    facts = json.loads((home / "facts.json").read_text())
    assert LINE not in json.dumps(facts)
