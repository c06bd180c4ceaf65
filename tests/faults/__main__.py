"""`make faults`: do all of it, or the rows that are named, and say what came of it."""

import random
import sys
import tempfile
import time
from pathlib import Path

from tests.faults.rows import ROWS


def main(names: list[str]) -> int:
    """Print a line for each row; return how many went wrong."""
    if unknown := [name for name in names if name not in ROWS]:
        sys.exit(f"there is no row called {', '.join(unknown)}; the rows are {', '.join(ROWS)}")
    failed = 0
    for name in names or list(ROWS):
        do, times, _ = ROWS[name]
        began = time.monotonic()
        with tempfile.TemporaryDirectory() as folder:
            wrong = list(do(Path(folder), times, random.Random(21)))
        failed += bool(wrong)
        print(f"{name}: {times} times, {len(wrong)} went wrong, {time.monotonic() - began:.0f} s", flush=True)
        for each in wrong[:5]:
            print(f"  {each}", flush=True)
    return failed


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
