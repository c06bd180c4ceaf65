"""`advrepl saves import` and `export` as commands."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from advrepl.cli.commands import app
from advrepl.story import saves
from tests import exchange_chats as chats


def run(*arguments: object, code: int = 0) -> str:
    result = CliRunner().invoke(app(), ["saves", *map(str, arguments)])
    assert result.exit_code == code, result.output
    return result.output


def test_a_story_is_imported_and_exported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "evening.jsonl").write_text(chats.SILLYTAVERN)
    folder = ("--saves", tmp_path / "saves")
    assert "evening.json: " in run("import", "evening.jsonl", *folder)
    before = (tmp_path / "saves" / "evening.json").read_bytes()
    assert "evening.json has this story already: " in run("import", "evening.jsonl", *folder)
    (tmp_path / "evening.jsonl").write_text(chats.SILLYTAVERN.replace("I do.", "I do not."))
    assert "evening-2.json: " in run("import", "evening.jsonl", *folder), "a story is never replaced"
    assert (tmp_path / "saves" / "evening.json").read_bytes() == before
    for form, name in (("sillytavern", "evening.jsonl"), ("kobold", "evening.json"), ("html", "evening.html")):
        (tmp_path / name).unlink(missing_ok=True)
        assert run("export", "evening", "--as", form, *folder) == f"written to {name}\n"
        if form != "html":
            run("import", name, "--name", form, *folder)
            again, first = (saves.load(tmp_path / "saves" / f"{each}.json") for each in (form, "evening"))
            assert [turn.text for turn in again.turns][-2:] == [turn.text for turn in first.turns][-2:]


def test_a_folder_is_taken_with_a_list_of_what_was_not(tmp_path: Path) -> None:
    source = tmp_path / "chats"
    (source / "Mira").mkdir(parents=True)
    for number in range(20):
        (source / "Mira" / f"chat {number}.jsonl").write_text(chats.SILLYTAVERN)
    (source / "notes.txt").write_text("milk, eggs")
    (source / "bad.json").write_text('{"internal": [["a"]]}')
    output = run("import", source, "--saves", tmp_path / "saves")
    assert "20 stories taken from 22 files" in output and "not taken: 2" in output
    assert "internal[0] has 1 texts and should have two" in output
    assert "taken, but not all of it: 40\n  chat-0.json: 1 broken line left out\n" in output
    assert len(list((tmp_path / "saves").glob("*.json"))) == 20
    assert "0 stories taken from 22 files" in (again := run("import", source, "--saves", tmp_path / "saves"))
    assert "there already: 20" in again and len(list((tmp_path / "saves").glob("*.json"))) == 20


def test_a_name_that_is_not_quite_right_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "The Evening.jsonl").write_text(chats.SILLYTAVERN)
    folder = ("--saves", tmp_path / "saves")
    run("import", "The Evening.jsonl", *folder)
    for command in (("show", "evening"), ("check", "the_evening"), ("export", "even", "--as", "text")):
        assert "is taken for the-evening" in run(*command, *folder)


def test_of_a_file_each_story_is_taken_whole_or_not_at_all(tmp_path: Path) -> None:
    path, saves = tmp_path / "two.json", tmp_path / "saves"
    path.write_text('{"stories": [{"actions": [{"text": "a"}]}, {"actions": [{"text": "b"}, {"text": []}]}]}')
    told = run("import", path, "--saves", saves)
    assert f"not taken: {path}: stories[1]: actions[1].text is a list and should be a text" in told
    assert [each.name for each in saves.glob("*.json")] == ["two.json"]
    path.write_text('{"stories": [{"actions": []}, {"actions": [{"text": []}]}]}')
    result = CliRunner().invoke(app(), ["saves", "import", str(path), "--saves", str(tmp_path / "none")])
    assert "stories[0] has no message with words in it" in str(result.exception)
    assert not (tmp_path / "none").exists()
