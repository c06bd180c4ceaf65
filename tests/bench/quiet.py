"""Take a figure again when other machines on the same processor took its time meanwhile.

Only Linux tells of that, as `steal`; elsewhere the first take counts.
"""

import time
from collections.abc import Callable

import psutil

QUIET = 0.01  # the share of the processors' time that others may take
TAKES = 4  # at most; then the one counts that was disturbed least


def undisturbed(take: Callable[[], float]) -> float:
    takes = list[tuple[float, float]]()
    while len(takes) < TAKES and (not takes or takes[-1][0] > QUIET):
        started, stolen = time.monotonic(), _stolen()
        value = take()
        passed = (time.monotonic() - started) * (psutil.cpu_count() or 1)
        takes.append(((_stolen() - stolen) / passed, value))
    return min(takes)[1]


def _stolen() -> float:
    """Seconds, of all processors together, since the system started."""
    return float(getattr(psutil.cpu_times(), "steal", 0.0))
