"""What the shell is told: names, each with a word on it."""

import shutil
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pexpect
import pytest
from typer.testing import CliRunner

from advrepl.cli import completion
from advrepl.cli.commands import app
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


@pytest.mark.parametrize(
    ("line", "names"),
    [
        ("saves show the-old", "the-old-house"),
        ("saves export the-old", "the-old-house"),
        ("saves export the-old-house --as e", "epub"),
        ("card show h", "halcyon"),
        ("card show l", ""),  # lighthouse has no card
        ("play --theme l", "light"),
        ("play --keys v", "vi"),
        ("play --format m", "metharme"),
        ("play --language j", "ja"),
        ("resume --preset good", "good-winds"),
        ("serve -m Smol", "SmolLM2-135M-Instruct.Q4_1"),
        ("size Smol", "SmolLM2-135M-Instruct.Q4_1"),
        ("pull pygmalion-2", "pygmalion-2-7b pygmalion-2-13b"),
        ("config the", "theme"),
        ("config theme d", "dark"),
        ("config exact o", "on off"),
        ("config preset good", "good-winds"),
        ("config nothing o", ""),
        ("config temperature 0", ""),
    ],
)
def test_what_has_names_completes_them(line: str, names: str, tmp_path: Path) -> None:
    asked = {"_ADVREPL_COMPLETE": "complete_bash", "COMP_WORDS": f"advrepl {line}"}
    asked |= {"COMP_CWORD": str(len(line.split())), "ADVREPL_HOME": str(tmp_path), "ADVREPL_SAVES": str(ROOT / "saves")}
    shown = CliRunner().invoke(app(), env=asked, prog_name="advrepl")
    assert shown.stdout.split() == names.split()


def test_bash_completes_once_it_was_installed(tmp_path: Path) -> None:
    program = tmp_path / "advrepl"
    run = "import sys; sys.argv[0] = 'advrepl'; from advrepl.cli import main; main()"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -c "{run}" "$@"\n')
    program.chmod(0o700)
    environment = {
        "HOME": str(tmp_path), "PATH": f"{tmp_path}:/usr/bin:/bin", "PYTHONPATH": str(ROOT), "TERM": "dumb",
        "ADVREPL_HOME": str(tmp_path), "ADVREPL_SAVES": str(ROOT / "saves"),
    }  # fmt: skip
    for first in (True, False):
        shell = pexpect.spawn("bash", ["-i"], env=environment, timeout=60, encoding="utf-8", dimensions=(24, 200))
        with closing(shell):
            if first:
                shell.sendline("advrepl --install-completion")
                shell.expect("bash completion installed")
                shell.expect("once you restart")
                continue
            for begun, whole in (("pl", "ay "), ("lightho", "use "), ("--them", "e "), ("li", "ght ")):
                shell.send(f"{'advrepl ' if begun == 'pl' else ''}{begun}\t")
                shell.expect_exact(begun + whole)


def test_zsh_answers_the_first_tab_too(tmp_path: Path) -> None:
    """The second time nothing is added; zsh itself was tried by hand."""
    name = tmp_path / "zsh"  # as the shell from which it is installed is called
    name.symlink_to(shutil.which("bash") or "bash")
    run = "import sys; sys.argv[0] = 'advrepl'; from advrepl.cli import main; main()"
    line = f'{sys.executable} -c "{run}" --install-completion; true'
    environment = {"HOME": str(tmp_path), "PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT)}
    for _ in range(2):
        subprocess.run([name, "-c", line], env=environment, check=True, capture_output=True)
    script = (tmp_path / ".zfunc" / "_advrepl").read_text()
    assert script.count('_advrepl_completion "$@"') == 1 and script.endswith(
        'compdef _advrepl_completion advrepl\n_advrepl_completion "$@"\n'
    )
