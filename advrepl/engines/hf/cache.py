"""Keys and values of one sequence, in room that is taken once: tokens are added in place, the end is cut off exactly.

transformers' own cache copies all that it holds for each token. Whatever a layer sees of the past (GPT-Neo's local
attention) is up to the model's masks: here every layer keeps everything, so going back is always possible.
"""

from typing import Any

import torch
from transformers.cache_utils import Cache, DynamicLayer


class Stopped(Exception):
    """The player ended the reply in the middle of a forward pass; what the pass had begun is to be cut off."""


class Halt:
    """Tell a forward pass to end. No threading.Event: a signal's handler may break in where that holds its lock."""

    asked = False


class KvLayer(DynamicLayer):  # type: ignore[misc]
    """Hold one layer's keys and values, shaped (1, heads, positions, width); `size`: positions at most.

    Once `stop` is asked for, adding raises Stopped: so a forward pass ends in its next layer.
    """

    def __init__(self, size: int, stop: Halt) -> None:
        super().__init__()
        self._size, self._stop, self._length = size, stop, 0

    def lazy_initialization(self, key_states: Any, value_states: Any) -> None:
        """Take room for all positions, like the states that come first (transformers' interface)."""
        super().lazy_initialization(key_states, value_states)
        self._rooms = [
            torch.empty((*states.shape[:2], self._size, states.shape[3]), dtype=states.dtype, device=states.device)
            for states in (key_states, value_states)
        ]
        self.truncate(0)

    def update(self, key_states: Any, value_states: Any, *_: Any, **__: Any) -> tuple[Any, Any]:
        """Add states behind those that are there, and return all (transformers' interface)."""
        if self._stop.asked:
            raise Stopped
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        start, end = self._length, self._length + key_states.shape[2]
        for room, states in zip(self._rooms, (key_states, value_states), strict=True):
            room[:, :, start:end] = states
        self.truncate(end)
        return self.keys, self.values

    def truncate(self, length: int) -> None:
        """Hold so many positions; what lies behind them is forgotten."""
        self._length = length
        if self.is_initialized:
            self.keys, self.values = (room[:, :, :length] for room in self._rooms)

    def get_seq_length(self) -> int:
        """Return how many positions are held (transformers' interface)."""
        return self._length


class KvCache(Cache):  # type: ignore[misc]
    """Hold one sequence's keys and values in `layers` layers, for at most `size` positions."""

    def __init__(self, layers: int, size: int, stop: Halt) -> None:
        super().__init__(layers=[KvLayer(size, stop) for _ in range(layers)])

    def truncate(self, length: int) -> None:
        """Hold no more than the first `length` positions, in all layers."""
        for layer in self.layers:
            layer.truncate(length)
