"""Threads that come and go leave no heap of their own behind."""

import subprocess
import sys

import pytest

# Threads that hold memory at the same time, each of which would have its own heap; what the C library then tells.
COUNTED = """
import ctypes, os, threading
import advrepl.engines
lib = ctypes.CDLL(None)
lib.malloc.restype, lib.free.argtypes = ctypes.c_void_p, [ctypes.c_void_p]
all_there = threading.Barrier(4)
def work():
    got = lib.malloc(5000)
    all_there.wait()
    lib.free(got)
threads = [threading.Thread(target=work) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
lib.fdopen.restype, lib.malloc_info.argtypes = ctypes.c_void_p, [ctypes.c_int, ctypes.c_void_p]
lib.fflush.argtypes = [ctypes.c_void_p]
out = lib.fdopen(1, b"w")
lib.malloc_info(0, out)
lib.fflush(out)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="of the GNU C library")
def test_all_threads_share_one_heap() -> None:
    told = subprocess.run([sys.executable, "-c", COUNTED], capture_output=True, text=True, check=True).stdout
    assert told.count("<heap nr=") == 1
