"""`advrepl saves`: stories that can be told apart at any width, and their names."""

from datetime import datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

from advrepl import AdvreplError
from advrepl.cli import saves as command
from advrepl.cli import tables
from advrepl.story import renaming, saves
from advrepl.story.glance import find, glance, when
from advrepl.story.save_file import SaveFile
from advrepl.story.scenario import START
from advrepl.story.tree import Turn

TOLD = "The door opens.\nAn old man looks at you.\n- Greet him.\n- Run.\n- Wait."


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two stories of one title, with a cache beside the first."""
    for name, last in (("start", Turn(None, "model", TOLD)), ("start-2", Turn(None, "user", "I knock."))):
        model = saves.ModelRef("SmolLM2-135M-Instruct.Q4_1")
        save = saves.Save(saves.SCHEMA, START.title, "", model, "chat", {}, START, [last], 0)
        with SaveFile(tmp_path / f"{name}.json") as file:
            file.write(save)
            file.write(save)
    (tmp_path / "start.kv").write_bytes(b"cache")
    return tmp_path


def printed(folder: Path, width: int, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.setattr(command, "screen_width", lambda: width)
    result = CliRunner().invoke(command.app, ["list", "--saves", str(folder)], catch_exceptions=False)
    return result.output.splitlines()


@pytest.mark.parametrize("width", [40, 80, 200, tables.ENDLESS])
def test_stories_of_one_title_can_be_told_apart(folder: Path, width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = printed(folder, width, monkeypatch)
    assert max(map(len, lines)) <= width
    names = [line.split()[0] for line in lines]
    assert {"start", "start-2"} <= set(names), "no name is folded"
    below = lines[names.index("start") :]
    assert "    An old man looks at you." in below, "the last words, without the options"
    assert any("SmolLM2-135M-Instruct.Q4_1" in line for line in lines)


def test_a_renamed_story_takes_what_belongs_to_it_along(folder: Path) -> None:
    before = (folder / "start.json").read_bytes()
    assert renaming.rename(folder / "start.json", "the manor") == folder / "the manor.json"
    left = {path.name for path in folder.iterdir()}
    assert left == {"the manor.json", "the manor.json.bak", "the manor.kv", "start-2.json", "start-2.json.bak"}
    assert (folder / "the manor.json").read_bytes() == before


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("start", "start-2", "there is a story start-2 already"),
        ("start", "start", "there is a story start already"),
        ("start", "../x", "cannot be the name of a story"),
        ("gone", "here", "there is no story"),
    ],
)
def test_a_name_that_will_not_do_changes_nothing(folder: Path, old: str, new: str, why: str) -> None:
    before = sorted(folder.iterdir())
    with pytest.raises(AdvreplError, match=why):
        renaming.rename(folder / f"{old}.json", new)
    assert sorted(folder.iterdir()) == before


def test_a_story_that_is_played_keeps_its_name(folder: Path) -> None:
    with SaveFile(folder / "start.json"), pytest.raises(AdvreplError, match="is being played"):
        renaming.rename(folder / "start.json", "other")


def test_what_cannot_be_read_is_listed_with_its_problem(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "broken.json").write_text("{")
    lines = printed(folder, 80, monkeypatch)
    assert "damaged" in " ".join(lines[lines.index("broken") :])


@pytest.mark.parametrize("parent", [0, 1, 7])
def test_a_look_at_a_tree_that_is_none_ends(folder: Path, parent: int) -> None:
    (path := folder / "loop.json").write_text(
        f'{{"schema": 2, "title": "x", "head": 0, "turns": [{{"parent": {parent}, "role": "user", "text": ""}}]}}'
    )
    assert not glance(path).readable


def test_a_look_sees_what_reading_sees(folder: Path) -> None:
    for path in find(folder):
        save, seen = saves.load(path), glance(path)
        assert (seen.title, seen.turns, seen.model) == (save.title, len(save.turns), save.model.name)


def test_a_time_is_told_as_people_do() -> None:
    now = datetime(2026, 3, 1, 9, 0).astimezone()
    said = [when(datetime(*at).astimezone().isoformat(), now) for at in ((2026, 3, 1, 8, 5), (2026, 2, 28, 23, 0))]
    assert said == ["today 08:05", "yesterday 23:00"]
    assert when(datetime(2026, 2, 27, 23, 0).astimezone().isoformat(), now) == "2026-02-27"
    assert when("once", now) == "once"


@pytest.mark.parametrize("stamp", ["9999-12-31T23:59:59-23:00", "0001-01-01T00:00:00+14:00", "soon"])
def test_a_time_that_is_none_is_shown_as_it_is(stamp: str) -> None:
    assert when(stamp) == stamp


def test_a_story_is_shown_as_words_or_as_the_page_that_export_writes(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    run = CliRunner()
    shown = run.invoke(command.app, ["show", "start", "--saves", str(folder)]).output
    assert shown.startswith("The old house\n\nThe door opens.") and "\n3. Wait.\n" in shown
    run.invoke(command.app, ["export", "start", "--as", "html", "-o", "page.html", "--saves", str(folder)])
    page = run.invoke(command.app, ["show", "start", "--html", "--saves", str(folder)]).output
    assert page.startswith("<!") and page.rstrip("\n") == Path("page.html").read_text().rstrip("\n")
