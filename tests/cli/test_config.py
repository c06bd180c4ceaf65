"""`advrepl config`: what is set is what play takes, and nothing wrong gets in."""

import tomllib
from pathlib import Path

import pytest
from typer.testing import CliRunner

from advrepl import AdvreplError, paths
from advrepl.cli import config
from advrepl.cli.commands import app
from advrepl.cli.play import PLAY_FLAGS


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ADVREPL_HOME", str(tmp_path / "home"))
    for name in config.ENVIRONMENT.values():
        monkeypatch.delenv(name, raising=False)
    return paths.config_file()


def run(*arguments: str) -> str:
    return CliRunner().invoke(app(), ["config", *arguments], catch_exceptions=False).output.strip()


def test_what_is_set_stands_before_the_command_line(file: Path) -> None:
    assert run("temperature", "0.5") == "temperature = 0.5"
    run("theme", "light")
    run("ahead", "off")
    run("plain", "on")
    run("lore", "world.json")
    assert config.arguments(file) == [
        "--temperature=0.5", "--theme=light", "--no-ahead", "--plain", "--lore=world.json",
    ]  # fmt: skip
    run("plain", "off")
    assert "--plain" not in config.arguments(file)
    assert run("temperature", "--unset").startswith("temperature is not set: How bold the choice is")
    assert "--temperature=0.5" not in config.arguments(file)


def test_other_lines_of_the_file_stay(file: Path) -> None:
    file.parent.mkdir(parents=True)
    file.write_text('# mine\ntop_k = 20\nyou = "Zoë"\n')
    run("top-k", "30")
    assert file.read_text() == '# mine\nyou = "Zoë"\ntop-k = 30\n'
    assert tomllib.loads(file.read_text()) == {"you": "Zoë", "top-k": 30}


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("temprature", "1"), "there is no option temprature: did you mean temperature"),
        (("temperature", "9"), "^temperature is a number from 0 to 5, not '9'$"),
        (("ctx", "many"), "^ctx is a whole number, 128 or more, not 'many'$"),
        (("ctx", "9" * 5000), "^ctx is a whole number, 128 or more, not '9{40}'$"),
        (("options", "9"), "^options is a whole number from 0 to 8, not '9'$"),
        (("ahead", "maybe"), "^ahead is on or off, not 'maybe'$"),
        (("theme", "pink"), "^theme is dark or light, not 'pink'$"),
        (("keys", "nano"), "^keys is emacs or vi, not 'nano'$"),
        (("kv", "q9"), "^kv is f16 or q8_0, not 'q9'$"),
        (("state", "maybe"), "^state is off, on or told, not 'maybe'$"),
        (("format", "alpaca"), "there is no prompt format 'alpaca': use metharme, pygmalion or chat"),
        (("preset", "nope"), "there is no preset 'nope': there are default"),
        (("language", "xx"), "there is no language 'xx' to tell in: use en"),
        (("think", "long"), "thinking is off, or a number of tokens such as 300, not 'long'"),
        (("kv-cache-limit", "much"), "--kv-cache-limit 'much' is no size"),
    ],
)
def test_what_play_would_refuse_is_not_kept(file: Path, arguments: tuple[str, ...], why: str) -> None:
    with pytest.raises(AdvreplError, match=why):
        run(*arguments)
    assert not file.exists()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("x = = 1", "is no TOML"),
        pytest.param("a = " + "[" * 8_000, "is no TOML", id="deep"),
        pytest.param("a." * 50_000 + "a = 1", "is larger than 65,536 bytes", id="large"),
        pytest.param("a." * 5_000 + "a = 1", "it has a line of more than 8,192 characters", id="long"),
        ("colour = 1", "there is no option colour"),
        ('theme = "pink"', "theme is dark or light, not 'pink'"),
        ("ctx = 3", "ctx is a whole number, 128 or more, not '3'"),
        ("ctx = true", "ctx takes a value, not true"),
        ("plain = 3", "plain is on or off, not 3"),
    ],
)
def test_a_file_that_is_wrong_is_named(file: Path, text: str, why: str) -> None:
    file.parent.mkdir(parents=True)
    file.write_text(text)
    with pytest.raises(AdvreplError, match=f"config.toml.*{why}"):
        config.arguments(file)


def test_the_environment_goes_before_the_file(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run("model", "small")
    assert config.arguments(file) == ["--model=small"]
    monkeypatch.setenv("ADVREPL_MODEL", "large")
    assert config.arguments(file) == []


def test_every_option_of_play_can_be_set() -> None:
    assert len(config._flags()) == len(PLAY_FLAGS)
    switched = {name for name in config._flags() if config._typed(name, "1" if _takes_text(name) else "on") is True}
    assert {"ahead", "json", "kv-file", "plain", "shift"} <= switched
    assert config._typed("ban", "x.txt") == ["x.txt"] and config._typed("seed", "7") == 7


def _takes_text(name: str) -> bool:
    return "bool" not in str(config._kind(name))
