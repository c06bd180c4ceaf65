"""Bring a model file into memory: how it is read, what is repacked, whether it fits.

Does not open a context (native.py does).
"""

import os
from pathlib import Path
from typing import Any

import llama_cpp.llama_cpp as lib
import psutil

from advrepl import AdvreplError
from advrepl.engines.base import Loading, LoadOptions
from advrepl.engines.log import Log
from advrepl.engines.machine import GIB


def load_model(path: Path, options: LoadOptions, on_gpu: bool, log: Log, loading: Loading | None) -> Any:
    params = lib.llama_model_default_params()
    if options.gpu_layers is not None:
        params.n_gpu_layers = options.gpu_layers
    params.load_mode, params.use_extra_bufts = _load_mode(path, on_gpu)
    params.kv_overrides = overrides = _no_space_prefix()
    if loading:
        params.progress_callback = lib.llama_progress_callback(lambda share, _: loading(share) or True)
    model = lib.llama_model_load_from_file(os.fsencode(path), params)
    del overrides  # had to live until here
    if not model:
        reason = log.last_error or "no reason given"
        raise AdvreplError(f"{path} cannot be loaded, it may be cut short or made for a newer llama.cpp: {reason}")
    return model


def _load_mode(path: Path, on_gpu: bool) -> tuple[int, bool]:
    """Map the file; repack weights for the CPU only where both copies fit: faster to write, twice the memory."""
    size, memory = path.stat().st_size, psutil.virtual_memory()
    if not on_gpu and size > memory.total * 0.95:
        raise AdvreplError(
            f"{path.name} takes {size / GIB:.1f} GB and this machine has {memory.total / GIB:.1f} GB of memory: "
            "choose a smaller model or quantise it further with `advrepl convert -q`"
        )
    return lib.LLAMA_LOAD_MODE_MMAP, memory.available > 2.2 * size + GIB


def _no_space_prefix() -> Any:
    """Segments are tokenised one by one; the space that SentencePiece adds to each text belongs to the first only."""
    overrides = (lib.llama_model_kv_override * 2)()
    overrides[0].tag = lib.LLAMA_KV_OVERRIDE_TYPE_BOOL
    overrides[0].key = b"tokenizer.ggml.add_space_prefix"
    overrides[0].value.val_bool = False
    return overrides  # the second one, with an empty key, ends the list
