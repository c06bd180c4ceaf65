"""`make soak`: one process plays 2,000 turns and writes ahead; its memory, handles and pace are looked at meanwhile."""

import sys
import tempfile
import time
from pathlib import Path

import psutil

from tests.faults.program import Place
from tests.faults.rows import LINES

TURNS, SETTLED, EACH = 2000, 200, 100
# The turns before which the player thinks for so many seconds: what has slid is read anew then, in cells of its own,
# for which llama.cpp takes some more of its buffers into use.
THOUGHT, SECONDS = range(102, 200, 3), 0.4
GROWTH = 1.05  # of the memory in use after turn 200


def open_handles(process: psutil.Process) -> int:
    """Return how many stay open: a file that is just being written is not meant."""
    counts = list[int]()
    for _ in range(20):
        counts.append(process.num_fds())
        time.sleep(0.01)
    return min(counts)


def main(turns: int = TURNS) -> int:
    """Print a line for each hundred turns, and what came of it; return 1 where it grows."""
    with tempfile.TemporaryDirectory() as folder:
        process = Place(Path(folder)).start("--ahead")
        process.until("ready")
        known = psutil.Process(process.child.pid)
        used, handles, worked, began = dict[int, int](), dict[int, int](), [0.0], time.monotonic()
        for turn in range(1, turns + 1):
            if turn in THOUGHT:
                time.sleep(SECONDS)
            process.say(f"{LINES[turn % len(LINES)]} {turn}")
            if not process.until("reply", turn):
                print(f"no reply to turn {turn}: {process.events[-1:]}")
                return 1
            if turn % EACH == 0:
                used[turn], handles[turn] = known.memory_full_info().uss, open_handles(known)
                worked.append(sum(known.cpu_times()[:2]))
                pace, began = (time.monotonic() - began) / EACH, time.monotonic()
                print(
                    f"turn {turn}: {used[turn] / 2**20:.1f} MB, {handles[turn]} handles, {pace:.3f} s each, "
                    f"{(worked[-1] - worked[-2]) / EACH:.3f} s of them the processor's",
                    flush=True,
                )
        code = process.end()
    growth = max(used.values()) / used[SETTLED]
    more = handles[turns] - handles[SETTLED]
    print(f"memory × {growth:.3f} after turn {SETTLED}, {more} more handles, exit code {code}")
    return int(growth > GROWTH or more > 0 or code != 0)


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))
