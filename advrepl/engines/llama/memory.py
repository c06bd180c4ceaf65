"""The cache of a llama.cpp context by its sequences: remove, move, share, copy out and in.

Does not decode (model.py) and decides nothing: what may be done is in abilities.py, what is reused in kv/reuse.py.
"""

import ctypes
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from typing import Any, TypeVar

import llama_cpp.llama_cpp as lib
import numpy as np

from advrepl.engines.llama.abilities import CacheAbilities

# The sequences of the cache: the story's own, the one that is prefetched, one that is refreshed, one by which cells are
# copied out and in, and one that holds on to cells (see `_guard`).
SEQ_STORY, SEQ_PREFETCH, SEQ_REFRESH, SEQ_SWAP, SEQ_GUARD = range(5)
T = TypeVar("T")
RECURRENT_PART = lib.LLAMA_STATE_SEQ_FLAGS_PARTIAL_ONLY


class LlamaMemory:
    """Edit the cache of an open context. Sequences go by SEQ_STORY and its like, positions from 0 on.

    One thread at a time, but for `state_size` and `copy_state`.
    """

    abilities: CacheAbilities  # of the model
    _context: Any
    _memory: Any

    def __init__(self) -> None:
        self._cache_lock = threading.Lock()  # held while the cache changes or is copied
        self._unguarded = 0  # tokens decoded since the last `_guard`
        self.k_shift_pending = False  # cells were moved: the next decode rotates their keys to the new positions

    def remove(self, start: int, end: int, seq_id: int = SEQ_STORY) -> None:
        """Take the tokens from `start` to before `end` out of a sequence; -1: no bound.

        Where `abilities.cuts` is False: all of them, or nothing happens.
        """
        with self._cache_lock:
            lib.llama_memory_seq_rm(self._memory, seq_id, start, end)
            self._guard()

    def move(self, start: int, end: int, by: int, seq_id: int = SEQ_STORY) -> None:
        """Move the cached tokens from `start` to before `end` by so many positions towards the front."""
        with self._cache_lock:
            lib.llama_memory_seq_add(self._memory, seq_id, start, end, -by)
            self.k_shift_pending = True
            self._guard()

    def extent(self, seq_id: int) -> tuple[int, int]:
        """Return the first and the last position that all layers hold of a sequence; -1 and -1 if it is empty."""
        low = lib.llama_memory_seq_pos_min(self._memory, seq_id)
        return int(low), int(lib.llama_memory_seq_pos_max(self._memory, seq_id))

    def copy(self, source: int, target: int, start: int = 0) -> None:
        """Let the sequence `target` hold what `source` holds from position `start` on; they share the cells."""
        with self._cache_lock:
            lib.llama_memory_seq_rm(self._memory, target, start, -1)
            lib.llama_memory_seq_cp(self._memory, source, target, start, -1)
            self._guard()

    @contextmanager
    def aside(self, start: int, seq_id: int) -> Iterator[None]:
        """Let a sequence end before `start` for a while: llama.cpp decodes only at a sequence's end."""
        self._hand_over(seq_id, SEQ_SWAP, start)
        yield
        self._hand_over(SEQ_SWAP, seq_id, start)

    def _hand_over(self, source: int, target: int, start: int) -> None:
        with self._cache_lock:
            lib.llama_memory_seq_cp(self._memory, source, target, start, -1)
            lib.llama_memory_seq_rm(self._memory, source, start, -1)
            self._guard()

    def _guard(self) -> None:
        """Hold on to all cells: those of one sequence alone are given away once they have left its sliding window.

        Then they would be missing after an undo. To be called after every change, and before a window is full anew.
        """
        if self.abilities.window:
            lib.llama_memory_seq_rm(self._memory, SEQ_GUARD, -1, -1)
            for seq_id in (SEQ_STORY, SEQ_PREFETCH, SEQ_REFRESH):
                lib.llama_memory_seq_cp(self._memory, seq_id, SEQ_GUARD, -1, -1)
            self._unguarded = 0

    # --- copies of a sequence

    def state_size(self) -> int:
        """Return how many bytes the story's cache takes as a copy; from any thread."""
        with self._cache_lock:
            return int(lib.llama_state_seq_get_size(self._context, SEQ_STORY))

    def copy_state(self, memory: Callable[[int], memoryview], expected: Callable[[], int]) -> memoryview | None:
        """Copy the story's cache into `memory(bytes)`; from any thread.

        `expected` is called when nothing can change the cache any more. None, and no copy, unless the cache holds as
        many tokens as that returns, and none that was moved and not decoded since.
        """
        with self._cache_lock:
            if self.k_shift_pending or self._length() != expected():
                return None
            return self._copy_out(memory, SEQ_STORY)

    def copy_front(
        self, memory: Callable[[int], memoryview], length: int, there: Callable[[], bool], snapshot: bytes | None
    ) -> memoryview | None:
        """Copy the first tokens of the story's cache; from any thread.

        `there` is called when nothing can change the cache any more: does it hold them? None if not, or while keys wait
        to be rotated. `snapshot`: of the recurrent part at that place, if there is one.
        """
        with self._cache_lock:
            if self.k_shift_pending or not there():
                return None
            lib.llama_memory_seq_cp(self._memory, SEQ_STORY, SEQ_SWAP, 0, length)
            if snapshot is not None:
                self._put_back(snapshot, SEQ_SWAP)
            state = self._copy_out(memory, SEQ_SWAP)
            lib.llama_memory_seq_rm(self._memory, SEQ_SWAP, -1, -1)
            return state

    def copy_part(
        self, memory: Callable[[int], memoryview], start: int, end: int, there: Callable[[], bool]
    ) -> memoryview | None:
        """Copy the story's cells from position `start` to before `end`; from any thread.

        `there` is called when nothing can change the cache any more: does it hold them? None if not, or while keys wait
        to be rotated.
        """
        with self._cache_lock:
            if self.k_shift_pending or not there():
                return None
            lib.llama_memory_seq_cp(self._memory, SEQ_STORY, SEQ_SWAP, start, end)
            whole = self.extent(SEQ_SWAP) == (start, end - 1)
            state = self._copy_out(memory, SEQ_SWAP) if whole else None
            lib.llama_memory_seq_rm(self._memory, SEQ_SWAP, -1, -1)
            return state

    def restore_part(self, state: memoryview, block: tuple[int, int], start: int, end: int, target: int) -> bool:
        """Put tokens of such a copy behind the story's others, at position `target`; False if there is no room for it.

        `block`: the positions of the whole copy; those from `start` to before `end` are taken.
        """
        with self._cache_lock:
            done = lib.llama_state_seq_set_data(self._context, _address(state), len(state), SEQ_SWAP) == len(state)
            if fits := done and self.extent(SEQ_SWAP) == (block[0], block[1] - 1):
                lib.llama_memory_seq_rm(self._memory, SEQ_SWAP, 0, start)
                lib.llama_memory_seq_rm(self._memory, SEQ_SWAP, end, -1)
                if target != start:
                    lib.llama_memory_seq_add(self._memory, SEQ_SWAP, start, end, target - start)
                    self.k_shift_pending = True
                lib.llama_memory_seq_cp(self._memory, SEQ_SWAP, SEQ_STORY, -1, -1)
            lib.llama_memory_seq_rm(self._memory, SEQ_SWAP, -1, -1)
            self._guard()
            return bool(fits)

    def restore_state(self, state: memoryview, length: int) -> bool:
        """Replace the story's cache by such a copy of `length` tokens; False, and an empty cache, if it is none."""
        with self._cache_lock:
            self.k_shift_pending = False
            lib.llama_memory_seq_rm(self._memory, SEQ_STORY, -1, -1)
            self._guard()
            done = lib.llama_state_seq_set_data(self._context, _address(state), len(state), SEQ_STORY)
            fits = done == len(state) and self._length() == length
            if not fits:
                lib.llama_memory_seq_rm(self._memory, SEQ_STORY, -1, -1)
            self._guard()
            return fits

    def swap_out(self, seq_id: int, start: int, snapshot: Any = None) -> list[Any]:
        """Take what a sequence, and no other one, holds from `start` on out of the cache; return it for `swap_in`.

        `snapshot`: of its recurrent part at that place.
        """
        with self._cache_lock:
            cells = self._cells(seq_id, start)
            if snapshot is not None:
                self._put_back(snapshot, seq_id)
            lib.llama_memory_seq_rm(self._memory, seq_id, start, -1)
            self._guard()
            return cells

    def copy_tail(self, start: int) -> list[Any]:
        """Return what the story's sequence holds from `start` on, for `swap_in`; it stays in the cache."""
        with self._cache_lock:
            return self._cells(SEQ_STORY, start)

    def _cells(self, seq_id: int, start: int) -> list[Any]:
        end = int(lib.llama_memory_seq_pos_max(self._memory, seq_id)) + 1
        # Of what is copied, layers with a sliding window give what its last token sees: a window, or what lies behind
        # the last multiple of it (Llama 4).
        step = self.abilities.window or end + 1
        places = [start, *range(start - start % step + step, end, step), end]
        cells = []
        for begun, ended in pairwise(places) if start < end else ():
            lib.llama_memory_seq_cp(self._memory, seq_id, SEQ_SWAP, begun, ended)
            cells.append(self._copy_out(bytearray, SEQ_SWAP))
            lib.llama_memory_seq_rm(self._memory, SEQ_SWAP, -1, -1)
        return cells

    def swap_in(self, seq_id: int, start: int, cells: list[Any]) -> bool:
        """Put it back into the first free cells, in order; False if llama.cpp does not take it."""
        with self._cache_lock:
            done = True
            for part in cells:
                done &= lib.llama_state_seq_set_data(self._context, _address(part), len(part), SEQ_SWAP) == len(part)
                lib.llama_memory_seq_cp(self._memory, SEQ_SWAP, seq_id, start, -1)
                lib.llama_memory_seq_rm(self._memory, SEQ_SWAP, -1, -1)
                self._guard()
            return done

    def snapshot(self, seq_id: int = SEQ_STORY) -> Any:
        """Return a copy of a sequence's recurrent part, which stands for all of its tokens."""
        with self._cache_lock:
            size = int(lib.llama_state_seq_get_size_ext(self._context, seq_id, RECURRENT_PART))
            data = bytearray(size)
            lib.llama_state_seq_get_data_ext(self._context, _address(data), size, seq_id, RECURRENT_PART)
            return bytes(data)

    def go_back(self, start: int, snapshot: Any, seq_id: int = SEQ_STORY) -> bool:
        """Let a sequence hold its first `start` tokens alone, for which this copy stands; False if that fails."""
        with self._cache_lock:
            done = self._put_back(snapshot, seq_id)
            return done and bool(lib.llama_memory_seq_rm(self._memory, seq_id, start, -1))

    def _put_back(self, snapshot: Any, seq_id: int) -> bool:
        size, data = len(snapshot), _address(snapshot)
        return bool(lib.llama_state_seq_set_data_ext(self._context, data, size, seq_id, RECURRENT_PART) == size)

    def _copy_out(self, memory: Callable[[int], T], seq_id: int) -> T | None:
        size = int(lib.llama_state_seq_get_size(self._context, seq_id))
        state = memory(size)
        return state if lib.llama_state_seq_get_data(self._context, _address(state), size, seq_id) == size else None

    def _length(self) -> int:
        return int(lib.llama_memory_seq_pos_max(self._memory, SEQ_STORY)) + 1


def _address(data: Any) -> Any:
    # Of a number: casting an object, as numpy's `data_as` does, leaves a ring of garbage.
    return ctypes.cast(np.frombuffer(data, np.uint8).ctypes.data, ctypes.POINTER(ctypes.c_uint8))
