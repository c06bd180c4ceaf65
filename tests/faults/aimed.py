"""Kills that hit what is written besides the story: the files of `decode`, and the cache file."""

import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from tests import ROOT
from tests.convert.decode.made import Release
from tests.faults.program import NAME, Place

SIZE = 3 << 20  # bytes of a file that is decoded
SOON = 60  # seconds until a file is begun, on a busy machine
# The process ends in the middle of its n-th write to the cache file, of which a part is there.
CUT = """
import os, signal
from advrepl.engines.kv import file as cache
real, left = cache.write_all, [{number}]
def write_all(file, data):
    left[0] -= 1
    if left[0] <= 0:
        real(file, bytes(data)[: int(len(data) * {share})])
        os.kill(os.getpid(), signal.SIGKILL)
    return real(file, data)
cache.write_all = write_all
pass"""


def decodes(folder: Path, times: int, chance: random.Random) -> Iterator[str]:
    """Decoding killed while a file is written: what has its name is whole, and the next run makes all and sweeps."""
    release = Release(folder)
    release.out.mkdir()
    for name in ("a.bin", "b.bin", "c.bin"):
        release.add(name, chance.randbytes(SIZE), chance.randbytes(SIZE))
    code = "from advrepl.cli import main; main()"
    command = [sys.executable, "-c", code, "decode", *map(str, (release.xor, release.base, release.out))]
    for _ in range(times):
        for path in release.out.glob("[!.]*"):
            if chance.random() < 0.5:
                path.unlink()
        child = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        end = time.monotonic() + SOON
        while not list(release.out.glob(".*.part")) and child.poll() is None and time.monotonic() < end:
            time.sleep(0.0005)
        time.sleep(chance.uniform(0, 0.02))
        child.kill()
        child.wait()
        yield from (f"{name} was cut" for name, data in release.results().items() if data != release.expected[name])
    subprocess.run(command, cwd=ROOT, check=False, capture_output=True)
    if release.results() != release.expected:
        yield "the last run did not make all"
    if left := sorted(path.name for path in release.out.glob(".*.part")):
        yield f"left behind: {left}"


def caches(folder: Path, times: int, chance: random.Random) -> Iterator[str]:
    """A kill in the middle of a write to the cache file: no turn is lost, and it is read as far as it is whole."""
    from tests.faults.rows import LINES, lost

    place = Place(folder)
    for number in range(times):
        cut = CUT.format(number=chance.randint(1, 30), share=chance.random())
        process = place.start(prelude=cut)
        for line in LINES:
            process.say(line)
        if process.end(90) not in (0, -signal.SIGKILL):
            yield f"run {number}: {process.complaint[-200:]}"
        if place.story.exists():
            yield from lost(place, process)
    process = place.start()
    process.say(LINES[0])
    if not process.until("reply") or process.end():
        yield "the story does not go on"
    if left := place.left():
        yield f"left behind: {left}"
    if not (place.saves / f"{NAME}.kv").exists():
        yield "no cache file is left"
