"""Can a GGUF file be played at all? From its header, before llama.cpp loads it: some files would end the process.

Does not load weights, and does not tell whether they fit the memory (loading.py).
"""

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from llama_cpp._ctypes_extensions import load_shared_library
from llama_cpp._ggml import libggml_base_path

from advrepl import AdvreplError
from advrepl.engines.files import check_file, parts

_ggml = load_shared_library("ggml-base", libggml_base_path)

EMBEDDING = {
    "bert", "modern-bert", "nomic-bert", "nomic-bert-moe", "neo-bert", "jina-bert-v2", "jina-bert-v3", "eurobert",
    "gemma-embedding", "llama-embed", "t5encoder",
}  # fmt: skip
# What other architectures are that write no story.
NO_STORY = {
    **dict.fromkeys(EMBEDDING, "an embedding model, which writes no text"),
    "t5": "an encoder-decoder, which answers one text with another and goes on with none",
    **dict.fromkeys(("dream", "llada", "llada-moe", "rnd1"), "a diffusion model, which does not write word after word"),
    **dict.fromkeys(("eagle3", "dflash", "gemma4-assistant"), "a draft model, which only guesses for another one"),
    **dict.fromkeys(("wavtokenizer-dec", "qwen3tts", "pockettts"), "a model for speech, which writes no text"),
    **dict.fromkeys(("clip", "mmproj"), "a projector (mmproj), the part of a model that looks at pictures"),
}
NO_POOLING = 0  # LLAMA_POOLING_TYPE_NONE
BYTE_TOKEN = 6  # llama.cpp's LLAMA_TOKEN_TYPE_BYTE


def problem(path: Path) -> str:
    """Return why a GGUF file cannot be played and what to do, as a sentence that names it; "" if nothing is known."""
    try:
        return "" if check_playable(path) else f"{path.name} is cut short or damaged: fetch it again, or choose another"
    except AdvreplError as error:
        return str(error)


def check_playable(path: Path) -> bool:
    """Raise AdvreplError where a GGUF file cannot be played; False if its header cannot be read: loading tells why."""
    check_file(path)
    with _header(path) as header:
        if header is None:
            return False
        if reason := _part(path, header) or _kind(header) or _cut_short(path, header):
            raise AdvreplError(f"{path.name} {reason}")
    return True


class GgufHeader:
    """Read single values of a header that llama.cpp has parsed; None where it has none of that name and type."""

    STRING, BOOL, ARRAY = 8, 7, 9  # gguf_type
    NUMBERS = {0: "u8", 1: "i8", 2: "u16", 3: "i16", 4: "u32", 5: "i32", 10: "u64", 11: "i64"}  # noqa: RUF012

    def __init__(self, handle: int) -> None:
        self._handle = handle

    def text(self, key: str) -> str | None:
        """Return a text."""
        at = self._find(key, self.STRING)
        if at is None:
            return None
        return bytes(_call("gguf_get_val_str", ctypes.c_char_p, self._handle, at)).decode("utf-8", "replace")

    def number(self, key: str) -> int | None:
        """Return a whole number, or a truth value as 0 or 1."""
        at = self._find(key, *self.NUMBERS, self.BOOL)
        if at is None:
            return None
        kind = self.NUMBERS.get(_call("gguf_get_kv_type", ctypes.c_int, self._handle, at), "bool")
        return int(_call(f"gguf_get_val_{kind}", _C_TYPES[kind], self._handle, at))

    def numbers(self, key: str) -> Any:
        """Return a list of 32-bit whole numbers as an array."""
        at = self._find(key, self.ARRAY)
        if at is None or _call("gguf_get_arr_type", ctypes.c_int, self._handle, at) not in (4, 5):
            return None
        count = _call("gguf_get_arr_n", ctypes.c_size_t, self._handle, at)
        data = _call("gguf_get_arr_data", ctypes.c_void_p, self._handle, at)
        return np.ctypeslib.as_array(ctypes.cast(data, ctypes.POINTER(ctypes.c_int32)), (count,)).copy()

    @property
    def n_tensors(self) -> int:
        """Return how many tensors the file holds."""
        return int(_call("gguf_get_n_tensors", ctypes.c_int64, self._handle))

    @property
    def end(self) -> int:
        """Return the bytes of a whole file."""
        end = int(_call("gguf_get_data_offset", ctypes.c_size_t, self._handle))
        if last := self.n_tensors:
            offset, size = (
                _call(f"gguf_get_tensor_{what}", ctypes.c_size_t, self._handle, last - 1) for what in ("offset", "size")
            )
            end += int(offset + size)
        return end

    def _find(self, key: str, *kinds: int) -> int | None:
        at = int(_call("gguf_find_key", ctypes.c_int64, self._handle, key.encode()))
        return at if at >= 0 and _call("gguf_get_kv_type", ctypes.c_int, self._handle, at) in kinds else None


def _part(path: Path, header: GgufHeader) -> str:
    """Tell what is wrong with the file as a part of a split one."""
    count, number = header.number("split.count") or 1, (header.number("split.no") or 0) + 1
    if number > 1:
        first = parts(path)[0]
        return f"is part {number} of {count} of a model: give part 1{f', {first.name}' if first != path else ''}"
    if count > 1 and len(parts(path)) != count:
        return f"is part 1 of {count} of a model, under another name: name it as it was, NAME-00001-of-{count:05d}.gguf"
    missing = [part.name for part in parts(path) if not part.is_file()]
    return f"is part 1 of {count} of a model, and {missing[0]} is not beside it" if missing else ""


def _kind(header: GgufHeader) -> str:
    """Tell what the file is instead of a model that writes on."""
    name = header.text("general.architecture") or ""
    if header.text("general.type") == "adapter" or header.text("adapter.type"):
        return "is an adapter (LoRA), which changes another model: merge the two with llama.cpp's llama-export-lora"
    if header.text("general.type") == "mmproj":
        name = "mmproj"
    if header.text("general.type") == "imatrix" or name == "imatrix":
        return "is an importance matrix, for `advrepl convert --imatrix`: choose a model"
    pools = (header.number(f"{name}.pooling_type") or NO_POOLING) != NO_POOLING
    if pools or header.number(f"{name}.attention.causal") == 0:
        name = "bert" if name not in NO_STORY else name
    if name in NO_STORY:
        return f"is {NO_STORY[name]}: choose another model"
    if not header.n_tensors:
        return "holds a vocabulary and no weights: choose a whole model"
    kinds = header.numbers("tokenizer.ggml.token_type")
    if header.text("tokenizer.ggml.model") == "llama" and kinds is not None and BYTE_TOKEN not in kinds:
        return "has a vocabulary without bytes, so it cannot read every text: convert it again with its whole tokenizer"
    return ""


def _cut_short(path: Path, header: GgufHeader) -> str:
    there, whole = path.stat().st_size, header.end
    if there >= whole:
        return ""
    return f"is cut short, {100 * there // whole}% of it is there: fetch it again, or choose another"


class _Params(ctypes.Structure):
    _fields_ = (("no_alloc", ctypes.c_bool), ("ctx", ctypes.c_void_p))  # gguf_init_params


_C_TYPES = {
    "u8": ctypes.c_uint8, "i8": ctypes.c_int8, "u16": ctypes.c_uint16, "i16": ctypes.c_int16, "u32": ctypes.c_uint32,
    "i32": ctypes.c_int32, "u64": ctypes.c_uint64, "i64": ctypes.c_int64, "bool": ctypes.c_bool,
}  # fmt: skip


def _call(name: str, result: Any, *arguments: Any) -> Any:
    function = getattr(_ggml, name)
    function.restype = result
    kinds = {int: ctypes.c_int64, bytes: ctypes.c_char_p}
    handle, *others = arguments
    function.argtypes = [ctypes.c_void_p, *(kinds[type(other)] for other in others)]
    return function(handle, *others)


@contextmanager
def _header(path: Path) -> Iterator[GgufHeader | None]:
    """Give the file's header; None if llama.cpp cannot read it."""
    opened = _ggml.gguf_init_from_file
    opened.argtypes, opened.restype = [ctypes.c_char_p, _Params], ctypes.c_void_p
    handle = opened(os.fsencode(path), _Params(True, None))
    try:
        yield GgufHeader(handle) if handle else None
    finally:
        if handle:
            _call("gguf_free", None, handle)
