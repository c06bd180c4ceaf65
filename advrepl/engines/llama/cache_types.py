"""The types of the context's cache, what they allow, and whether it fits the memory.

Does not open the context (model.py) and does not decide what is reused of it (kv/reuse.py).
"""

from pathlib import Path
from typing import Any

import llama_cpp.llama_cpp as lib
from msgspec import Struct

from advrepl import AdvreplError
from advrepl.engines.files import size_of
from advrepl.engines.llama.abilities import QWEN_HYBRIDS, QWEN_INTERVAL
from advrepl.engines.llama.header import GgufHeader
from advrepl.engines.llama.vocab import metadata, number
from advrepl.machine import GIB, free_memory

TYPES = {"f16": lib.GGML_TYPE_F16, "q8_0": lib.GGML_TYPE_Q8_0}
BYTES = {"f16": 2.0, "q8_0": 34 / 32}  # of one value
BLOCK = 32  # values that q8_0 keeps together
# llama.cpp 0.3.36 has no flash attention for them, without which values cannot be quantized: it leaves it out (grok),
# or ends the process, as the values come without heads (plm).
NOT_FUSED = {"grok", "plm"}


class Heads(Struct, frozen=True):
    """Hold what a model's layers keep of each token, in values of one head; the sizes of each kind of layer."""

    keys: tuple[int, ...]
    values: tuple[int, ...]
    rotated: int  # of a head's keys, by their position
    shared: bool = False  # do values lie in the keys' cells (multi-head latent attention)?
    fused: bool = True  # is there flash attention for them?

    @property
    def quantized_keys_move(self) -> bool:
        """Tell whether llama.cpp can move keys of this shape when they are quantized."""
        # llama.cpp 0.3.36 mixes the keys of a head before it quantizes them, if their number divides by 64. At a shift
        # it undoes that with the whole head's matrix on the rotated part alone, and reads a null pointer if there was
        # no mixing (build_rope_shift in llama-kv-cache.cpp).
        return all(size == self.rotated and size % 64 == 0 for size in self.keys)


def heads_of(model: Any) -> Heads:
    """Return the shapes of the layers' cache; `model`: a llama_model pointer."""
    width = lib.llama_model_n_embd(model) // max(lib.llama_model_n_head(model), 1)
    sizes = []
    for kind in ("key", "value"):
        size = number(model, f"attention.{kind}_length", width)
        # Gemma 4's layers with a sliding window have heads of another size.
        sizes.append(tuple(dict.fromkeys((size, number(model, f"attention.{kind}_length_swa", size)))))
    keys, values = sizes
    rotated, shared = number(model, "rope.dimension_count", keys[0]), number(model, "attention.kv_lora_rank", 0) > 0
    return Heads(keys, values, rotated, shared, metadata(model, "general.architecture") not in NOT_FUSED)


def cache_types(heads: Heads, name: str, kv: str | None, on_gpu: bool, moves: bool = True) -> tuple[str, str]:
    """Return the types for keys and values; raises AdvreplError where `kv` is none, or does not fit the heads.

    Keys that can be moved, but could not when quantized, stay f16. Not on a GPU: there llama.cpp has attention only for
    keys and values of one type, and prefilling anew is quick; nor where keys and values share their cells.
    """
    if kv not in (None, *TYPES):
        raise AdvreplError(f"--kv {kv} is no type of cache: use f16 or q8_0")
    if kv != "q8_0":
        return "f16", "f16"
    if not heads.fused:
        raise AdvreplError(f"{name} is of an architecture whose cache llama.cpp cannot keep as q8_0: use --kv f16")
    if size := next((size for size in (*heads.keys, *heads.values) if size % BLOCK), 0):
        raise AdvreplError(f"{name} has heads of {size} values and --kv q8_0 keeps {BLOCK} together: use --kv f16")
    quantized = heads.quantized_keys_move or on_gpu or heads.shared or not moves
    return "q8_0" if quantized else "f16", "q8_0"


class Cell(Struct, frozen=True):
    """Hold what one token takes in the cache, all layers together, in values."""

    keys: int
    values: int

    def bytes(self, types: tuple[str, str]) -> float:
        """Return that in bytes, for these types of keys and values."""
        return self.keys * BYTES[types[0]] + self.values * BYTES[types[1]]


def cell_of(header: GgufHeader, layers: int) -> Cell:
    """Return what one token takes in the cache of a model with so many layers, each by its own heads.

    Layers without any (those of hybrids that are recurrent) and those that read the cells of earlier ones take nothing;
    layers with a sliding window keep all tokens here, as branches need them.
    """
    name = header.text("general.architecture") or ""

    def number(key: str, default: int) -> int:
        found = header.number(f"{name}.{key}")
        return default if found is None else found

    def of_each(key: str) -> list[int]:
        found = header.numbers(f"{name}.{key}")
        return [number(key, 0)] * layers if found is None else [int(each) for each in found]

    counts = of_each("attention.head_count")
    width = number("embedding_length", 0) // max(*counts, 1)
    if header.kind(f"{name}.attention.head_count_kv") is not None:
        counts = of_each("attention.head_count_kv")
    interval = number("full_attention_interval", QWEN_INTERVAL if name in QWEN_HYBRIDS else 1)
    counts = [count if (at + 1) % max(interval, 1) == 0 else 0 for at, count in enumerate(counts)]
    windowed = of_each("attention.sliding_window_pattern")
    own = slice(layers - number("attention.shared_kv_layers", 0))
    sizes = []
    for kind in ("key", "value"):
        full = number(f"attention.{kind}_length", width)
        window = number(f"attention.{kind}_length_swa", full)
        each = zip(counts[:layers][own], windowed[:layers][own], strict=True)
        sizes.append(sum(count * (window if seen else full) for count, seen in each))
    return Cell(*sizes)


def check_memory(cell: Cell, path: Path, n_ctx: int, types: tuple[str, str]) -> None:
    """Raise AdvreplError unless a cache of `n_ctx` tokens fits the memory that is free."""
    needed = n_ctx * cell.bytes(types)
    free = free_memory()
    if needed > free:
        smaller = "" if types[1] == "q8_0" else " or --kv q8_0"
        raise AdvreplError(
            f"a context of {n_ctx} tokens takes {needed / GIB:.1f} GB besides {path.name}, "
            f"and {free / GIB:.1f} GB are free: give a smaller --ctx{smaller}"
        )


def spare_cells(model: Any, cell: Cell, path: Path, n_ctx: int, types: tuple[str, str], on_gpu: bool) -> int:
    """Return in how many cells the window can be refreshed beside the story's own: as many, half as many, or none.

    None where memory is short, and with "longrope", where the cells there are decide how positions are rotated, so
    that more of them would change what is written.
    """
    rope = metadata(model, f"{metadata(model, 'general.architecture')}.rope.scaling.type")
    free = free_memory() - size_of(path) - GIB
    shares = () if rope == "longrope" else (n_ctx, n_ctx // 2)
    return next((cells for cells in shares if on_gpu or (n_ctx + cells) * cell.bytes(types) < free), 0)
