"""Bring a model file into memory: how it is read, what is repacked, whether it fits.

Does not open a context (model.py does).
"""

import ctypes
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

import llama_cpp.llama_cpp as lib
import psutil
from llama_cpp._ggml import libggml

from advrepl import AdvreplError, program
from advrepl.engines.base import LoadOptions, LoadProgress, Tuning
from advrepl.engines.files import size_of
from advrepl.engines.llama.header import BadHeader, read_header
from advrepl.engines.llama.log import Log
from advrepl.engines.llama.playable import UnknownArchitecture, check_playable
from advrepl.engines.llama.vocab import number
from advrepl.machine import GIB, free_memory
from convert.vocab.table import PHI_3, PHI_3_TOKENS

NAME = "general.name"


def load_model(path: Path, options: LoadOptions, on_gpu: bool, log: Log, on_load: LoadProgress | None) -> Any:
    """Return a llama_model pointer; raises AdvreplError where the file is damaged, too large, or was given up.

    `on_load` is called in this thread.
    """
    params = lib.llama_model_default_params()
    if options.layers is not None:
        params.n_gpu_layers = options.layers
    params.load_mode, params.use_extra_bufts = _load_mode(path, on_gpu, options.tuning)
    check_playable(path)
    params.kv_overrides = overrides = header_overrides(path)
    if on_load:
        params.progress_callback = lib.llama_progress_callback(lambda share, _: on_load(share) is not False)
    model = lib.llama_model_load_from_file(os.fsencode(path), params)
    del overrides  # had to live until here
    if not model:
        reason = log.last_error or "no reason given"
        raise AdvreplError(f"{path} cannot be loaded, it may be cut short or made for a newer llama.cpp: {reason}")
    return model


def header_number(path: Path, log: Log, name: str) -> int:
    """Return a number of the architecture, without the weights being read; 0 if the file does not say."""
    log.attach()
    with suppress(UnknownArchitecture):  # it may be for a server that is newer
        check_playable(path)
    params = lib.llama_model_default_params()
    params.vocab_only = True
    if not (model := lib.llama_model_load_from_file(os.fsencode(path), params)):
        return 0
    found = number(model, name, 0)
    lib.llama_model_free(model)
    return found


def has_gpu() -> bool:
    """Tell whether this build of llama.cpp can use a graphics card."""
    return bool(lib.llama_supports_gpu_offload())


def fits_repacked(path: Path) -> bool:
    """Tell whether both copies of the weights fit the memory, and something besides."""
    return free_memory() > 2.2 * size_of(path) + GIB


def fits_copied(path: Path) -> bool:
    """Tell whether the weights fit the memory as a copy of their own, and something besides."""
    return free_memory() > 1.2 * size_of(path) + GIB


def _load_mode(path: Path, on_gpu: bool, tuning: Tuning) -> tuple[int, bool]:
    """Map the file; repack weights for the CPU only where both copies fit: faster to write, twice the memory."""
    size, memory = size_of(path), psutil.virtual_memory()
    if not on_gpu and size > memory.total * 0.95:
        raise AdvreplError(
            f"{path.name} takes {size / GIB:.1f} GB and this machine has {memory.total / GIB:.1f} GB of memory: "
            f"choose a smaller model or quantize it further with `{program.command('convert', '-q')}`"
        )
    # The tuning was found when there was memory for it.
    copy = tuning.load == "copy" and fits_copied(path)
    mode = lib.LLAMA_LOAD_MODE_NONE if copy else lib.LLAMA_LOAD_MODE_MMAP
    return mode, tuning.repack is not False and (copy or fits_repacked(path))


def devices() -> list[str]:
    """Return what llama.cpp calls the processors and graphics cards that it can use here."""
    ggml = libggml
    ggml.ggml_backend_dev_count.restype = ctypes.c_size_t
    ggml.ggml_backend_dev_get.argtypes, ggml.ggml_backend_dev_get.restype = [ctypes.c_size_t], ctypes.c_void_p
    describe = ggml.ggml_backend_dev_description
    describe.argtypes, describe.restype = [ctypes.c_void_p], ctypes.c_char_p
    count = ggml.ggml_backend_dev_count()
    return [describe(ggml.ggml_backend_dev_get(i)).decode("utf-8", "replace") for i in range(count)]


def header_overrides(path: Path) -> Any:
    """Return overrides for llama_model_params, to be kept while a model is loaded.

    Segments are tokenized one by one; the space that SentencePiece adds to each text belongs to the first only. Of a
    file that is called Phi-3 llama.cpp wants Phi-3's tokens and fails without one: such a file loads without its name.
    """
    overrides = (lib.llama_model_kv_override * 3)()  # one with an empty key ends the list
    overrides[0].tag = lib.LLAMA_KV_OVERRIDE_TYPE_BOOL
    overrides[0].key = b"tokenizer.ggml.add_space_prefix"
    overrides[0].value.val_bool = False
    try:
        header = read_header(path)
    except (BadHeader, OSError):
        return overrides  # llama.cpp says it
    tokens = header.texts("tokenizer.ggml.tokens") or ()
    if PHI_3.search(header.text(NAME) or "") and not all(token.encode() in tokens for token in PHI_3_TOKENS):
        overrides[1].tag = lib.LLAMA_KV_OVERRIDE_TYPE_STR
        overrides[1].key, overrides[1].value.val_str = NAME.encode(), b"-"
    return overrides
