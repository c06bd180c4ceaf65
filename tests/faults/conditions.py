"""Places and clocks that turn bad while a story is played: small disks, folders that go, other programs, time."""

import os
import random
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from advrepl.story import saves
from tests.faults.program import NAME, Place, Process

READY = 90  # seconds, on a busy machine
WITHOUT_RIGHTS = 'exec setpriv --bounding-set=-dac_override,-dac_read_search "$@"'
# The wall clock of the child goes back and forth by up to ten years at each look.
JUMPING = (
    "import random, time; real, chance = time.time, random.Random(1);"
    "time.time = lambda: real() + chance.uniform(-3e8, 3e8)"
)


def folders(folder: Path, times: int, chance: random.Random) -> Iterator[str]:
    """The folder of the stories is removed or becomes a file in play, or a program that copies files changes a save."""
    for number in range(times):
        place = Place(folder / str(number))
        process = place.start("--no-kv-file")
        process.until("ready", seconds=READY)
        process.say("go in")
        process.until("reply", 2)
        kind = chance.choice(list(DONE))
        DONE[kind](place)
        for count in (3, 4):
            process.say("look around")
            if not process.until("reply", count):
                yield f"{kind}: no reply"
        process.end()
        yield from (f"{kind}: {wrong}" for wrong in kept_somewhere(place, process))


def remove(place: Place) -> None:
    shutil.rmtree(place.saves)


def replace_by_a_file(place: Place) -> None:
    place.saves.rename(place.folder / "away")
    place.saves.write_text("")


def change(place: Place) -> None:
    before = place.story.read_bytes()
    place.story.write_bytes(before.replace(b'"title": "', b'"title": "another ', 1))


DONE: dict[str, Callable[[Place], None]] = {"removed": remove, "a file": replace_by_a_file, "changed": change}


def permissions(folder: Path, times: int, chance: random.Random) -> Iterator[str]:
    """The folder of the stories, or a story in it, may no longer be read or written; wants setpriv where root may."""
    for number in range(times):
        place = Place(folder / str(number))
        process = place.start("--no-kv-file", limit=WITHOUT_RIGHTS if os.geteuid() == 0 else "")
        process.until("ready", seconds=READY)
        process.say("go in")
        process.until("reply", 2)
        lost, mode = chance.choice((place.saves, place.story)), chance.choice((0, 0o400, 0o500))
        lost.chmod(mode)
        for count in (3, 4):
            process.say("look around")
            if not process.until("reply", count):
                yield f"{lost.name}, {mode:o}: no reply"
        process.end(READY)
        place.saves.chmod(0o700)
        (place.saves / f".{NAME}.lock").unlink(missing_ok=True)  # which could not be removed, and locks nobody out
        yield from (f"{lost.name}, {mode:o}: {wrong}" for wrong in kept_somewhere(place, process))


def clocks(folder: Path, times: int, chance: random.Random) -> Iterator[str]:
    """The clock jumps to and fro: replies come, all is kept, and the story is found again."""
    place = Place(folder)
    for number in range(times):
        process = place.start("--ahead", prelude=JUMPING.replace("Random(1)", f"Random({chance.randrange(1000)})"))
        process.until("ready", seconds=READY)
        process.say("go in")
        if not process.until("reply", 1 + (number == 0)):
            yield f"no reply, run {number}"
        if process.end() or "Traceback" in process.complaint:
            yield process.complaint[-200:]
        yield from kept_somewhere(place, process)


def disks(folder: Path, times: int, chance: random.Random) -> Iterator[str]:
    """A disk of its own, of some kilobytes, which becomes full in play, or on which nothing may be written any more."""
    for number in range(times):
        place = Place(folder / str(number))
        with mounted(place.saves, chance.choice((12, 24, 64))):
            process = place.start("--no-kv-file")
            if not process.until("ready", seconds=READY):
                process.end()
                if "Traceback" in process.complaint:
                    yield process.complaint[-200:]
                continue
            process.say("go in")
            process.until("reply", 2)
            if number % 2:
                for how in (["--bind", str(place.saves)], ["-o", "remount,bind,ro"]):  # the lock's file stays open
                    subprocess.run(["mount", *how, str(place.saves)], check=True)
            else:
                fill(place.saves / "other")
            for count in (3, 4):
                process.say("look around")
                if not process.until("reply", count):
                    yield f"run {number}: no reply"
            process.end()
            yield from (f"run {number}: {wrong}" for wrong in kept_somewhere(place, process))


def quotas(folder: Path, times: int, chance: random.Random) -> Iterator[str]:
    """A quota that is used up in play, and mostly given back: told at each write, or only at the flush."""
    library, source = folder / "quota.so", Path(__file__).with_name("quota.c")
    subprocess.run(["cc", "-shared", "-fPIC", "-o", str(library), str(source), "-ldl"], check=True)
    for number in range(times):
        place, at = Place(folder / str(number)), ("write", "fsync")[number % 2]
        limit = f"export LD_PRELOAD={library} QUOTA={place.folder / 'full'} QUOTA_FOLDER={place.saves} QUOTA_AT={at}"
        process = place.start("--ahead", limit=limit)
        process.until("ready", seconds=READY)
        process.say("go in")
        process.until("reply", 2)
        wrong = [*used_up(place, process, given_back=chance.random() < 0.7), *kept_somewhere(place, process)]
        yield from (f"{at}: {each}" for each in [*wrong, *(f"left behind: {name}" for name in place.left())])


def used_up(place: Place, process: Process, *, given_back: bool) -> Iterator[str]:
    """Play on while nothing may be written, then leave; say what was not told once, answered, or kept in the end."""
    full = place.folder / "full"
    full.touch()
    for count in (3, 4, 5):
        process.say("look around")
        if not process.until("reply", count):
            yield "no reply"
    told = [event["text"] for event in process.events if event["event"] == "note"]
    if ["Disk quota exceeded" in text for text in told if "only in memory" in text] != [True]:
        yield f"told {told}"
    if given_back:
        full.unlink()
        process.say("take the lamp")
        process.until("reply", 6)
    if process.end(READY):
        yield process.complaint[-200:]
    if given_back and {*process.replies} - {turn.text for turn in place.load().turns}:
        yield "the story is not in its file again"


@contextmanager
def mounted(folder: Path, kilobytes: int) -> Iterator[None]:
    """Put a small tmpfs there; wants the rights to do so."""
    command = ["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "none", str(folder)]
    subprocess.run(command, check=True)
    try:
        yield
    finally:
        while os.path.ismount(folder):
            subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(path: Path) -> None:
    """Write until nothing more fits."""
    with path.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(1024))
        except OSError:
            return


def kept_somewhere(place: Place, process: Process) -> Iterator[str]:
    """Say which replies are in no file: neither the story's, nor one that the program has named."""
    if "Traceback" in process.complaint:
        yield process.complaint[-200:]
    told = set[str]()
    for path in [*place.folder.rglob(f"{NAME}*.json"), *place.folder.rglob(f"{NAME}*.bak")]:
        if not saves.problem(path):
            told |= {turn.text for turn in saves.load(path).turns}
    if missing := [text for text in process.replies if text not in told]:
        yield f"lost: {missing}"
    read_only = place.saves.is_dir() and os.statvfs(place.saves).f_flag & os.ST_RDONLY  # where nothing can be removed
    if os.path.lexists(place.saves / f".{NAME}.lock") and not read_only:
        yield "a lock is left"
