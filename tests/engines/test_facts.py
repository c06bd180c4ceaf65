"""What was found out about a model file is remembered while it stays that file."""

import json
import os
from pathlib import Path

import pytest

from advrepl import paths
from advrepl.engines import facts, models
from tests import architectures


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ADVREPL_HOME", str(tmp_path / "home"))
    path = tmp_path / "model.gguf"
    path.write_bytes(b"GGUF")
    return path


def test_facts_of_a_file_stand_beside_each_other(file: Path) -> None:
    assert facts.recall(file, "format") is None
    facts.remember(file, "format", "metharme")
    facts.remember(file, "loads", True)
    assert facts.recall(file, "format") == "metharme" and facts.recall(file, "loads") is True
    if os.name == "posix":
        assert paths.model_facts().stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("data", [b"GGUG", b"GGUF, and longer"])
def test_a_file_that_was_changed_has_none(file: Path, data: bytes) -> None:
    facts.remember(file, "format", "metharme")
    facts.remember(file, "loads", True)
    changed = file.stat().st_mtime_ns + 1_000_000_000
    file.write_bytes(data)
    os.utime(file, ns=(changed, changed))
    assert facts.recall(file, "format") is None
    facts.remember(file, "loads", True)
    assert facts.recall(file, "format") is None, "of the file that was there before"


@pytest.mark.parametrize("text", ["", "[]", "{", '{"%s": 1}', '{"%s": {"format": "chat"}}', "[" * 100_000])
def test_a_damaged_list_says_nothing_and_is_written_anew(file: Path, text: str) -> None:
    kept = paths.model_facts()
    kept.parent.mkdir()
    kept.write_text(text.replace("%s", str(file)))
    assert facts.recall(file, "format") is None
    facts.remember(file, "format", "chat")
    assert facts.recall(file, "format") == "chat"


def test_the_oldest_are_forgotten(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(facts, "MOST", 3)
    for number in range(5):
        facts.remember(file.with_name(f"{number}.gguf"), "format", "chat")
    assert [Path(name).stem for name in json.loads(paths.model_facts().read_bytes())] == ["2", "3", "4"]


def test_where_nothing_can_be_kept_it_is_found_out_again(file: Path) -> None:
    paths.home().write_text("a file where the folder should be")
    facts.remember(file, "format", "chat")
    assert facts.recall(file, "format") is None


def test_a_model_that_can_be_played_is_read_once(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = architectures.make("llama", file.parent)
    models.check_playable(path)
    told = models.format_told(path)
    monkeypatch.setattr("advrepl.engines.llama.header.GgufHeader", None)
    models.check_playable(path)
    assert told and models.format_told(path) == told


def test_what_is_found_out_name_by_name_is_there_the_next_time(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(facts, "MOST", 3)
    leads = facts.Kept(file, "leads")
    for number, name in enumerate("abcd"):
        leads[name] = number
    assert leads == facts.Kept(file, "leads") == {"b": 1, "c": 2, "d": 3}
    facts.remember(file, "leads", {"a": -1, "b": "1", "c": True, "d": 1.0, "e": 2})
    assert facts.Kept(file, "leads") == {"e": 2}
    facts.remember(file, "leads", [1])
    assert facts.Kept(file, "leads") == {}
