"""XOR two files as a stream of a few MiB, whatever their size: `xor_into` for one chunk, `xor_chunks` for all of them.

Knows nothing of releases, names and sums (run.py). Encoding is the same operation.
"""

import contextlib
import gzip
import os
import zlib
from collections.abc import Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from io import BufferedIOBase
from itertools import cycle
from pathlib import Path

import numpy as np

from advrepl import regular
from convert import ConvertError
from convert.sums import CHUNK

DROP_EVERY = 8 << 20  # bytes


def xor_into(payload: memoryview, base: memoryview) -> None:
    """XOR a chunk in its place with the base's chunk: zeros stand for what that lacks, and its rest is ignored."""
    shared = min(len(payload), len(base))
    view = np.frombuffer(payload, np.uint8, shared)
    np.bitwise_xor(view, np.frombuffer(base, np.uint8, shared), out=view)


def is_zero(chunk: memoryview) -> bool:
    """Is every byte 0?"""
    return not np.any(np.frombuffer(chunk, np.uint8))


def xor_chunks(payload: BufferedIOBase, base: BufferedIOBase | None) -> Generator[memoryview]:
    """XOR two streams, chunk by chunk; each stays as it is until the next but one is asked for.

    `base` None: the payload as it is. Both are read ahead by threads of this generator, so nobody else may read them.
    """
    # Three buffers for results: one is being read into, one is the caller's, one still being hashed. Fresh memory for
    # every chunk would cost more in page faults than reading, XOR and hashing together.
    results = cycle([memoryview(bytearray(CHUNK)) for _ in range(3)])
    keys = cycle([memoryview(bytearray(CHUNK)) for _ in range(2)])
    with ThreadPoolExecutor(2) as pool:

        def read(source: BufferedIOBase | None, into: memoryview) -> Future[memoryview]:
            return pool.submit(lambda: into[: source.readinto(into)] if source else into[:0])

        done = 0
        ahead = read(payload, next(results)), read(base, next(keys))
        while chunk := ahead[0].result():
            key = ahead[1].result()
            ahead = read(payload, next(results)), read(base, next(keys))
            xor_into(chunk, key)
            yield chunk
            done += len(chunk)
            if done % DROP_EVERY == 0:
                for source in (payload, base):
                    _drop_from_page_cache(source, done)


def _drop_from_page_cache(source: BufferedIOBase | None, done: int) -> None:
    """Drop what was read from the page cache: 27 GB that nobody reads again would push out everything else."""
    # Without it the kernel spent three times as long on finding pages as on reading (measured, 1 GiB files).
    if source is not None and not isinstance(source, gzip.GzipFile) and hasattr(os, "posix_fadvise"):
        os.posix_fadvise(source.fileno(), 0, done, os.POSIX_FADV_DONTNEED)


def is_gzip(path: Path) -> bool:
    """Does the file begin as gzip's do?"""
    with regular.opened(path) as source:
        head = source.read(10)
    # Magic, deflate, no reserved flag: the three that gzip has always written.
    return len(head) == 10 and head.startswith(b"\x1f\x8b\x08") and head[3] < 0x20


def unpacked_size(path: Path, near: int) -> int:
    """The size in bytes that gzip noted, which it keeps modulo 4 GiB: the one next to `near`."""
    with regular.opened(path) as source:
        source.seek(-4, os.SEEK_END)
        low = int.from_bytes(source.read(4), "little")
    return low + max(0, round((near - low) / 2**32)) * 2**32


@contextlib.contextmanager
def open_payload(path: Path, packed: bool) -> Iterator[BufferedIOBase]:
    """The payload's bytes, unpacked if it is `packed` with gzip; damage in that is a ConvertError."""
    if not packed:
        with regular.opened(path) as source:
            yield source
        return
    try:
        with gzip.open(path, "rb") as unpacked:
            yield unpacked
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise ConvertError(f"{path}: its gzip stream is damaged; fetch it again") from error
