"""What a GGUF's header says of its size: layers, heads, parameters.

Reads no weights, and works nothing out (tuning/sizing.py does).
"""

import os
from pathlib import Path

import llama_cpp.llama_cpp as lib

from advrepl import AdvreplError
from advrepl.engines.llama.log import Log
from advrepl.engines.llama.playable import check_playable
from advrepl.engines.llama.vocab import number


def header(path: Path, log: Log) -> dict[str, int]:
    """Return `parameters`, `layers`, `kv_heads`, `head_width` and `context`; 0 for what the header does not say."""
    log.attach()
    check_playable(path)
    params = lib.llama_model_default_params()
    params.vocab_only = True
    if not (model := lib.llama_model_load_from_file(os.fsencode(path), params)):
        raise AdvreplError(f"{path} cannot be read: {log.last_error or 'no reason given'}")
    try:
        heads = number(model, "attention.head_count", 0)
        width = number(model, "embedding_length", 0) // max(heads, 1)
        return {
            "parameters": int(lib.llama_model_n_params(model)),
            "layers": number(model, "block_count", 0),
            "kv_heads": number(model, "attention.head_count_kv", heads),
            "head_width": number(model, "attention.key_length", width),
            "context": number(model, "context_length", 0),
        }
    finally:
        lib.llama_model_free(model)
