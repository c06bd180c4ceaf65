"""What the docs tell to type is understood, and what they point to is there."""

import re
import shlex
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from advrepl.cli.commands import app
from advrepl.play.beginnings import beginnings
from advrepl.terminal.commands.table import find
from tests import ROOT

PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"^```\w*\n(.*?)^```", re.MULTILINE | re.DOTALL)
GENERATED = "options.md"  # by tests/docs_tables.py
FILLED = {"NAME": "theme", "VALUE": "light"}


def lines(page: Path) -> list[str]:
    """The command lines of a page: those of its blocks, and those in its text that begin with the program."""
    text = page.read_text()
    blocks = [line for block in BLOCK.findall(text) for line in block.split("\n")]
    inline = re.findall(r"`([^`\n]+)`", BLOCK.sub("", text))
    found = [line.split("  ")[0].split(" #")[0].split("| ")[-1].strip(" $") for line in (*blocks, *inline)]
    return sorted({line for line in found if line.startswith("advrepl ")})


def variants(line: str) -> list[list[str]]:
    """The commands that a line stands for: `[a | b]` and `a | b` are choices, words in capitals are names."""
    if "COMMAND" in line or "…" in line or line == "advrepl FILE.gguf":
        return []
    line = re.sub(r"\[(NAME VALUE|NAME)\]", r"\1", line)
    inside = re.search(r"\[([^\]]+)\]", line)
    if inside:
        return [each for choice in inside[1].split("|") for each in variants(line.replace(inside[0], choice.strip()))]
    return [shlex.split(line)[1:]]


CASES = [(page.name, line) for page in PAGES if page.name != GENERATED for line in lines(page)]


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
    for target in re.findall(r"`make ([a-z-]+)", page.read_text()):
        assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE), target


@pytest.mark.parametrize(
    "words", ["models --known", "saves list", "saves show the-old-house", "card show brindle", "config"]
)
def test_commands_that_only_show_something_run(words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ADVREPL_HOME", str(tmp_path))
    monkeypatch.setenv("ADVREPL_SAVES", str(ROOT / "saves"))
    result = CliRunner().invoke(app(), words.split(), catch_exceptions=False)
    assert result.exit_code == 0 and result.output
