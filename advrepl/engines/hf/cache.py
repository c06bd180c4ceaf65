"""Keys and values of one sequence, in room that is taken once: tokens are added in place, the end is cut off exactly.

transformers' own cache copies all that it holds for each token. Whatever a layer sees of the past (GPT-Neo's local
attention) is up to the model's masks: here every layer keeps everything, so going back is always possible.
"""

import threading
from typing import Any

import torch
from transformers.cache_utils import Cache, DynamicLayer


class Stopped(Exception):
    """The player ended the reply in the middle of a forward pass; what the pass had begun is to be cut off."""


class Layer(DynamicLayer):  # type: ignore[misc]
    """One layer's keys and values, shaped (1, heads, positions, width)."""

    def __init__(self, size: int, stop: threading.Event) -> None:
        super().__init__()
        self._size, self._stop, self._length = size, stop, 0

    def lazy_initialization(self, key_states: Any, value_states: Any) -> None:
        super().lazy_initialization(key_states, value_states)
        self._rooms = [
            torch.empty((*states.shape[:2], self._size, states.shape[3]), dtype=states.dtype, device=states.device)
            for states in (key_states, value_states)
        ]
        self.cut(0)

    def update(self, key_states: Any, value_states: Any, *_: Any, **__: Any) -> tuple[Any, Any]:
        if self._stop.is_set():
            raise Stopped
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        start, end = self._length, self._length + key_states.shape[2]
        for room, states in zip(self._rooms, (key_states, value_states), strict=True):
            room[:, :, start:end] = states
        self.cut(end)
        return self.keys, self.values

    def cut(self, length: int) -> None:
        """Hold so many positions; what lies behind them is forgotten."""
        self._length = length
        if self.is_initialized:
            self.keys, self.values = (room[:, :, :length] for room in self._rooms)

    def get_seq_length(self) -> int:
        return self._length


class Held(Cache):  # type: ignore[misc]
    """What a model has been fed."""

    def __init__(self, layers: int, size: int, stop: threading.Event) -> None:
        super().__init__(layers=[Layer(size, stop) for _ in range(layers)])

    def cut(self, length: int) -> None:
        for layer in self.layers:
            layer.cut(length)
