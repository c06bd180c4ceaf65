"""What a checkpoint's tensors are called in GGUF and how their rows move, as data: `Rule` and `Model`.

Reads no file and loads no tensor: a rule names its source, the shape both sides have, and how rows move.
Every transform is a reordering, so it works on F32, F16 and the raw bits of BF16 alike, and is exact.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Scalar = str | int | float | bool


def unchanged(tensor: Array) -> Array:
    """Leave the rows where they are."""
    return tensor


@dataclass(frozen=True, slots=True)
class Rule:
    """One tensor of the GGUF file."""

    name: str  # in GGUF
    shape: tuple[int, ...]  # of the source and of the result, outermost first
    source: str | None  # the name in the checkpoint; None: `values`
    transform: Callable[[Array], Array] = unchanged
    values: tuple[float, ...] = ()  # for no source; none: zeros, which llama.cpp wants where the model has no bias


@dataclass(frozen=True, slots=True)
class Model:
    """Everything of a GGUF file that follows from the config, but for the vocabulary."""

    arch: str  # llama.cpp's name
    keys: Mapping[str, Scalar]  # written as "ARCH.key"
    rules: tuple[Rule, ...]
    vocab_size: int  # rows of the embedding: the vocabulary is padded to it
    unused: frozenset[str] = field(default=frozenset())  # tensors that may be there and are rightly left out


def permute(tensor: Array, heads: int) -> Array:
    """Make neighbors of the rows that transformers rotates together, as llama.cpp rotates neighbors.

    Shape (heads * head size, …), one dimension for a bias. Rows 0,1,2,3 of a head of four become 0,2,1,3: each of the
    first half stands before its like of the second. Undoes what transformers called permute when it converted LLaMA.
    """
    return tensor.reshape(heads, 2, -1, *tensor.shape[1:]).swapaxes(1, 2).reshape(tensor.shape)


def unpermute(tensor: Array, heads: int, rotated: int) -> Array:
    """Put the rows that GPT-J rotates together, neighbors, into two halves, as phi2 rotates halves.

    Shape (heads * head size, …). The first `rotated` rows 0,1,2,3,… of each head become 0,2,…,1,3,…; the others stay.
    """
    shaped = tensor.reshape(heads, -1, *tensor.shape[1:])
    return np.concatenate((shaped[:, 0:rotated:2], shaped[:, 1:rotated:2], shaped[:, rotated:]), axis=1).reshape(
        tensor.shape
    )


def split_heads(tensor: Array, heads: int) -> Array:
    """Gather all queries, then all keys, then all values, as llama.cpp wants them: GPT-NeoX stores q, k, v per head.

    Shape (heads * 3 * head size, …), one dimension for a bias.
    """
    return tensor.reshape(heads, 3, -1, *tensor.shape[1:]).swapaxes(0, 1).reshape(tensor.shape)
