"""What is done to it, each a function that does it so many times and yields what went wrong: docs/reliability.md."""

import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from advrepl import AdvreplError
from advrepl.story import checking, saves
from advrepl.story.save_file import SaveFile
from tests import ROOT, tiny
from tests.faults.aimed import caches, decodes
from tests.faults.conditions import clocks, disks, folders, permissions, quotas
from tests.faults.outputs import outputs
from tests.faults.program import NAME, Place, Process

LINES = ("go in", "look around", "take the lamp")


def kills(folder: Path, times: int, chance: random.Random) -> Iterator[str]:
    """SIGKILL at random moments of one story: while it starts, prefills, writes, saves, or writes ahead."""
    place = Place(folder)
    for number in range(times):
        process = place.start("--ahead")
        for line in LINES:
            process.say(line)
        if number % 4:  # else it may be killed before it plays
            process.until("ready")
        time.sleep(chance.uniform(0, 1.0))
        process.child.send_signal(signal.SIGKILL)
        process.end()
        if place.story.exists():
            yield from lost(place, process)
    place.start().end()
    if left := place.left():
        yield f"left behind: {left}"


def signals(folder: Path, times: int, chance: random.Random) -> Iterator[str]:
    """SIGTERM, SIGHUP or a storm of SIGINT in a reply."""
    place = Place(folder)
    for number in range(times):
        process = place.start()
        process.until("ready")
        process.say(chance.choice(LINES))
        time.sleep(chance.uniform(0, 0.3))
        kind = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)[number % 3]
        for _ in range(1 if kind != signal.SIGINT else chance.randint(1, 8)):
            process.child.send_signal(kind)
            time.sleep(chance.uniform(0, 0.02))
        process.end()
        if "Traceback" in process.complaint:
            yield f"{kind.name}: {process.complaint[-200:]}"
        if place.story.exists():
            yield from lost(place, process)
    if left := place.left():
        yield f"left behind: {left}"


def stops(folder: Path, times: int, chance: random.Random) -> Iterator[str]:
    """SIGSTOP and SIGCONT in a reply, as when a machine sleeps."""
    place = Place(folder)
    process = place.start()
    process.until("ready")
    before = len(process.replies)
    for number in range(times):
        process.say(chance.choice(LINES))
        time.sleep(chance.uniform(0, 0.1))
        process.child.send_signal(signal.SIGSTOP)
        time.sleep(0.05)
        process.child.send_signal(signal.SIGCONT)
        if not process.until("reply", before + number + 1):
            yield f"no reply after stop {number}"
            break
    process.end()
    yield from lost(place, process)


def full(folder: Path, times: int, chance: random.Random) -> Iterator[str]:
    """No file may grow beyond some kilobytes: play goes on, it is said once, and what was on the disk still reads."""
    place = Place(folder)
    process = place.start()
    process.until("ready")
    process.say(LINES[0])
    process.until("reply", 2)
    process.end()
    for _ in range(times):
        blocks = chance.randint(1, 8)
        process = place.start("--no-kv-file", limit=f"ulimit -f {blocks}")
        process.until("ready")
        for count, line in enumerate(LINES, 1):
            process.say(line)
            if not process.until("reply", count):
                yield f"{blocks} blocks: no reply to line {count}: {process.events[-1:]}"
                break
        process.end()
        if "Traceback" in process.complaint:
            yield process.complaint[-200:]
        try:
            place.load()
        except AdvreplError as error:
            yield str(error)


def conversions(folder: Path, times: int, chance: random.Random) -> Iterator[str]:
    """Converting and quantising killed at random moments: the result is whole or not there, and nothing piles up."""
    source, out = tiny.make("llama-256", folder / "model"), folder / "out" / "x.gguf"
    code = "from advrepl.cli import main; main()"
    for _ in range(times):
        out.unlink(missing_ok=True)
        command = [sys.executable, "-c", code, "convert", str(source), "-q", "Q4_K_M", "-o", str(out)]
        child = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(chance.uniform(0.2, 1.5))
        child.kill()
        child.wait()
        time.sleep(0.2)  # for its own child, which hears of it by its pipe
        if out.exists() and tiny.logits(out, [1, 2, 3]).shape[0] != 3:
            yield "half a file was there"
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    if left := sorted(path.name for path in out.parent.iterdir() if path != out):
        yield f"left behind: {left}"


def bytes_of_a_save(folder: Path, times: int, chance: random.Random) -> Iterator[str]:
    """A save cut at each byte, and bits of it flipped: each is noticed, and what can be had is had."""
    from tests.story.test_checking import written

    good = written(folder, "one", "two", "three")
    path = folder / "a.json"
    for number in range(times):
        data = bytearray(good[: number % len(good)])
        if number >= len(good):
            data = bytearray(good)
            data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
        path.write_bytes(data)
        found = checking.check(path)
        if not found.trouble or not found.found or len(found.found.turns) != 2 or path.read_bytes() != data:
            yield f"try {number}: {found.trouble!r}, {found.source}"


def two_programs(folder: Path, times: int, chance: random.Random) -> Iterator[str]:
    """A second program on the same story: it is told, and takes nothing."""
    place = Place(folder)
    first = place.start()
    first.until("reply")
    for _ in range(times):
        second = place.start()
        if second.end() == 0 or "is being played" not in second.complaint:
            yield f"the second one came in: {second.complaint[-200:]}"
    first.say(LINES[0])
    first.until("reply", 2)
    first.end()
    yield from lost(place, first)


def lost(place: Place, process: Process) -> Iterator[str]:
    """Say which replies were shown as finished and are not on the disk, and whether the files read."""
    try:
        save = place.load()
        texts = [turn.text for turn in save.turns]
    except AdvreplError as error:
        yield str(error)
        return
    if missing := [text for text in process.replies if not any(told.startswith(text) for told in texts)]:
        yield f"lost: {missing}"
    backup = saves.backup_of(place.story)
    if backup.exists() and (wrong := saves.problem(backup)):
        yield wrong
    with SaveFile(place.saves / f"{NAME}.json"):  # no lock stays
        pass


# name -> what is done, and how often: in `make faults`, and in `make test`
ROWS: dict[str, tuple[Callable[[Path, int, random.Random], Iterator[str]], int, int]] = {
    "kills": (kills, 200, 1),
    "signals": (signals, 60, 0),
    "stops": (stops, 40, 0),
    "full": (full, 20, 1),
    "conversions": (conversions, 40, 0),
    "decodes": (decodes, 40, 0),
    "caches": (caches, 40, 1),
    "bytes": (bytes_of_a_save, 4000, 0),
    "two": (two_programs, 10, 0),
    "outputs": (outputs, 203, 0),
    "folders": (folders, 12, 0),
    "permissions": (permissions, 12, 0),
    "clocks": (clocks, 10, 0),
    "quotas": (quotas, 20, 2),
    "disks": (disks, 12, 0),  # mounts a tmpfs: as root
}
