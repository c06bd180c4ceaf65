"""Files that are whole or not there: the plug is pulled between any two steps of writing one."""

import json
import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from advrepl import atomic

OLD, NEW = b"old" * 20_000, b"new and longer" * 20_000


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "story.json"
    path.write_bytes(OLD)
    return path


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


@pytest.mark.parametrize("durable", [False, True])
def test_a_file_is_replaced_and_nothing_else_stays(file: Path, durable: bool) -> None:
    atomic.write(file, NEW, durable=durable)
    assert file.read_bytes() == NEW and names(file.parent) == {"story.json"}


def test_the_old_file_is_kept_as_backup_once_there_is_one(tmp_path: Path) -> None:
    path, backup = tmp_path / "a", tmp_path / "a.bak"
    for text in (b"1", b"2", b"3"):
        atomic.write(path, text, backup=backup)
        assert path.read_bytes() == text
    assert backup.read_bytes() == b"2" and names(tmp_path) == {"a", "a.bak"}


@pytest.mark.parametrize("error", [OSError("full"), KeyboardInterrupt(), ZeroDivisionError()])
def test_a_block_that_fails_leaves_the_old_file_and_nothing_else(file: Path, error: BaseException) -> None:
    with pytest.raises(type(error)), atomic.replacing(file, durable=True, backup=file.with_name("b")) as new:
        new.write(NEW)
        raise error
    assert file.read_bytes() == OLD and names(file.parent) == {"story.json"}


@pytest.mark.skipif(os.name == "nt", reason="files have no such modes there")
@pytest.mark.parametrize("links", [True, False])
def test_a_private_file_is_for_its_owner_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, links: bool) -> None:
    if not links:
        monkeypatch.setattr(os, "link", lambda *_: (_ for _ in ()).throw(OSError("no links here")))
    file, backup, before = tmp_path / "file", tmp_path / "file.bak", os.umask(0o022)
    try:
        for text in (b"one", b"two"):
            atomic.write(file, text, backup=backup, private=True)
        atomic.write(tmp_path / "public", b"three")
    finally:
        os.umask(before)
    modes = [path.stat().st_mode & 0o777 for path in (file, backup, tmp_path / "public")]
    assert modes == [0o600, 0o600, 0o644] and backup.read_bytes() == b"one"


def test_a_rename_that_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError):
        atomic.write(tmp_path / "folder", NEW)
    atomic.write(tmp_path / "new", OLD)
    with pytest.raises(OSError):
        atomic.write(tmp_path / "new", NEW, backup=tmp_path / "folder")
    assert names(tmp_path) == {"folder", "new"}
    with pytest.raises(OSError):
        atomic.write(tmp_path / "gone" / "new", NEW)


def test_what_lies_under_the_temporary_name_is_not_written_into(file: Path) -> None:
    """Somebody's link there would lead the new contents elsewhere; a killed program's half file is no obstacle."""
    precious = file.with_name("precious")
    precious.write_bytes(b"precious")
    file.with_name("other.tmp").symlink_to(precious)
    with atomic.replacing(file, temporary="other.tmp") as new:
        new.write(NEW)
        assert names(file.parent) == {"story.json", "precious", "other.tmp"}
    assert (file.read_bytes(), precious.read_bytes()) == (NEW, b"precious")
    assert names(file.parent) == {"story.json", "precious"}


def test_a_file_system_without_hard_links_has_backups_too(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    atomic.write(file, NEW, backup=file.with_name("story.bak"))
    assert (file.read_bytes(), file.with_name("story.bak").read_bytes()) == (NEW, OLD)
    assert names(file.parent) == {"story.json", "story.bak"}


# The plug

CHILD = """
import itertools, json, os, signal, sys
from pathlib import Path
from advrepl import atomic

path, options, old = Path(sys.argv[1]), json.loads(sys.argv[2]), Path(sys.argv[1]).read_bytes()
backup = options.get("backup") and path.with_name(options["backup"])
new = sys.stdin.buffer.read()

def write():
    with atomic.replacing(path, **options | {"backup": backup}) as file:
        for start in range(0, len(new), 100_000):
            file.write(new[start:start + 100_000])

def killed_before(stop):
    steps = itertools.count(1)
    def step(frame, event, argument):
        if frame.f_code.co_filename not in (atomic.__file__, "<string>"):
            return None
        if event == "line" and next(steps) == stop:
            os.kill(os.getpid(), signal.SIGKILL)
        return step
    sys.settrace(step)
    write()
    os._exit(0)

for stop in itertools.count(1):
    path.write_bytes(old)
    if backup:
        backup.unlink(missing_ok=True)
    child = os.fork() or killed_before(stop)
    killed = os.waitpid(child, 0)[1] == signal.SIGKILL
    kept = backup.read_bytes() == old if backup and backup.exists() else None
    print(json.dumps([killed, {old: "old", new: "new"}.get(path.read_bytes(), "torn"), kept]))
    if not killed:
        break
"""


@pytest.mark.skipif(os.name == "nt", reason="no signal ends a process at once there")
@pytest.mark.parametrize("options", [{}, {"durable": True, "backup": "story.bak"}, {"temporary": "story.json.tmp"}])
def test_killed_before_any_step_there_is_the_old_file_or_the_new_one(file: Path, options: dict[str, Any]) -> None:
    """A process is killed before each line in turn of what writes, until one comes to its end."""
    command = [sys.executable, "-c", CHILD, str(file), json.dumps(options)]
    result = subprocess.run(command, input=NEW, stdout=subprocess.PIPE, check=True, cwd=Path(__file__).parent.parent)
    *stopped, last = map(json.loads, result.stdout.splitlines())
    found = [content for _, content, _ in stopped]
    assert len(found) > 15 and found == sorted(found, reverse=True) and set(found) == {"old", "new"}
    # A backup is the old file, and is there before the new one is: none of those before did hinder the last.
    wanted = {"new": {True}, "old": {True, None}} if "backup" in options else {"new": {None}, "old": {None}}
    assert all({kept for _, content, kept in stopped if content == key} == value for key, value in wanted.items())
    assert last == [False, "new", True if "backup" in options else None]
    # What was left half-written is hidden, or was taken by the last.
    assert {name for name in names(file.parent) if not name.startswith(".")} <= {"story.json", "story.bak"}


def test_a_power_failure_finds_contents_on_the_disk_before_names(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In this order, and with nothing else in between: no name may lead to contents that are not on the disk yet."""
    done: list[str] = []

    def told(module: Any, name: str, say: Any) -> None:
        real = getattr(module, name)

        def call(*args: Any) -> Any:
            result = real(*args)
            done.append(say(*args))
            return result

        monkeypatch.setattr(module, name, call)

    told(os, "fsync", lambda number: "sync folder" if stat.S_ISDIR(os.fstat(number).st_mode) else "sync file")
    told(os, "link", lambda path, link: "link")
    told(Path, "replace", lambda path, target: f"rename to {target.name}")
    atomic.write(file, NEW, durable=True, backup=file.with_name("story.bak"))
    assert done == ["sync file", "link", "rename to story.bak", "rename to story.json"]
    done.clear()
    atomic.write(file, NEW)
    assert done == ["rename to story.json"]
