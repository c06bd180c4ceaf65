"""What a model needs for so many players: memory, tokens a second, what a slide costs. Worked out, not measured.

Does not load a model: its header says enough.
"""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import numpy as np
import psutil

from advrepl import AdvreplError
from advrepl.machine import usable_cores
from convert import ConvertError
from convert.config import read_object

CACHE_BYTES = 2  # of one cached value: f16
CARD_BYTES = 1.5e9  # that a server takes beside weights and cache, on each card
HOST_BYTES = 5e7  # the same in this machine's memory: llama-server measured with 135M and 270M parameters
REAL = 0.65  # of what memory bandwidth allows is reached
BRANCHES = 4  # copies of a story in llama-server's slots when replies are written ahead there
GB = 1e9


class ModelShape(msgspec.Struct, frozen=True):
    """What decides a model's size and speed."""

    name: str
    weights: float  # bytes
    parameters: float
    layers: int
    kv_heads: int
    head_width: int  # of a key, the same as of a value
    context: int  # tokens that it was trained on

    @property
    def cache_a_token(self) -> int:
        """Return the bytes that a token's keys and values take."""
        return 2 * self.layers * self.kv_heads * self.head_width * CACHE_BYTES


class Device(msgspec.Struct, frozen=True):
    """A graphics card, or this machine's memory and processor."""

    memory: float  # bytes
    bandwidth: float  # bytes a second
    flops: float = 0.0  # a second; 0: not known
    beside: float = CARD_BYTES  # bytes that a server takes there beside weights and cache


class Sizing(msgspec.Struct, frozen=True):
    """What players at full context need, and get. Bytes, tokens a second, seconds."""

    weights: float
    cache_a_player: float
    needed: float
    there: float
    players_that_fit: int
    each: float  # tokens a second for each player while all are writing
    all_together: float
    slide: float | None  # seconds to read the context again where the server moves nothing
    ahead: float  # more bytes for replies written ahead on a llama-server with slots


def size(shape: ModelShape, players: int, n_ctx: int, devices: Sequence[Device], parallel: bool = False) -> Sizing:
    """Return what that takes. `parallel`: each layer is divided over the devices (vLLM), else the layers are."""
    cache, memory = shape.cache_a_token * n_ctx, sum(device.memory for device in devices)
    beside = sum(device.beside for device in devices)
    spare = memory - shape.weights - beside
    read = shape.weights + players * cache
    # Layers one after the other: each device reads its part while the others wait.
    share = 1 if parallel else len(devices)
    step = sum(read / len(devices) / device.bandwidth for device in devices) / len(devices) * share / REAL
    flops = sum(device.flops for device in devices) / share
    return Sizing(
        shape.weights,
        cache,
        shape.weights + players * cache + beside,
        memory,
        max(int(spare // cache), 0),
        1 / step,
        players / step,
        2 * shape.parameters * n_ctx / flops if flops else None,
        (BRANCHES - 1) * cache * players,
    )


def read_device(text: str) -> Device:
    """Read a card: memory in GB, bandwidth in GB/s and, if it is known, Tflop/s, as 24:936:71; raises AdvreplError."""
    try:
        memory, bandwidth, flops = (float(part) for part in f"{text}:0".split(":")[:3])
    except ValueError:
        memory = bandwidth = flops = 0.0
    if not (0 < memory < 1e6 and 0 < bandwidth < 1e6 and 0 <= flops < 1e6):
        raise AdvreplError(f"a card is GB:GB/s or GB:GB/s:TFLOPS, as 24:936:71, not {text[:40]!r}")
    return Device(memory * GB, bandwidth * GB, flops * 1e12)


def this_device() -> Device:
    """Return this machine's memory and, measured in a moment, how fast it is read and how fast it multiplies."""
    values = np.ones(1 << 25, dtype=np.float64)  # 256 MB: more than any processor's cache
    parts = np.array_split(values, usable_cores())
    with ThreadPoolExecutor(len(parts)) as pool:
        seconds = min(_seconds(lambda: list(pool.map(np.sum, parts))) for _ in range(3))
    square = np.ones((1024, 1024), dtype=np.float32)
    multiplied = min(_seconds(lambda: square @ square) for _ in range(3))
    return Device(psutil.virtual_memory().total, values.nbytes / seconds, 2 * 1024**3 / multiplied, HOST_BYTES)


def folder_shape(path: Path, parameters: int) -> ModelShape:
    """Return the shape of a Hugging Face folder, served in 16 bits; raises AdvreplError."""
    try:
        config = read_object(path / "config.json")
    except (OSError, ConvertError) as error:
        raise AdvreplError(f"{path}: config.json cannot be read") from error
    layers, heads = (
        _first(config, "num_hidden_layers", "n_layer", "num_layers"),
        _first(config, "num_attention_heads", "n_head", "num_heads"),
    )
    width = _first(config, "head_dim") or _first(config, "hidden_size", "n_embd") // max(heads, 1)
    return checked(
        ModelShape(
            path.resolve().name, 2.0 * parameters, parameters, layers, _first(config, "num_key_value_heads") or heads,
            width, _first(config, "max_position_embeddings", "n_positions"),
        )
    )  # fmt: skip


def checked(shape: ModelShape) -> ModelShape:
    """Return the shape if its numbers can be; raises AdvreplError."""
    if not all(0 < each < 1 << 20 for each in (shape.layers, shape.kv_heads, shape.head_width)):
        raise AdvreplError(f"{shape.name}: its header does not say how large its cache is")
    return shape


def _first(config: dict[str, object], *names: str) -> int:
    return next((int(value) for name in names if isinstance(value := config.get(name), int)), 0)


def _seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started
