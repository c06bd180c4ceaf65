"""Encrypted stories as somebody at a terminal has them: asked for, killed, gone on with, exported."""

import signal
from pathlib import Path
from typing import Any

import msgspec
import pytest
from typer.testing import CliRunner

from advrepl import AdvreplError
from advrepl.cli import passphrases
from advrepl.cli.commands import app
from advrepl.story import crypt, saves
from tests.cli.test_exchange import run
from tests.pty_play import Terminal
from tests.story.test_saves import a_save
from tests.terminal.test_pipe import Program

CHEAP = "from advrepl.story import crypt; crypt.COST = 1024"
QUICK = ("--threads", "1", "--ctx", "512", "--max-tokens", "4", "--options", "0", "--no-ahead")
PASSPHRASE, SAID = "wide awake", "I polish the moonstone lens"


def test_a_story_that_is_killed_is_gone_on_with_by_its_passphrase_alone(tmp_path: Path, shallow: Path) -> None:
    """No file of the program has what was said, also not after it was killed."""
    program = Program(tmp_path, shallow)
    own: dict[str, Any] = {name: text for name, text in program.environment.items() if name.startswith("ADVREPL_")}
    with Terminal("play", "lighthouse", "--encrypt", *QUICK, prepare=CHEAP, columns=120, **own) as terminal:
        terminal.until("New passphrase:")
        terminal.line(PASSPHRASE)
        terminal.until("The same again:")
        terminal.line(PASSPHRASE)
        terminal.ready()
        terminal.line(SAID)
        terminal.until(lambda: terminal.text.count(SAID) == 1)
        terminal.ready()
        assert PASSPHRASE.encode() not in terminal.raw, "what is typed is not shown"
        terminal.child.kill(signal.SIGKILL)
        assert terminal.left() == -signal.SIGKILL
    there = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert program.saves / "story.json" in there
    for path in there:
        data = path.read_bytes()
        assert not [word for word in (b"moonstone", b"polish", b"keeper", PASSPHRASE.encode()) if word in data], path
    with Terminal("resume", "story", *QUICK, columns=120, **own) as terminal:
        terminal.until("Passphrase of story:")
        terminal.line("fast asleep")
        terminal.until("the passphrase does not open story.json")
        assert terminal.left() == 1
    with Terminal("resume", "story", *QUICK, columns=120, **own) as terminal:
        terminal.until("Passphrase of story:")
        terminal.line(PASSPHRASE)
        terminal.until(SAID)


def failing(*arguments: object) -> None:
    """Run a command of `advrepl saves` that raises."""
    CliRunner().invoke(app(), ["saves", *map(str, arguments)], catch_exceptions=False)


def test_an_encrypted_story_is_exported_in_the_clear_only_where_that_is_meant(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(crypt, "COST", 1 << 10)
    monkeypatch.setattr(crypt, "_keys", {})
    monkeypatch.setattr(passphrases, "_given", {})
    lock = crypt.new_lock(PASSPHRASE)
    (tmp_path / "saves").mkdir()
    kept = msgspec.structs.replace(a_save("Begin!", "A moonstone."), lock=lock)
    (tmp_path / "saves" / "story.json").write_bytes(saves.encode(kept))
    crypt._keys.clear()
    command = ("export", "story", "--as", "text", "-o", "story.txt", "--saves", tmp_path / "saves")
    with pytest.raises(AdvreplError, match="give it in ADVREPL_PASSPHRASE"):
        failing(*command)
    monkeypatch.setenv("ADVREPL_PASSPHRASE", PASSPHRASE)
    with pytest.raises(AdvreplError, match=r"story.json is encrypted, and story.txt would hold it in the clear: give"):
        failing(*command)
    assert not (tmp_path / "story.txt").exists()
    run(*command, "--clear")
    assert "A moonstone." in (tmp_path / "story.txt").read_text()
    assert (tmp_path / "story.txt").stat().st_mode & 0o077 == 0, "for the player alone"
    assert not crypt.is_encrypted_file(tmp_path / "story.txt")
    assert crypt.is_encrypted_file(tmp_path / "saves" / "story.json")
