"""What a checkpoint's tensors are called in GGUF and how their rows move, as data: `Rule` and `Model`.

Reads no file and loads no tensor: a rule names its source, the shape both sides have, and how rows move.
Every change is a reordering, so it works on F32, F16 and the raw bits of BF16 alike, and is exact.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Value = str | int | float | bool


def unchanged(tensor: Array) -> Array:
    return tensor


@dataclass(frozen=True, slots=True)
class Rule:
    out: str  # the name in GGUF
    shape: tuple[int, ...]  # of the source and of the result, outermost first
    source: str | None  # the name in the checkpoint; None: zeros, which llama.cpp wants where the model has no bias
    change: Callable[[Array], Array] = unchanged


@dataclass(frozen=True, slots=True)
class Model:
    arch: str  # llama.cpp's name
    keys: Mapping[str, Value]  # written as "ARCH.key"
    rules: tuple[Rule, ...]
    rows: int  # of the embedding: the vocabulary is padded to it
    unused: frozenset[str] = field(default=frozenset())  # tensors that may be there and are rightly left out


def unpair(tensor: Array, heads: int, rotated: int) -> Array:
    """Reorder each head's first `rotated` rows 0,1,2,3,… to 0,2,…,1,3,…: GPT-J turns neighbours, phi2 halves."""
    shaped = tensor.reshape(heads, -1, *tensor.shape[1:])
    return np.concatenate((shaped[:, 0:rotated:2], shaped[:, 1:rotated:2], shaped[:, rotated:]), axis=1).reshape(
        tensor.shape
    )


def pair(tensor: Array, heads: int) -> Array:
    """Undo the row order of Hugging Face's LLaMA: halves of each head back to neighbours, as llama.cpp turns them."""
    return tensor.reshape(heads, 2, -1, *tensor.shape[1:]).swapaxes(1, 2).reshape(tensor.shape)


def split_heads(tensor: Array, heads: int) -> Array:
    """GPT-NeoX stores q, k, v per head; llama.cpp wants all q, then all k, then all v."""
    return tensor.reshape(heads, 3, -1, *tensor.shape[1:]).swapaxes(0, 1).reshape(tensor.shape)
