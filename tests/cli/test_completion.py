"""What the shell is told: names, each with a word on it."""

import subprocess
import sys
from pathlib import Path

import pytest

from advrepl.cli import completion
from tests import ROOT


def test_names_are_completed_with_a_word_on_each(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ADVREPL_HOME", str(tmp_path))
    monkeypatch.setenv("ADVREPL_SAVES", str(ROOT / "saves"))
    assert ("halcyon", "the mind of a sleeping ship, awake for two hundred years") in completion.beginnings("ha")
    assert dict(completion.stories("the-old"))["the-old-house"].startswith("The old house, ")
    assert [name for name, _ in completion.presets("good")] == ["good-winds"]
    assert any(size.endswith(" GB") for _, size in completion.models("Smol"))


def test_the_shell_gets_them(tmp_path: Path) -> None:
    environment = {
        "PATH": "", "PYTHONPATH": str(ROOT), "_ADVREPL_COMPLETE": "complete_bash", "COMP_WORDS": "advrepl play li",
        "COMP_CWORD": "2", "ADVREPL_HOME": str(tmp_path),
    }  # fmt: skip
    code = "import sys; sys.argv = ['advrepl']; from advrepl.cli import main; main()"
    shown = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert shown.stdout.split() == ["lighthouse"], shown.stderr
