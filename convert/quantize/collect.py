"""Make an importance matrix by running a model over a text.

Loads llama_cpp and reads the engine's own tensors, so it runs in the quantizer's child process (__main__.py).
Knows nothing of the file it is kept in (imatrix.py).
"""

import ctypes
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import llama_cpp
import numpy as np
import numpy.typing as npt
from llama_cpp import _ggml

from convert import ConvertError
from convert.quantize.imatrix import CHUNK_TOKENS, write_imatrix

MIN_TOKENS = 16  # a batch of fewer is not counted; llama.cpp's own tool does the same
F32_TYPE = 0  # GGML_TYPE_F32
MOVED = "this llama-cpp-python lays tensors out differently; give a ready file with --imatrix FILE"


class GgmlTensor(ctypes.Structure):
    """The head of struct ggml_tensor (ggml.h). llama_cpp pins its own version of it: `check_layout` compares."""

    _fields_ = (
        ("type", ctypes.c_int),
        ("buffer", ctypes.c_void_p),
        ("ne", ctypes.c_int64 * 4),  # sizes, innermost first
        ("nb", ctypes.c_size_t * 4),  # strides in bytes
        ("op", ctypes.c_int),
        ("op_params", ctypes.c_int32 * 16),
        ("flags", ctypes.c_int32),
        ("src", ctypes.c_void_p * 10),
        ("view_src", ctypes.c_void_p),
        ("view_offs", ctypes.c_size_t),
        ("data", ctypes.c_void_p),
        ("name", ctypes.c_char * 64),
    )


class GgmlInitParams(ctypes.Structure):
    """struct ggml_init_params (ggml.h)."""

    _fields_ = (("mem_size", ctypes.c_size_t), ("mem_buffer", ctypes.c_void_p), ("no_alloc", ctypes.c_bool))


def check_layout(lib: Any) -> int:
    """Build a product with ggml itself and find everything where `GgmlTensor` expects it: GGML_OP_MUL_MAT's number.

    Raises ConvertError if the struct has moved, which would otherwise read stray memory.
    """
    for name in ("ggml_init", "ggml_new_tensor_2d", "ggml_mul_mat", "ggml_set_name", "ggml_get_data"):
        getattr(lib, name).restype = ctypes.c_void_p
    context = ctypes.c_void_p(lib.ggml_init(GgmlInitParams(1 << 16, None, False)))
    sizes = [ctypes.c_int64(n) for n in (5, 3, 5, 7)]
    left, right = (ctypes.c_void_p(lib.ggml_new_tensor_2d(context, F32_TYPE, *s)) for s in (sizes[:2], sizes[2:]))
    product = ctypes.c_void_p(lib.ggml_mul_mat(context, left, right))
    lib.ggml_set_name(product, b"blk.0.probe")
    seen = GgmlTensor.from_address(product.value or 0)
    fits = (
        (seen.type, list(seen.ne), list(seen.nb)) == (F32_TYPE, [3, 7, 1, 1], [4, 12, 84, 84])
        and list(seen.src[:3]) == [left.value, right.value, None]
        and (seen.name, seen.data) == (b"blk.0.probe", lib.ggml_get_data(product))
    )
    operation = int(seen.op)
    lib.ggml_free(context)
    if not fits:
        raise ConvertError(MOVED)
    return operation


class Collector:
    """Adds up squares of every input of a weight, called by llama.cpp between two nodes of its graph (cb_eval)."""

    def __init__(self, mul_mat: int) -> None:
        self.mul_mat = mul_mat  # GGML_OP_MUL_MAT
        self.sums: dict[str, npt.NDArray[np.float64]] = {}  # by the weight's name, one for each column
        self.counts: dict[str, int] = {}  # of rows

    def __call__(self, address: int, ask: bool, user_data: object) -> bool:
        node = GgmlTensor.from_address(address)
        if node.op != self.mul_mat:
            return not ask
        weight, inputs = (GgmlTensor.from_address(source) for source in node.src[:2])
        name = weight.name.decode("utf-8", "replace")
        wanted = name.startswith("blk.") or name == "output.weight"
        if not wanted or inputs.type != F32_TYPE or inputs.ne[1] < MIN_TOKENS:
            return not ask
        if not ask:
            self.add(name, inputs)
        return True

    def add(self, name: str, inputs: GgmlTensor) -> None:
        """Count what a weight is multiplied with; F32, in plain memory."""
        columns, rows = inputs.ne[0], inputs.ne[1] * inputs.ne[2] * inputs.ne[3]
        flat = (ctypes.c_float * (columns * rows)).from_address(inputs.data)
        values = np.frombuffer(flat, np.float32).reshape(rows, columns)
        squares = np.einsum("rc,rc->c", values, values, dtype=np.float64)
        self.sums[name] = self.sums.get(name, 0) + squares
        self.counts[name] = self.counts.get(name, 0) + rows


def collect(model: Path, text: str, out: Path, threads: int, say: Callable[[str], None]) -> None:
    """Run the model over the text in chunks and write what was added up; `say` hears "chunk DONE ALL".

    Raises ConvertError if the text is too short or llama.cpp fails.
    """
    collector = Collector(check_layout(_ggml.libggml))
    with load_model(model, collector, threads) as (context, vocab):
        ids = tokenize(vocab, text)
        # What is left over at the end is not enough to be counted; a text shorter than a chunk is one chunk.
        chunks = [ids[at : at + CHUNK_TOKENS] for at in range(0, max(len(ids) - CHUNK_TOKENS, 0) + 1, CHUNK_TOKENS)]
        if len(chunks[0]) < MIN_TOKENS:
            raise ConvertError(f"the calibration text has {len(ids)} tokens; give one of a few thousand words")
        for done, chunk in enumerate(chunks):
            say(f"chunk {done} {len(chunks)}\n")
            decode(context, chunk)
    say(f"chunk {len(chunks)} {len(chunks)}\n")
    write_imatrix(out, collector.sums, collector.counts, len(chunks))


@contextmanager
def load_model(model: Path, collector: Collector, threads: int) -> Iterator[tuple[Any, Any]]:
    """A context and the vocabulary of a model, on the CPU, where the inputs of each weight lie in plain memory."""
    settings = llama_cpp.llama_model_default_params()
    settings.n_gpu_layers = 0
    loaded = llama_cpp.llama_model_load_from_file(str(model).encode(), settings)
    if not loaded:
        raise ConvertError(f"{model}: llama.cpp cannot load it")
    params = llama_cpp.llama_context_default_params()
    params.n_ctx = params.n_batch = params.n_ubatch = CHUNK_TOKENS
    params.n_threads = params.n_threads_batch = threads
    params.cb_eval = llama_cpp.ggml_backend_sched_eval_callback(collector)
    context = llama_cpp.llama_init_from_model(loaded, params)
    try:
        yield context, llama_cpp.llama_model_get_vocab(loaded)
    finally:
        llama_cpp.llama_free(context)
        llama_cpp.llama_model_free(loaded)


def tokenize(vocab: Any, text: str) -> list[int]:
    """The text's tokens, with a begin token where the model wants one."""
    data = text.encode()
    ids = (llama_cpp.llama_token * (len(data) + 2))()  # never more tokens than bytes
    count = llama_cpp.llama_tokenize(vocab, data, len(data), ids, len(ids), True, False)
    return list(ids[:count])


def decode(context: Any, ids: list[int]) -> None:
    """Run one chunk from an empty cache, with logits for all: without them the last layer sees one token only."""
    llama_cpp.llama_memory_clear(llama_cpp.llama_get_memory(context), True)
    batch = llama_cpp.llama_batch_init(len(ids), 0, 1)
    batch.n_tokens = len(ids)
    for place, token in enumerate(ids):
        batch.token[place], batch.pos[place], batch.logits[place] = token, place, 1
        batch.n_seq_id[place] = 1
        batch.seq_id[place][0] = 0
    result = llama_cpp.llama_decode(context, batch)
    llama_cpp.llama_batch_free(batch)
    if result:
        raise ConvertError(f"llama.cpp could not run the calibration text (code {result})")
