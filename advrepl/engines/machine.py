"""What the machine has: cores.

Does not need llama.cpp, and does not measure (advrepl/bench.py does).
"""

import os

import psutil

GIB = 1 << 30


def physical_cores() -> int:
    """Cores this process may use, hyper-threads not counted: more threads make llama.cpp slower."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(min(psutil.cpu_count(logical=False) or allowed, allowed), 1)
