"""The types of the context's cache, what they allow, and whether it fits the memory.

Does not open the context (model.py) and does not decide what is reused of it (kv/reuse.py).
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import llama_cpp.llama_cpp as lib
import psutil

from advrepl import AdvreplError
from advrepl.engines.files import size_of
from advrepl.engines.llama.vocab import metadata, number
from advrepl.machine import GIB

TYPES = {"f16": lib.GGML_TYPE_F16, "q8_0": lib.GGML_TYPE_Q8_0}
BYTES = {"f16": 2.0, "q8_0": 34 / 32}  # of one value
BLOCK = 32  # values that q8_0 keeps together


@dataclass(frozen=True)
class Heads:
    """Hold one layer's share of the cache, in values."""

    keys: int  # of one head
    values: int
    rotated: int  # of a head's keys, by their position
    count: int
    shared: bool = False  # do values lie in the keys' cells (multi-head latent attention)?

    @property
    def quantized_keys_move(self) -> bool:
        """Tell whether llama.cpp can move keys of this shape when they are quantized."""
        # llama.cpp 0.3.36 mixes the keys of a head before it quantizes them, if their number divides by 64. At a shift
        # it undoes that with the whole head's matrix on the rotated part alone, and reads a null pointer if there was
        # no mixing (build_rope_shift in llama-kv-cache.cpp).
        return self.rotated == self.keys and self.keys % 64 == 0


def heads_of(model: Any) -> Heads:
    """Return the shape of a layer's cache; `model`: a llama_model pointer."""
    width = lib.llama_model_n_embd(model) // max(lib.llama_model_n_head(model), 1)
    # Gemma 4's layers with a sliding window have heads of another size; the larger ones are counted.
    keys, values = (
        max(number(model, f"attention.{kind}_length", width), number(model, f"attention.{kind}_length_swa", 0))
        for kind in ("key", "value")
    )
    rotated, shared = number(model, "rope.dimension_count", keys), number(model, "attention.kv_lora_rank", 0) > 0
    return Heads(keys, values, rotated, lib.llama_model_n_head_kv(model), shared)


def cache_types(heads: Heads, name: str, kv: str | None, on_gpu: bool, moves: bool = True) -> tuple[str, str]:
    """Return the types for keys and values; raises AdvreplError where `kv` is none, or does not fit the heads.

    Keys that can be moved, but could not when quantized, stay f16. Not on a GPU: there llama.cpp has attention only for
    keys and values of one type, and prefilling anew is quick; nor where keys and values share their cells.
    """
    if kv not in (None, *TYPES):
        raise AdvreplError(f"--kv {kv} is no type of cache: use f16 or q8_0")
    if kv != "q8_0":
        return "f16", "f16"
    if size := next((size for size in (heads.keys, heads.values) if size % BLOCK), 0):
        raise AdvreplError(f"{name} has heads of {size} values and --kv q8_0 keeps {BLOCK} together: use --kv f16")
    quantized = heads.quantized_keys_move or on_gpu or heads.shared or not moves
    return "q8_0" if quantized else "f16", "q8_0"


def bytes_of(cells: int, model: Any, types: tuple[str, str]) -> float:
    """Return how many bytes a cache of so many tokens takes."""
    heads = heads_of(model)
    cell = heads.count * (heads.keys * BYTES[types[0]] + heads.values * BYTES[types[1]])
    return cells * cell * float(lib.llama_model_n_layer(model))


def check_memory(model: Any, path: Path, n_ctx: int, types: tuple[str, str]) -> None:
    """Raise AdvreplError unless a cache of `n_ctx` tokens fits the memory that is free."""
    needed = bytes_of(n_ctx, model, types)
    free = psutil.virtual_memory().available
    if needed > free:
        smaller = "" if types[1] == "q8_0" else " or --kv q8_0"
        raise AdvreplError(
            f"a context of {n_ctx} tokens takes {needed / GIB:.1f} GB besides {path.name}, "
            f"and {free / GIB:.1f} GB are free: give a smaller --ctx{smaller}"
        )


def spare_cells(model: Any, path: Path, n_ctx: int, types: tuple[str, str], on_gpu: bool) -> int:
    """Return in how many cells the window can be refreshed beside the story's own: as many, half as many, or none.

    None where memory is short, and with "longrope", where the cells there are decide how positions are rotated, so
    that more of them would change what is written.
    """
    rope = metadata(model, f"{metadata(model, 'general.architecture')}.rope.scaling.type")
    free = psutil.virtual_memory().available - size_of(path) - GIB
    shares = () if rope == "longrope" else (n_ctx, n_ctx // 2)
    return next((cells for cells in shares if on_gpu or bytes_of(n_ctx + cells, model, types) < free), 0)
