"""The quantizer's child process: `python -m convert.quantize quantize|imatrix|ids …`, started by process.py.

Loads llama_cpp; says on stdout what llama.cpp logs.
"""

import ctypes
import json
import os
import re
import signal
import sys
from pathlib import Path

import llama_cpp
import numpy as np

from convert import ConvertError
from convert.quantize.collect import collect
from convert.quantize.imatrix import described, read_imatrix
from convert.quantize.process import WANTED

# Bytes of rows held at once. The result does not depend on it; the default of 8 GiB would hold whole tensors.
BUFFER = 32 << 20
TENSOR = re.compile(rb"\[ *\d+/ *\d+\] (\S+)")  # what llama.cpp says before it reads a tensor


def _quantize(source: str, out: str, number: str, threads: str, imatrix: str) -> int:
    params = llama_cpp.llama_model_quantize_default_params()
    params.ftype, params.nthread, params.max_buf_size = int(number), int(threads), BUFFER
    params.allow_requantize = True
    kept = _imatrix_structs(Path(imatrix)) if imatrix else None
    if kept is not None:
        params.imatrix = kept[0]
        params.kv_overrides = _kv_structs(described(Path(imatrix)))
    code: int = llama_cpp.llama_model_quantize(os.fsencode(source), os.fsencode(out), ctypes.byref(params))
    return code


def _imatrix_structs(file: Path) -> tuple["ctypes.Array[ctypes.Structure]", list[object]]:
    """The array llama.cpp wants, ended by an entry without a name, and what must live as long as it does."""
    entries = {name: np.ascontiguousarray(v, np.float32) for name, v in read_imatrix(file).items()}
    structs = (llama_cpp.llama_model_imatrix_data * (len(entries) + 1))()
    for struct, (name, values) in zip(structs, entries.items(), strict=False):
        struct.name = name.encode()
        struct.data = values.ctypes.data_as(ctypes.POINTER(ctypes.c_float))
        struct.size = values.size
    return structs, list(entries.values())


def _kv_structs(values: dict[str, str | int]) -> "ctypes.Array[ctypes.Structure]":
    """What llama.cpp writes into the header besides, ended by an entry without a name; texts hold 127 bytes."""
    structs: ctypes.Array[ctypes.Structure] = (llama_cpp.llama_model_kv_override * (len(values) + 1))()
    for struct, (key, value) in zip(structs, values.items(), strict=False):
        struct.key = key.encode()
        if isinstance(value, int):
            struct.tag, struct.value.val_i64 = llama_cpp.LLAMA_KV_OVERRIDE_TYPE_INT, value
        else:
            text = value.encode()[:127].decode(errors="ignore")
            struct.tag, struct.value.val_str = llama_cpp.LLAMA_KV_OVERRIDE_TYPE_STR, text.encode()
    return structs


def _collect(model: str, text: str, out: str, threads: str) -> int:
    collect(Path(model), Path(text).read_text(encoding="utf-8", errors="replace"), Path(out), int(threads), _say)
    return 0


def _ids(model: str, texts: str) -> int:
    """Say the ids of each text, in a line that begins with "ids "."""
    params = llama_cpp.llama_model_default_params()
    params.vocab_only = True
    loaded = llama_cpp.llama_model_load_from_file(os.fsencode(model), params)
    if not loaded:
        raise ConvertError("llama.cpp cannot load this vocabulary")
    vocab = llama_cpp.llama_model_get_vocab(loaded)
    for text in json.loads(Path(texts).read_text(encoding="utf-8")):
        data = text.encode()
        ids = (llama_cpp.llama_token * (len(data) + 8))()
        count = llama_cpp.llama_tokenize(vocab, data, len(data), ids, len(ids), False, False)
        _say(f"ids {' '.join(map(str, ids[: max(count, 0)]))}\n")
    return 0


def _say(line: str) -> None:
    try:
        sys.stdout.write(line)
        sys.stdout.flush()
    except OSError:  # nobody listens any more: the parent is gone
        os._exit(1)


def _await(tensor: str) -> None:
    """Ask for a tensor of the source, which llama.cpp reads once it has told of it, and wait until it is there."""
    _say(f"{WANTED}{tensor}\n")
    if not sys.stdin.buffer.readline():  # the parent is gone
        os._exit(1)


def main(command: str, *args: str) -> int:
    """Do what process.py asks for, "quantize", "imatrix" or "ids"; the exit code."""
    # Ctrl-C reaches the whole process group; the parent decides, and an interrupt inside a callback would be lost.
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    fed = command == "quantize-fed"

    @llama_cpp.llama_log_callback  # type: ignore[untyped-decorator]
    def log(level: int, text: bytes, user_data: object) -> None:
        if fed and (tensor := TENSOR.match(text)):
            _await(tensor[1].decode())
        _say(text.decode("utf-8", "replace"))

    llama_cpp.llama_log_set(log, ctypes.c_void_p(0))
    try:
        if command == "ids":
            return _ids(*args)
        return _collect(*args) if command == "imatrix" else _quantize(*args)
    except ConvertError as error:
        _say(f"error: {error}\n")
        return 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
