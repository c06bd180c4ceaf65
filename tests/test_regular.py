"""Files that are none: pipes, devices, links to nowhere, names that no file can have. Nobody waits for any."""

import os
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from advrepl import AdvreplError, regular
from advrepl.cards.read import load_card
from advrepl.cli.saves import app
from advrepl.engines.files import check_file
from advrepl.engines.kv import file as kv_file
from advrepl.engines.llama.log import Log
from advrepl.prompt import bans
from advrepl.sampling import presets
from advrepl.story import saves
from advrepl.story.save_file import SaveFile
from advrepl.terminal.history import History
from convert.foreign import NotJson, read_json
from tests.story.test_saves import a_save

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="has no such files")


def odd_files(folder: Path, ending: str) -> list[Path]:
    pipe, device, dangling, loop, inside = (
        folder / f"{name}{ending}" for name in ("pipe", "device", "nowhere", "loop", "folder")
    )
    os.mkfifo(pipe)
    device.symlink_to("/dev/zero")
    dangling.symlink_to(folder / "gone")
    loop.symlink_to(loop)
    inside.mkdir()
    return [pipe, device, dangling, loop, inside]


def test_what_is_no_file_is_an_error_of_the_system(tmp_path: Path) -> None:
    for path in (*odd_files(tmp_path, ""), tmp_path / ("x" * 300)):
        with pytest.raises(OSError):
            regular.read(path)
        assert not regular.is_there(path)
    (tmp_path / "link").symlink_to(tmp_path / "file")
    (tmp_path / "file").write_text("four")
    assert regular.read(tmp_path / "link", 4) == b"four" and regular.is_there(tmp_path / "link")
    with pytest.raises(OSError, match="larger than 3 bytes"):
        regular.read(tmp_path / "link", 3)
    assert not regular.is_there(tmp_path / "a\0b")


@pytest.mark.parametrize(
    ("read", "ending"),
    [(saves.load, ".json"), (presets.read, ".json"), (load_card, ".png"), (check_file, ".gguf"), (bans.load, ".txt")],
)
def test_every_reader_says_so_in_a_sentence(read, ending: str, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    for path in odd_files(tmp_path, ending):
        with pytest.raises(AdvreplError, match=path.name):
            read(path)


def test_readers_of_json_and_caches_do_not_wait_either(tmp_path: Path) -> None:
    for path in odd_files(tmp_path, ".json"):
        with pytest.raises((OSError, NotJson)):
            read_json(path, 1000)
        with pytest.raises(kv_file.UnusableError):
            kv_file.read(path, kv_file.KvKey("", "", ""))


def test_lines_and_logs_are_kept_in_memory_or_let_go_there(tmp_path: Path) -> None:
    for path in odd_files(tmp_path, ""):
        lines = History(path)
        lines.store_string("look")
        assert list(lines.load_history_strings()) in ([], ["look"])  # a link to nowhere is made a file
        os.close(Log(path)._file)


def test_what_takes_the_place_of_a_story_while_it_is_played_is_put_aside(tmp_path: Path) -> None:
    for number, odd in enumerate(odd_files(tmp_path, ".odd")):
        with SaveFile(tmp_path / f"{number}.json") as file:
            file.write(a_save("one"))
            file.path.unlink()
            odd.rename(file.path)
            file.write(a_save("one", "two"))
            assert saves.load(file.path).turns == a_save("one", "two").turns


def test_the_list_of_stories_leaves_them_out(tmp_path: Path) -> None:
    odd_files(tmp_path, ".json")
    told = CliRunner().invoke(app, ["list", "--saves", str(tmp_path)])
    assert told.exit_code == 0 and "There is no story" in told.output
