"""The quantizer's child process: `python -m convert.quantize quantize|stream|imatrix|ids …`, started by process.py.

Loads llama_cpp; says on stdout what llama.cpp logs.
"""

import ctypes
import json
import os
import pickle
import signal
import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import gguf
import llama_cpp
import numpy as np

from convert import ConvertError
from convert.quantize.collect import collect
from convert.quantize.imatrix import Floats, described, read_imatrix
from convert.quantize.process import ERROR, Checkpoint
from convert.quantize.stream import stream, targets

Keys = dict[str, int | str]  # of a header

# Bytes of rows held at once. The result does not depend on it; the default of 8 GiB would hold whole tensors.
BUFFER = 32 << 20


def _quantize(source: str, out: str, number: str, threads: str, imatrix: str) -> int:
    return _run(source, out, number, threads, *_matrix(imatrix))


def _run(
    source: str, out: str, number: str, threads: str, matrix: Mapping[str, Floats], keys: Keys, *, dry: bool = False
) -> int:
    params = llama_cpp.llama_model_quantize_default_params()
    params.ftype, params.nthread, params.max_buf_size = int(number), int(threads), BUFFER
    params.allow_requantize, params.dry_run = True, dry
    if matrix:
        params.imatrix, params.kv_overrides = _imatrix_structs(matrix), _kv_structs(keys)
    code: int = llama_cpp.llama_model_quantize(os.fsencode(source), os.fsencode(out), ctypes.byref(params))
    return code


def _stream(heard: list[str], header: str, out: str, number: str, threads: str, imatrix: str) -> int:
    """Quantize the checkpoint that stands on stdin; `heard` is what llama.cpp logs."""
    checkpoint: Checkpoint = pickle.load(sys.stdin.buffer)
    matrix, keys = _matrix(imatrix)
    code, log = _run(header, out, number, threads, matrix, keys, dry=True), "".join(heard)
    _say("".join(line for line in log.splitlines(keepends=True) if not targets(line)))
    if code == 0:
        own: Keys = {"general.quantization_version": gguf.GGML_QUANT_VERSION, "general.file_type": int(number)}
        stream(checkpoint, Path(out), targets(log), own | keys, matrix, int(threads), _say)
    return code


def _matrix(imatrix: str) -> tuple[dict[str, Floats], Keys]:
    """An importance matrix, and what a header says of it, of which llama.cpp takes texts of 127 bytes."""
    if not imatrix:
        return {}, {}
    told = described(Path(imatrix)).items()
    short = {key: each if isinstance(each, int) else each.encode()[:127].decode(errors="ignore") for key, each in told}
    return read_imatrix(Path(imatrix)), short


def _imatrix_structs(entries: Mapping[str, Floats]) -> "ctypes.Array[ctypes.Structure]":
    """The array llama.cpp wants, ended by an entry without a name; it keeps alive what it points at."""
    structs: Any = (llama_cpp.llama_model_imatrix_data * (len(entries) + 1))()
    structs.kept = [np.ascontiguousarray(values, np.float32) for values in entries.values()]
    for struct, name, values in zip(structs, entries, structs.kept, strict=False):
        struct.name = name.encode()
        struct.data = values.ctypes.data_as(ctypes.POINTER(ctypes.c_float))
        struct.size = values.size
    found: ctypes.Array[ctypes.Structure] = structs
    return found


def _kv_structs(values: Keys) -> "ctypes.Array[ctypes.Structure]":
    """What llama.cpp writes into the header besides, ended by an entry without a name."""
    structs: ctypes.Array[ctypes.Structure] = (llama_cpp.llama_model_kv_override * (len(values) + 1))()
    for struct, (key, value) in zip(structs, values.items(), strict=False):
        struct.key = key.encode()
        if isinstance(value, int):
            struct.tag, struct.value.val_i64 = llama_cpp.LLAMA_KV_OVERRIDE_TYPE_INT, value
        else:
            struct.tag, struct.value.val_str = llama_cpp.LLAMA_KV_OVERRIDE_TYPE_STR, value.encode()
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


def main(command: str, *args: str) -> int:
    """Do what process.py asks for, "quantize", "stream", "imatrix" or "ids"; the exit code."""
    # Ctrl-C reaches the whole process group; the parent decides, and an interrupt inside a callback would be lost.
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    heard = list[str]()
    hear = heard.append if command == "stream" else _say

    @llama_cpp.llama_log_callback  # type: ignore[untyped-decorator]
    def log(level: int, text: bytes, user_data: object) -> None:
        hear(text.decode("utf-8", "replace"))

    llama_cpp.llama_log_set(log, ctypes.c_void_p(0))
    tasks: dict[str, Callable[..., int]] = {
        "quantize": _quantize, "stream": partial(_stream, heard), "imatrix": _collect, "ids": _ids,
    }  # fmt: skip
    try:
        return tasks[command](*args)
    except ConvertError as error:
        _say(f"{ERROR}{error}\n")
    except OSError as error:
        _say(f"{ERROR}{error.filename or args[1]}: {error.strerror or error}\n")
    return 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
