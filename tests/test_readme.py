"""What the docs tell to type is understood, and what they point to is there.

test_walk.py types it, as far as that takes seconds and no model of gigabytes.
"""

import argparse
import importlib
import inspect
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from advrepl.cli.commands import app
from advrepl.play.beginnings import beginnings
from advrepl.terminal.commands.table import find
from tests import ROOT, docs_commands
from tests.docs_commands import PAGES
from tests.faults.rows import ROWS

FILLED = {"NAME": "theme", "VALUE": "light"}
NEEDS_CARDS = {"--tensor-parallel-size"}
MAKEFILE = (ROOT / "Makefile").read_text()
# The Makefile's own comments tell what to type, too.
BY_MAKE = sorted(
    {line for _, line in docs_commands.of("make")} | set(re.findall(r"(?<=[ (])make [a-z-]+ \w+=\"[^\"]*\"", MAKEFILE))
)
BY_PYTHON = sorted({line for _, line in docs_commands.of("python")})


def variants(line: str) -> list[list[str]]:
    """The commands that a line stands for: `[a | b]` and `a | b` are choices, words in capitals are names."""
    if "COMMAND" in line or "…" in line or line in ("advrepl FILE.gguf", "advrepl"):
        return []
    line = re.sub(r"\[(NAME VALUE|NAME)\]", r"\1", line)
    inside = re.search(r"\[([^\]]+)\]", line)
    if inside:
        return [each for choice in inside[1].split("|") for each in variants(line.replace(inside[0], choice.strip()))]
    return [shlex.split(line)[1:]]


CASES = docs_commands.of("advrepl")


@pytest.mark.parametrize(("page", "line"), CASES, ids=[f"{page} {line}"[:70] for page, line in CASES])
def test_a_command_of_the_docs_is_one_that_the_program_takes(page: str, line: str) -> None:
    for words in variants(line):
        _parse(words)


def _parse(words: list[str]) -> None:
    group = typer.main.get_command(app())
    context = group.make_context("advrepl", ["--version"], resilient_parsing=True)
    if words[0].endswith((".png", ".gguf")) or words[0] in {each.name for each in beginnings()}:
        words = ["play", *words]  # which can be left out
    while hasattr(group, "commands"):
        if words[:1] and words[0].startswith("-"):
            assert words[0] in {flag for each in group.get_params(context) for flag in each.opts}
            return
        names = words[0].split("|")[0]
        assert names in group.commands, f"{names} is no command"
        group, words = group.commands[names], words[1:]
        if words[:1] == ["|"] or (not words and hasattr(group, "commands")):
            return
    if {"-h", "--help"} & set(words) or "|" in words or not words:
        return
    group.make_context("x", [FILLED.get(word, word) for word in words])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_slash_command_of_the_docs_is_there(page: Path) -> None:
    if page.name == "servers.md":
        return  # those are paths of servers
    for name in re.findall(r"`/([a-z]+)\b(?![/.\w])", page.read_text()):
        find(name)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_what_the_docs_point_to_is_there(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)", page.read_text()):
        assert "://" in target or (page.parent / target).exists(), target


def recipe(line: str) -> list[str]:
    """What `make` would run."""
    words = [word for word in shlex.split(line[line.index("make") :]) if word != "..."]
    done = subprocess.run([*words, "-n", "NO_AMX="], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, f"{line}: {done.stderr}"
    for variable in re.findall(r"\b([A-Z]+)=", line.removeprefix("CMAKE_ARGS=")):
        assert f"$({variable})" in MAKEFILE, f"the Makefile reads no {variable}"
    return done.stdout.replace("\\\n", " ").split("\n")


class Parsed(Exception):
    """A module has taken its arguments."""


def takes(module: str, arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a module of ours read its arguments, and do nothing else."""
    parse = argparse.ArgumentParser.parse_args

    def parse_only(parser: argparse.ArgumentParser) -> None:
        parse(parser)
        raise Parsed

    package = (ROOT / module.replace(".", "/")).is_dir()
    loaded = importlib.import_module(f"{module}.__main__" if package else module)
    if module == "tests.faults":
        assert set(arguments) <= set(ROWS)
    elif re.search(r"parse_args|arguments\(\)|parser\(", inspect.getsource(loaded)):
        monkeypatch.setattr(argparse.ArgumentParser, "parse_args", parse_only)
        monkeypatch.setattr(sys, "argv", [module, *arguments])
        with pytest.raises(Parsed):
            loaded.main()
    else:
        assert not [word for word in arguments if word.startswith("-")], f"{module} takes no options"
        assert callable(loaded.main)


@pytest.mark.parametrize("line", BY_MAKE)
def test_what_the_docs_let_make_run_takes_what_it_is_given(line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for step in recipe(line):
        if found := re.search(r" -m (tests[.\w]*)(.*)", step):
            takes(found[1], shlex.split(found[2]), monkeypatch)


@pytest.mark.parametrize("line", BY_PYTHON)
def test_what_the_docs_let_python_run_takes_what_it_is_given(line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    _, _, module, *arguments = shlex.split(line)
    if module == "pytest":
        assert all((ROOT / each).exists() for each in arguments)
    elif module == "llama_cpp.server":
        command = [sys.executable, "-W", "ignore", "-m", module, "--help"]
        told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        assert {word for word in arguments if word.startswith("--")} <= set(re.findall(r"--\w+", told))
    elif module.startswith("vllm"):
        ours = (ROOT / "tests" / "servers" / "kinds.py").read_text()
        flags = {word for word in arguments if word.startswith("--")} - NEEDS_CARDS
        assert module in ours and all(f'"{flag}"' in ours for flag in flags)
    else:
        takes(module, arguments, monkeypatch)


def test_what_the_docs_tell_of_other_programs_is_what_is_used_here() -> None:
    """Extras that are there, packages by their names, flags with which the tests start the same servers."""
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    for _, line in docs_commands.of("pip", "pipx", "uv"):
        assert re.search(r"advrepl(\[(\w+)\])?[-'*.whl]*$", line), line
        assert all(extra in extras for extra in re.findall(r"\[(\w+)\]", line))
    started = "".join(path.read_text() for folder in ("advrepl", "tests") for path in (ROOT / folder).rglob("*.py"))
    for _, line in docs_commands.of("llama-server", "ggml-rpc-server", "llama-perplexity", "llama-bench"):
        for flag in re.findall(r" (--?[a-z][\w-]*)", line):
            assert f'"{flag}"' in started, f"nothing here starts {line.split()[0]} with {flag}"


@pytest.mark.parametrize(
    "words", ["models --known", "saves list", "saves show the-old-house", "card show brindle", "config"]
)
def test_commands_that_only_show_something_run(words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ADVREPL_HOME", str(tmp_path))
    monkeypatch.setenv("ADVREPL_SAVES", str(ROOT / "saves"))
    result = CliRunner().invoke(app(), words.split(), catch_exceptions=False)
    assert result.exit_code == 0 and result.output
