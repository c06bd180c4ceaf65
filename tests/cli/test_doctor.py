"""`advrepl doctor`: what is wrong is told with what mends it."""

from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from advrepl.cli.commands import app
from advrepl.engines import installed
from tests import ROOT
from tests.story.test_checking import written


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ADVREPL_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PYTHONUTF8", "1")
    return tmp_path / "home"


def run(saves: Path) -> Result:
    return CliRunner().invoke(app(), ["doctor", "--saves", str(saves)], catch_exceptions=False)


def test_all_is_well_where_nothing_is_wrong(tmp_path: Path) -> None:
    result = run(ROOT / "saves")
    assert result.exit_code == 0 and result.output.endswith("All is well.\n"), result.output
    for told in ("llama-cpp-python", "SmolLM2-135M", "cores", "colors", "in "):
        assert told in result.output


def test_each_thing_that_is_wrong_has_its_mend(home: Path, tmp_path: Path) -> None:
    (home / "models" / ".incoming" / "owner--name").mkdir(parents=True)
    (home / "models" / "broken.gguf").write_bytes(b"GGUF\x03")
    (home / "config.toml").write_text("them = 1\n")
    (tmp_path / "torn.json").write_text('{"schema": 2')
    result = run(tmp_path)
    text = " ".join(result.output.split())
    assert result.exit_code == 1 and "4 of these are to be mended." in text
    for told in ("there is no option them", "remove", "owner/name is not whole", "nothing of it can be recovered"):
        assert told in text


def test_a_story_that_was_changed_is_told_as_saves_check_tells_it(tmp_path: Path) -> None:
    data = bytearray(written(tmp_path, "one", "two", "three"))
    data[data.index(b"two")] ^= 1  # it still reads
    (tmp_path / "a.json").write_bytes(data)
    said = " ".join(run(tmp_path).output.split())
    checked = CliRunner().invoke(app(), ["saves", "check", "--saves", str(tmp_path)]).output.splitlines()
    assert "is not what was written" in checked[0] and "can be had, 2 turns" in checked[1]
    assert all(" ".join(line.split()) in said for line in checked), said


def test_without_a_model_it_says_how_to_get_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(installed, "STARTER", "no-such-distribution")
    assert "models --known" in run(tmp_path).output
