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
IDLE = 2.0  # seconds after which nothing is left to be done ahead
GROWTH = 1.05  # of the memory in use after turn 200


def open_handles(process: psutil.Process) -> int:
    """Return how many are open when all is written and the program waits for a line."""
    time.sleep(IDLE)
    return process.num_fds()


def main(turns: int = TURNS) -> int:
    """Print a line for each hundred turns, and what came of it; return 1 where it grows."""
    with tempfile.TemporaryDirectory() as folder:
        process = Place(Path(folder)).start("--ahead")
        process.until("ready")
        known = psutil.Process(process.child.pid)
        used, handles, worked, began = dict[int, int](), list[int](), [0.0], time.monotonic()
        for turn in range(1, turns + 1):
            if turn in THOUGHT:
                time.sleep(SECONDS)
            process.say(f"{LINES[turn % len(LINES)]} {turn}")
            if not process.until("reply", turn):
                print(f"no reply to turn {turn}: {process.events[-1:]}")
                return 1
            if turn % EACH == 0:
                pace, used[turn] = (time.monotonic() - began) / EACH, known.memory_full_info().uss
                worked.append(sum(known.cpu_times()[:2]))
                if turn in (SETTLED, turns):
                    handles.append(open_handles(known))
                began = time.monotonic()
                print(
                    f"turn {turn}: {used[turn] / 2**20:.1f} MB, {pace:.3f} s each, "
                    f"{(worked[-1] - worked[-2]) / EACH:.3f} s of them the processor's",
                    flush=True,
                )
        code = process.end()
    growth = max(used.values()) / used[SETTLED]
    more = handles[-1] - handles[0]
    print(f"memory × {growth:.3f} after turn {SETTLED}, {more} more handles, exit code {code}")
    return int(growth > GROWTH or more > 0 or code != 0)


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))
