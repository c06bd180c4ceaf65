"""What writes: llama.cpp, transformers or a server, behind one protocol (base.py)."""

import ctypes
import os
import sys
from contextlib import suppress

# llama.cpp's threads wait for each other several hundred times a token, and GCC's OpenMP lets them wait by spinning,
# for whole slices of time where another program has the core: a token takes 50 to 100 times as long as soon as both
# cores have other work. A thousand turns bridge what there is to bridge on an idle machine; longer waits sleep.
# Read when the library is loaded. A policy of the user's own stands.
if "OMP_WAIT_POLICY" not in os.environ:
    os.environ.setdefault("GOMP_SPINCOUNT", "1000")

# The GNU C library gives each thread a heap of its own, and keeps what they have let go: the threads that write ahead
# and write files grew a story's memory by 4 KB a turn. One heap for all, as Python's objects have one anyway.
if sys.platform == "linux":
    with suppress(AttributeError):  # another C library
        ctypes.CDLL(None).mallopt(-8, 1)  # M_ARENA_MAX; heeded before the first thread asks for memory
