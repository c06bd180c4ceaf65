"""`make fuzz`: each parser for so many seconds. With atheris guided by what is covered, without it by chance."""

import argparse
import random
import subprocess
import sys
import time
from importlib.util import find_spec

from tests.fuzz.targets import PARSERS, seeds, try_one

SLOW = 5.0  # seconds for one input; more is a hang


def changed(data: bytes, chance: random.Random) -> bytes:
    """Return bytes with a few places cut, doubled or replaced."""
    changed = bytearray(data)
    for _ in range(chance.randint(1, 8)):
        at, size = chance.randrange(len(changed) + 1), chance.choice((1, 1, 2, 4, 8, 64))
        kind = chance.randrange(4)
        if kind == 0:
            del changed[at : at + size]
        elif kind == 1:
            changed[at:at] = changed[at : at + size]
        elif kind == 2:
            changed[at : at + size] = chance.randbytes(size)
        else:
            changed[at : at + size] = chance.choice((b"\xff", b"\0", b"{", b"[", b'"', b"9" * 20, b"-1")) * size
    return bytes(changed)


def by_chance(name: str, seconds: float, seed: int = 21) -> int:
    """Parse changed seeds for so long, each seed itself first; return how many inputs there were."""
    chance, kept, end, tries = random.Random(seed), seeds(name), time.monotonic() + seconds, 0
    for data in kept:
        try_one(name, data)
    while time.monotonic() < end or not tries:
        data, began = changed(chance.choice(kept), chance), time.monotonic()
        try_one(name, data)
        assert time.monotonic() - began < SLOW, f"{name} took too long for {data!r}"
        tries += 1
    return tries


def main() -> int:
    """Run a process for each parser; return how many fell over."""
    parser = argparse.ArgumentParser()
    parser.add_argument("names", nargs="*")
    parser.add_argument("--seconds", type=int, default=30)
    given = parser.parse_args()
    if not find_spec("atheris"):
        for name in given.names or PARSERS:
            print(f"{name}: {by_chance(name, given.seconds)} inputs by chance, none was a fault", flush=True)
        return 0
    failed = 0
    for name in given.names or PARSERS:
        command = [sys.executable, "-m", "tests.fuzz.guided", name, str(given.seconds)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        failed += done.returncode != 0
        # What Python raised is on stdout, what libFuzzer says of it on stderr.
        told = (done.stdout + done.stderr).splitlines()[-60:] if done.returncode else done.stderr.splitlines()[-1:]
        print(f"{name}: {'a fault' if done.returncode else 'no fault'}", *told, sep="\n  ", flush=True)
    return failed


if __name__ == "__main__":
    sys.exit(main())
