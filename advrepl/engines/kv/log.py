"""Add to a cache file what it lacks of an engine's cache, block by block.

Does not know the format (file.py), nor when this is done and whether there is room (store.py).
"""

import mmap
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import pairwise
from pathlib import Path
from typing import BinaryIO, NamedTuple

import msgspec

from advrepl.engines.kv import file as kv_file
from advrepl.engines.kv.computed import Run, part, total
from advrepl.engines.kv.file import KvPersistent, KvSnapshot, Piece

# Tokens in a block: the cache is locked while they are copied, 30 MB of a 7B.
BLOCK = 64
TOLD_EACH = 4  # bytes of cells for one that says what is where: in each record those would be the square of a window


class Place(NamedTuple):
    """Tell where the tokens of a run are in the file."""

    run: Run
    record: int
    start: int  # the position of the first
    moved: bool


class _Overtaken(Exception):
    """The cache was changed before it was written."""


class KvLog:
    """Know which computed tokens a file holds, and where."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.end = 0  # bytes of the file; 0: there is none that could be added to
        self._places: dict[int, list[Place]] = {}  # by the block of their runs
        self._telling = 0  # bytes of what was last said of what is where
        self._untold = 0  # bytes of cells behind that

    def follow(self, end: int, pieces: Iterable[Piece], runs: Sequence[Run]) -> None:
        """Note that the file, of `end` bytes, holds these pieces, one after the other the tokens of the runs."""
        self.forget()
        self.end, at = end, 0
        for piece in pieces:
            for run in part(runs, at, at + piece.length):
                self._note(Place(run, piece.record, piece.start, piece.moved))
            at += piece.length

    def forget(self) -> None:
        """Begin a new file with the next `write`."""
        self.end, self._places, self._untold = 0, {}, 0

    def missing(self, runs: Sequence[Run]) -> int:
        """Return how many of these tokens the file does not hold."""
        return sum(length for _, length, place in self._cover(runs) if place is None)

    def dead(self, runs: Sequence[Run]) -> int:
        """Return how many tokens are in the file that are none of these."""
        held = sum(place.run.length for places in self._places.values() for place in places)
        return held - (total(runs) - self.missing(runs))

    def write(self, engine: KvPersistent, snapshot: KvSnapshot, runs: Sequence[Run]) -> bool:
        """Write what the file lacks of the snapshot, whose tokens have these numbers; raises OSError.

        False: not all of it, since the cache holds other tokens by now.
        """
        if self.end and self._there():
            with self._appending() as file:
                return self._add(file, engine, snapshot, runs)
        try:
            with kv_file.replacing(self.path) as file:
                self.end = begun = kv_file.begin(file)
                whole = self._add(file, engine, snapshot, runs)
                if not whole and (self.end == begun or self.path.exists()):
                    raise _Overtaken
        except _Overtaken:  # what is there is better
            self.forget()
            return False
        except BaseException:
            self.forget()
            raise
        return whole

    def _there(self) -> bool:
        """Tell whether the file is as it was left; another program may have needed its room."""
        try:
            there = self.path.stat().st_size >= self.end
        except OSError:
            there = False
        if not there:
            self.forget()
        return there

    @contextmanager
    def _appending(self) -> Iterator[BinaryIO]:
        """Open the file at the end of what is whole in it; what is written in part is taken away again."""
        with self.path.open("r+b", buffering=0) as file:
            file.truncate(self.end)
            file.seek(self.end)
            try:
                yield file
            except BaseException:
                with suppress(OSError):
                    file.truncate(self.end)
                raise

    def _add(self, file: BinaryIO, engine: KvPersistent, snapshot: KvSnapshot, runs: Sequence[Run]) -> bool:
        missing = [
            borders
            for at, length, place in self._cover(runs)
            if place is None
            for borders in pairwise(block_borders(at, at + length, engine.window, snapshot.chunks))
        ]
        whole, wrote = True, False
        for start, end in missing:
            state = engine.copy_part(snapshot, start, end, anonymous_memory)
            if state is None:
                whole = False
                break
            moved = snapshot.unshifted is not None and end > snapshot.unshifted
            new = [Place(run, self.end, start, moved) for run in part(runs, start, end)]
            self.end += kv_file.append(file, b"", (start, end), state)
            for place in new:
                self._note(place)
            wrote, self._untold = True, self._untold + len(state)
            if self._untold >= TOLD_EACH * self._telling:
                self._tell(file, snapshot, runs)
        if self._untold or (whole and not wrote):
            self._tell(file, snapshot, runs)
        return whole

    def _tell(self, file: BinaryIO, snapshot: KvSnapshot, runs: Sequence[Run]) -> None:
        """Write a record that only says what of these tokens is where."""
        pieces = self._pieces(runs)
        told = msgspec.structs.replace(
            snapshot,
            tokens=snapshot.tokens[: sum(piece.length for piece in pieces)],
            unshifted=_unshifted(pieces, snapshot.unshifted),
        )
        contents = kv_file.contents(told, pieces)
        self.end += kv_file.append(file, contents, (0, 0), b"")
        self._telling, self._untold = len(contents), 0

    def _pieces(self, runs: Sequence[Run]) -> list[Piece]:
        """Return what the file holds of these tokens, up to the first that it lacks."""
        pieces: list[Piece] = []
        for _, length, place in self._cover(runs):
            if place is None:
                break
            last = pieces[-1] if pieces else None
            if last and (last.record, last.start + last.length) == (place.record, place.start):
                pieces[-1] = Piece(last.record, last.start, last.length + length, last.moved or place.moved)
            else:
                pieces.append(Piece(place.record, place.start, length, place.moved))
        return pieces

    def _cover(self, runs: Sequence[Run]) -> list[tuple[int, int, Place | None]]:
        """Return for stretches of these tokens their position, their length, and where they are; None: nowhere."""
        found, at = list[tuple[int, int, Place | None]](), 0
        for block, first, length in runs:
            done, end = first, first + length
            for run, record, start, moved in sorted(self._places.get(block, ())):
                low, high = max(run.first, done), min(run.first + run.length, end)
                if low >= high:
                    continue
                if low > done:
                    found.append((at + done - first, low - done, None))
                there = Place(Run(block, low, high - low), record, start + low - run.first, moved)
                found.append((at + low - first, high - low, there))
                done = high
            if done < end:
                found.append((at + done - first, end - done, None))
            at += length
        return found

    def _note(self, place: Place) -> None:
        self._places.setdefault(place.run.block, []).append(place)


def block_borders(start: int, end: int, window: int, chunks: Sequence[int]) -> list[int]:
    """Return where blocks begin and end: also where chunks do, so that what slides out takes whole ones with it.

    Nor do they reach over a multiple of the window: of a longer stretch llama.cpp copies what its last token sees.
    """
    seen = range(start - start % window + window, end, window) if window else ()
    return sorted({*range(start, end, BLOCK), *seen, *(at for at in chunks if start < at < end), end})


def _unshifted(pieces: Iterable[Piece], unshifted: int | None) -> int | None:
    """Return how many tokens at the front were never moved, neither by the engine nor, as they are stored, by now."""
    at = 0
    for piece in pieces:
        if piece.moved or piece.start != at:
            return at if unshifted is None else min(at, unshifted)
        at += piece.length
    return unshifted


def anonymous_memory(size: int) -> memoryview:
    """Return memory that goes back to the system when it is no longer used, and is not touched before."""
    return memoryview(mmap.mmap(-1, size))
