"""Which architectures this llama.cpp can load: it is asked with a file that names one and holds nothing else.

Its own list is in no function of its interface. Does not know what else they are (playable.py).
"""

import os
import struct
import tempfile
from functools import cache
from pathlib import Path

from advrepl.engines.llama.abilities import MEASURED

_TEXT = 8  # gguf_type
_SURE = "llama"


@cache
def is_known(architecture: str) -> bool:
    """Tell whether llama.cpp can load models of this architecture; True where it cannot be asked."""
    return architecture in MEASURED or _loads(architecture) or not _loads(_SURE)


def _loads(architecture: str) -> bool:
    import llama_cpp.llama_cpp as lib  # which a player would wait for before the story is shown

    from advrepl.engines.llama.log import Log

    fields = {"general.architecture": architecture, "tokenizer.ggml.model": "no_vocab"}
    header = b"GGUF" + struct.pack("<IQQ", 3, 0, len(fields))
    header += b"".join(_text(key) + struct.pack("<I", _TEXT) + _text(value) for key, value in fields.items())
    params = lib.llama_model_default_params()
    params.vocab_only = True
    try:
        with tempfile.TemporaryDirectory() as folder, Log(Path(os.devnull)).instead():
            path = Path(folder) / "asked.gguf"
            path.write_bytes(header)
            if not (model := lib.llama_model_load_from_file(os.fsencode(path), params)):
                return False
            lib.llama_model_free(model)
    except OSError:
        return True
    return True


def _text(text: str) -> bytes:
    data = text.encode()
    return struct.pack("<Q", len(data)) + data
