"""Saves: whole or not at all, never overwritten unread, one program a story."""

import errno
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from advrepl import AdvreplError
from advrepl.story import save_file, saves
from advrepl.story.save_file import SaveFile
from advrepl.story.saves import ModelRef, Save
from advrepl.story.scenario import START
from advrepl.story.tree import Turn
from tests import ROOT

SHIPPED = ROOT / "saves" / "the-old-house.json"


def a_save(*texts: str) -> Save:
    turns = [Turn(i - 1 if i else None, "user" if i % 2 == 0 else "model", text) for i, text in enumerate(texts)]
    head = len(turns) - 1 if turns else None
    return Save(saves.SCHEMA, "T", saves.now(), ModelRef("m", "f"), "metharme", {"top_k": 3}, START, turns, head)


def test_a_story_comes_back_as_it_was(tmp_path: Path) -> None:
    save = a_save("Start!", "A house \N{SNOWMAN}\x1b[31m")
    with SaveFile(tmp_path / "a.json") as file:
        file.write(save)
    read = saves.load(tmp_path / "a.json")
    assert msgspec.structs.replace(read, updated=save.updated) == save  # writing may begin another second
    plain = json.loads((tmp_path / "a.json").read_text())
    assert plain["schema"] == 2 and plain["turns"][0] == {"parent": None, "role": "user", "text": "Start!"}


def test_the_version_before_is_kept(tmp_path: Path) -> None:
    with SaveFile(tmp_path / "a.json") as file:
        file.write(a_save("one"))
        file.write(a_save("two"))
    assert saves.load(tmp_path / "a.json.bak").turns[0].text == "one"
    assert {path.name for path in tmp_path.iterdir()} == {"a.json", "a.json.bak"}


def test_the_shipped_story_is_the_example_of_the_model_card() -> None:
    save = saves.load(SHIPPED)
    assert [turn.text for turn in save.turns[:3:2]] == ["Start!", "go inside"]
    assert save.turns[1].text == START.opening and save.scenario.system == START.system


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: s.update(schema=3), r"newer advrepl \(schema 3, this one knows 2\): update"),
        (lambda s: s.pop("schema"), "no schema number"),
        (lambda s: s.update(schema="1"), "no schema number"),
        (lambda s: s.pop("turns"), "missing required field `turns`"),
        (lambda s: s["turns"][0].update(text=3), r"expected `str`, got `int` - at `\$.turns\[0\].text`"),
        (lambda s: s["turns"][0].update(role="gm"), r"invalid enum value 'gm' - at `\$.turns\[0\].role`"),
        (lambda s: s["turns"][1].update(parent=1), r"turns\[1\].parent names a turn that is not before it"),
        (lambda s: s.update(head=9), "head names turn 9 of 2"),
        (lambda s: s.update(window_start=-1), "window_start is negative"),
    ],
)
def test_a_wrong_field_is_named(change, message: str) -> None:  # type: ignore[no-untyped-def]
    plain = msgspec.to_builtins(a_save("a", "b"))
    change(plain)
    with pytest.raises(AdvreplError, match=rf"x\.json .*{message}"):
        saves.parse(json.dumps(plain).encode(), "x.json")


@given(st.binary(max_size=200) | st.sampled_from([b"", b"[]", b"null", b"{}", b"\xff\xfe", b'{"schema":1e99}']))
def test_any_bytes_are_a_story_or_one_sentence(data: bytes) -> None:
    with pytest.raises(AdvreplError, match=r"^x .+"):
        saves.parse(data, "x")


def test_a_damaged_story_goes_on_from_its_backup_and_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    with SaveFile(path) as file:
        file.write(a_save("one"))
        file.write(a_save("two"))
        path.write_bytes(path.read_bytes()[:100])
        save, notice = file.load()
        file.write(save)
    assert save.turns[0].text == "one"
    assert "damaged" in notice and "a-damaged.json.txt" in notice
    assert len((tmp_path / "a-damaged.json.txt").read_bytes()) == 100


def test_a_story_of_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text('{"schema": 99}')
    (tmp_path / "a.json.bak").write_bytes(msgspec.json.encode(a_save("old")))
    with SaveFile(path) as file, pytest.raises(AdvreplError, match="newer advrepl"):
        file.load()
    assert path.read_text() == '{"schema": 99}'


def test_a_second_program_is_told_who_holds_the_story(tmp_path: Path) -> None:
    with SaveFile(tmp_path / "a.json") as file:
        file.write(a_save("one"))
        with pytest.raises(AdvreplError, match=rf"being played by process {os.getpid()} on "):
            SaveFile(tmp_path / "a.json")
        with pytest.raises(AdvreplError, match="being played"):
            save_file.delete(tmp_path / "a.json")
    SaveFile(tmp_path / "a.json").close()


def test_stories_that_begin_at_once_in_two_windows_get_names_of_their_own(tmp_path: Path) -> None:
    with SaveFile.of_new(tmp_path, "start") as first, SaveFile.of_new(tmp_path, "start") as second:
        assert [first.path.name, second.path.name] == ["start.json", "start-2.json"]  # and neither is written yet
        second.write(a_save("two"))
        with SaveFile.of_new(tmp_path, "start") as third:
            assert third.path.name == "start-3.json"


@pytest.mark.skipif(sys.platform == "win32", reason="stands in for flock")
@pytest.mark.parametrize("code", [errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS])
def test_a_folder_that_knows_no_locks_is_played_in_by_one_program_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    import fcntl

    def flock(*_: object) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(fcntl, "flock", flock)
    path = tmp_path / "a.json"
    for _ in range(2):
        with SaveFile(path) as file:
            file.write(a_save("one"))
            with pytest.raises(AdvreplError, match=f"is being played by process {os.getpid()} on "):
                SaveFile(path)
    assert [each.name for each in tmp_path.iterdir() if each.name.startswith(".")] == []


@pytest.mark.skipif(sys.platform == "win32", reason="stands in for flock")
def test_a_soft_lock_of_a_dead_process_is_taken_and_that_of_another_machine_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import fcntl

    def flock(*_: object) -> None:
        raise OSError(errno.ENOLCK, "")

    monkeypatch.setattr(fcntl, "flock", flock)
    soft = tmp_path / ".a.soft.lock"
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    soft.write_text(f"{ended.pid}\n{socket.gethostname()}\n")
    with SaveFile(tmp_path / "a.json"):
        pass
    soft.write_text("1234\nelsewhere\n")
    with pytest.raises(AdvreplError, match=r"process 1234 on elsewhere.*or remove .*\.a\.soft\.lock if nobody does"):
        SaveFile(tmp_path / "a.json")


@pytest.mark.parametrize("count", [-1, 9, 10**9, 10**30])
def test_more_options_than_can_be_asked_for_are_a_damage(count: int) -> None:
    plain = json.loads(saves.encode(a_save("one")))
    plain["scenario"]["options"] = count
    with pytest.raises(AdvreplError, match=r"is damaged: .*scenario\.options"):
        saves.parse(json.dumps(plain).encode(), "a.json")


TAKER = """
import sys, time
from pathlib import Path
from advrepl import AdvreplError
from advrepl.story.save_file import SaveFile
path, inside, taken = Path(sys.argv[1]), Path(sys.argv[2]), 0
while taken < 60:
    try:
        with SaveFile(path):
            inside.mkdir()  # fails if anybody else is in here
            inside.rmdir()
            taken += 1
    except AdvreplError:
        pass
"""


def test_programs_that_take_a_story_in_turns_never_have_it_at_once(tmp_path: Path) -> None:
    command = [sys.executable, "-c", TAKER, str(tmp_path / "a.json"), str(tmp_path / "inside")]
    takers = [subprocess.Popen(command, stderr=subprocess.PIPE) for _ in range(3)]
    assert [taker.communicate(timeout=120)[1] for taker in takers] == [b""] * 3
    assert not list(tmp_path.iterdir()), "no lock file is left"


def test_delete_takes_what_belongs_to_the_story(tmp_path: Path) -> None:
    with SaveFile(tmp_path / "a.json") as file:
        file.write(a_save("one"))
        file.write(a_save("two"))
    (tmp_path / "a.kv").write_bytes(b"cache")
    (tmp_path / "a.kv.tmp").write_bytes(b"half a ca")
    (tmp_path / "ab.json").write_bytes(b"another story")
    save_file.delete(tmp_path / "a.json")
    assert [path.name for path in saves.find(tmp_path)] == ["ab.json"]
    assert {path.name for path in tmp_path.iterdir()} == {"ab.json"}


def test_a_folder_that_is_a_file_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(AdvreplError, match=r"cannot be written .*--saves"):
        SaveFile(tmp_path / "file" / "a.json")


@pytest.mark.parametrize("name", ["../x", "a/b", "", ".hidden", "x" * 200, "a\x1b[31m", "dot.", "CON", "nul", "com1.x"])
def test_names_cannot_leave_the_folder(name: str) -> None:
    with pytest.raises(AdvreplError, match="cannot be the name of a story"):
        saves.check_name(name)


WRITER = """
import sys
from pathlib import Path
from tests.story.test_saves import a_save
from advrepl.story.save_file import SaveFile
file = SaveFile(Path(sys.argv[1]))
number = 0
while True:
    number += 1
    file.write(a_save(*[f"{number} " + "x" * 5000] * 20))
    print(number, flush=True)
"""


def test_a_killed_program_leaves_a_whole_story(tmp_path: Path) -> None:
    """Kill it at ten random moments of its writing: what is on disk is the last version or the one before."""
    path = tmp_path / "a.json"
    for attempt in range(10):
        process = subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        done = int(process.stdout.readline())
        time.sleep(0.003 * attempt)
        process.send_signal(signal.SIGKILL)
        done = max([done, *map(int, process.stdout.read().split())])
        process.wait()
        process.stdout.close()
        with SaveFile(path) as file:
            save, notice = file.load()
        assert notice == "" and int(save.turns[0].text.split()[0]) >= done


def test_what_is_no_story_is_not_deleted(tmp_path: Path) -> None:
    path = tmp_path / "package.json"
    path.write_text('{"name": "x"}')
    with pytest.raises(AdvreplError, match="is no story of advrepl: nothing is removed"):
        save_file.delete(path)
    assert path.exists()
    path.write_bytes(saves.encode(a_save("one"))[:300])  # a story that was cut short
    save_file.delete(path)
    assert not list(tmp_path.iterdir())


def test_a_save_that_is_a_link_stays_one(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    link, real = tmp_path / "a.json", tmp_path / "real" / "b.json"
    link.symlink_to(real)
    with SaveFile(link) as file:
        file.write(a_save("one"))
        with pytest.raises(AdvreplError, match="is being played"):
            SaveFile(real)
    assert link.is_symlink() and saves.load(real).turns[0].text == "one"


def test_what_another_program_wrote_meanwhile_is_kept(tmp_path: Path) -> None:
    path, other = tmp_path / "a.json", saves.encode(a_save("from another computer"))
    with SaveFile(path) as file:
        assert file.keep(a_save("one")) == ()
        path.write_bytes(other)
        assert file.keep(a_save("two")) == (
            f"{path} was changed by another program: its version is kept as a-other.json",
        )
        assert file.keep(a_save("three")) == ()
        os.utime(path)  # touched, and not changed
        assert file.keep(a_save("four")) == ()
    assert (tmp_path / "a-other.json").read_bytes() == other
    assert {each.name for each in tmp_path.iterdir()} == {"a.json", "a.json.bak", "a-other.json"}
    assert saves.load(path).turns[0].text == "four"
    with SaveFile(path) as file:
        file.load()
        path.write_bytes(other)
        assert file.keep(a_save("five"))
    assert (tmp_path / "a-other-2.json").read_bytes() == other


def test_what_a_killed_program_left_is_swept(tmp_path: Path) -> None:
    left = [tmp_path / name for name in (".a.json.99.tmp", ".a.json.bak.99.tmp")]
    others = [tmp_path / name for name in (".ab.json.99.tmp", ".b.json.99.tmp", "a.json.tmp")]
    for path in (*left, *others):
        path.write_text("half a story")
    SaveFile(tmp_path / "a.json").close()
    assert sorted(tmp_path.iterdir()) == sorted(others)


@settings(deadline=None)  # it writes files, which takes long on a busy machine
@given(st.integers(0, 400))
def test_what_is_whole_of_a_cut_story_goes_on(tmp_path_factory: pytest.TempPathFactory, cut: int) -> None:
    save, folder = a_save("one", "two { ] \\", "three"), tmp_path_factory.mktemp("cut")
    path, data = folder / "a.json", saves.encode(save)
    path.write_bytes(data[: len(data) - cut])
    whole = data[: len(data) - cut].count(b'"text": ')
    with SaveFile(path) as file:
        try:
            found, notice = file.load()
        except AdvreplError:
            assert whole <= 1
            return
    if found == msgspec.structs.replace(save, updated=found.updated):
        return
    assert found.turns == save.turns[: len(found.turns)] and found.head == len(found.turns) - 1
    assert whole - 1 <= len(found.turns) <= whole
    assert f"what could be read of it goes on, {saves.length(found)}" in notice
    assert (folder / "a-damaged.json.txt").read_bytes() == data[: len(data) - cut]


def test_a_file_of_brackets_is_no_story(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("[" * 100_000)
    with pytest.raises(AdvreplError, match="is no story of advrepl"):
        saves.load(tmp_path / "a.json")
