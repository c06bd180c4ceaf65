"""When a story's cache file is written, which others have to go for it, and what is said if it cannot be.

Does not know the format (file.py) nor what is in a cache (an engine does). Nothing here may cost a story: what goes
wrong with a cache file is one line, and the time to read the story again.
"""

import os
import shutil
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial
from itertools import chain
from pathlib import Path

from msgspec import Struct

from advrepl import AdvreplError
from advrepl.engines.kv import file as kv_file
from advrepl.engines.kv.computed import Run, part
from advrepl.engines.kv.file import KvKey, KvPersistent, KvSnapshot, StoredKv, segments_digest
from advrepl.engines.kv.log import KvLog, anonymous_memory
from advrepl.machine import free_memory
from advrepl.paths import CACHE_SUFFIX, CARD_CACHE
from advrepl.prompt.segments import Segment, Window
from advrepl.workers import Worker

SUFFIX = CACHE_SUFFIX
LEAST_FRONT = 64  # tokens that are worth a file
EVERY = 180.0  # seconds between two files that are written while the story goes on, where each holds all
MOST_DEAD = 2  # of a file, for each token that is in use: more that slid out or were taken back are left out
DEFAULT_LIMIT = "4G"
DISK_ROOM = 256 << 20  # bytes that are left free, for saves among others
MEMORY_ROOM = 256 << 20
UNITS = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}


def parse_limit(text: str) -> int:
    """Return the bytes that "4G" or "500M" mean, gigabytes if there is no letter; raises AdvreplError for others."""
    number, unit = text.strip().upper().removesuffix("B"), "G"
    if number[-1:] in UNITS:
        number, unit = number[:-1], number[-1]
    try:
        size = float(number) * UNITS[unit]
    except ValueError:
        size = 0.0
    if not 0 < size < 1 << 63:
        raise AdvreplError(
            f"--kv-cache-limit {text!r} is no size: give one like 4G or 500M (--no-kv-file: none at all)"
        )
    return int(size)


class OtherFile(Struct, frozen=True):
    """Name the cache file of another story."""

    path: Path
    size: int  # bytes
    changed: float  # seconds since 1970


def to_remove(others: Iterable[OtherFile], needed: int, limit: int) -> list[OtherFile] | None:
    """Return the oldest, until a file of `needed` bytes fits the limit beside the rest; None if it never will."""
    if needed > limit:
        return None
    left = sorted(others, key=lambda other: other.changed, reverse=True)
    removed = []
    while left and sum(other.size for other in left) + needed > limit:
        removed.append(left.pop())
    return removed


class KvStore:
    """Keep the cache of one story's engine in the file beside its save.

    To be called in the thread that plays; `limit`: bytes that all cache files of the folder may take.
    """

    def __init__(self, engine: KvPersistent, save: Path, limit: int) -> None:
        self.path = save.with_name(save.stem + SUFFIX)
        self._engine, self._limit = engine, limit
        self._stored: KvSnapshot | None = None  # what the file holds
        self._log = KvLog(self.path)
        self._tried = time.monotonic()
        self._thread: Worker | None = None
        self._remark, self._said = "", ""
        self._front: Path | None = None  # where the head of a new story is kept

    def load(self, window: Callable[[], Window] | None = None) -> str:
        """Give the engine what the file holds; return a line if there is a file that is of no use, else "".

        `window` gives what comes next; it is asked where the context has no room for all.
        """
        if not self.path.exists():
            return ""
        try:
            found = kv_file.read(self.path, self._engine.key)
            if not self._restore(found, window, self._log):
                raise kv_file.UnusableError("does not fit")
        except kv_file.UnusableError as reason:
            return f"the cache file {self.path.name} {reason}: the story is read again"
        self._stored = found.snapshot
        return ""

    def load_front(self, window: Window) -> None:
        """Give the engine what another story has read of the same head and examples; `window`: before any turn."""
        self._front = self.path.with_name(front_name(window, self._engine.key))
        try:
            found = kv_file.read(self._front, self._engine.key)
            if self._restore(found, None, KvLog(self._front)):
                os.utime(self._front)  # the files that are not used go first
        except (kv_file.UnusableError, OSError):
            return

    def _restore(self, found: StoredKv, window: Callable[[], Window] | None, log: KvLog) -> bool:
        """Give the engine what was read; `log` knows what the engine holds of the file then."""
        if not self._engine.parts:
            return len(found.pieces) == 1 and self._engine.restore(found.snapshot, found.pieces[0].state)
        try:
            held = self._engine.restore_parts(found.snapshot, found.pieces, window)
        except AdvreplError:  # there is no room for the next turn; that is told when it is taken
            held = self._engine.restore_parts(found.snapshot, found.pieces, None)
        log.follow(found.end, [stored.piece for stored in held], self._engine.computed())
        return bool(held)

    def store(self, window: Window) -> str:
        """Write what the file lacks, and return a line, said once, if that is not possible.

        `window`: what the next one will look like.
        """
        self._finish()
        if snapshot := self._changed(window):
            self._write(snapshot, self._runs())
        remark, self._said = ("" if self._remark == self._said else self._remark), self._remark
        return remark

    def replied(self, window: Window, blocks: int, coming: Callable[[], Window]) -> None:
        """Write what a reply has added, in a thread of its own, while the player reads.

        `window`: of that reply; `blocks` of it stand before the player's first words; `coming` gives the next one. What
        goes wrong, `store` tells later.
        """
        if self._front:
            self._keep_front(window, blocks)
        if self.due:
            self.store_in_thread(coming())

    @property
    def due(self) -> bool:
        """Tell whether what is new is to be written: by parts always, the whole when it is a while since the last."""
        if self._thread and self._thread.is_alive():
            return False
        return self._engine.parts or time.monotonic() - self._tried >= EVERY

    def store_in_thread(self, window: Window) -> None:
        """Write in a thread of its own, while the player reads; what goes wrong, `store` tells later."""
        self._finish()
        if snapshot := self._changed(window):
            given = snapshot, self._runs()
            self._thread = Worker(partial(self._write, *given), "advrepl-kv-store")
            self._thread.start()

    def _keep_front(self, window: Window, blocks: int) -> None:
        """Keep what the engine has read of the head and what it sees of so many blocks, for other stories; once.

        Examples that leave a small model no room for the turn have slid out by then, as they will in the next story.
        """
        path, self._front = self._front, None
        if not path or path.exists():
            return
        self._finish()
        snapshot = self._engine.front(max(blocks - window.evicted, 0))
        if snapshot is not None and len(snapshot.tokens) >= LEAST_FRONT:
            given = path, snapshot, self._runs()
            self._thread = Worker(partial(self._write_front, *given), "advrepl-kv-front")
            self._thread.start()

    def close(self) -> None:
        """Wait until what is being written is there."""
        self._finish()

    def _changed(self, window: Window) -> KvSnapshot | None:
        """Return what is to be written; None: the file holds it already, or there is nothing."""
        snapshot = self._engine.snapshot(window)
        return snapshot if snapshot != self._stored else None

    def _runs(self) -> tuple[Run, ...]:
        return self._engine.computed() if self._engine.parts else ()

    def _finish(self) -> None:
        if self._thread:
            self._thread.join()
            self._thread = None

    def _write(self, snapshot: KvSnapshot, runs: tuple[Run, ...]) -> None:
        self._tried = time.monotonic()
        try:
            whole = self._write_parts(snapshot, runs) if self._engine.parts else self._write_whole(snapshot)
        except OSError as error:
            self._remark = self._not_written(error.strerror or "")
        else:
            self._stored = snapshot if whole else None

    def _write_whole(self, snapshot: KvSnapshot) -> bool:
        size = self._engine.state_size() + sum(len(copy) for _, _, copy in snapshot.copies)
        self._remark = self._make_room(size, size)
        state = None if self._remark else self._engine.copy_state(snapshot, anonymous_memory)
        if state is not None:
            kv_file.write(self.path, snapshot, state)
        return state is not None

    def _write_parts(self, snapshot: KvSnapshot, runs: tuple[Run, ...]) -> bool:
        token = self._engine.state_size() // max(len(snapshot.tokens), 1)  # bytes, about
        dead, size = self._log.dead(runs), token * self._log.missing(runs)
        if dead > MOST_DEAD * len(snapshot.tokens) or (dead and self._log.end + size > self._limit):
            self._log.forget()
            size = token * self._log.missing(runs)
        self._remark = self._make_room(self._log.end + size, size)
        return not self._remark and self._log.write(self._engine, snapshot, runs)

    def _write_front(self, path: Path, snapshot: KvSnapshot, runs: tuple[Run, ...]) -> None:
        size = self._engine.state_size()
        if self._make_room(size, size):
            return
        with suppress(OSError):
            if self._engine.parts:
                KvLog(path).write(self._engine, snapshot, part(runs, 0, len(snapshot.tokens)))
            elif state := self._engine.copy_front(snapshot, anonymous_memory):
                kv_file.write(path, snapshot, state)

    def _make_room(self, size: int, more: int) -> str:
        """Remove what has to go for a file of that size, `more` of it new; return a line if that makes no room."""
        if not self._engine.parts and size + MEMORY_ROOM > free_memory():
            return self._not_written(f"it takes {size >> 20} MB of memory")
        if more + DISK_ROOM > shutil.disk_usage(self.path.parent).free:
            return self._not_written("the disk is nearly full")
        others = to_remove(self._others(), size, self._limit)
        if others is None:
            return self._not_written(f"it takes {size >> 20} MB, more than --kv-cache-limit")
        for other in others:
            with suppress(OSError):
                other.path.unlink()
        return ""

    def _others(self) -> Iterable[OtherFile]:
        """Find the files of other stories, also what a program that was killed has left half-written."""
        own = (self.path.name, self.path.name + ".tmp")
        for path in (*self.path.parent.glob("*" + SUFFIX), *self.path.parent.glob(f"*{SUFFIX}.tmp")):
            with suppress(OSError):
                if path.name not in own:
                    yield OtherFile(path, path.stat().st_size, path.stat().st_mtime)

    def _not_written(self, reason: str) -> str:
        return f"the cache file {self.path.name} is not written ({reason}): resuming will read the story again"


def front_name(window: Window, key: KvKey) -> str:
    """Name the file for what stories with this head and these examples have in common; no save has such a name."""
    segments = (Segment("", repr(key)), *window.prompt.head, *chain.from_iterable(window.prompt.blocks))
    return f"{CARD_CACHE}{segments_digest(segments).hex()}{SUFFIX}"
