"""llama.cpp behind a few Python methods: a model with its context; decode tokens, edit the cache.

Does not decide anything about prompts, nor what is reused of the cache (kv/reuse.py).
"""

import ctypes
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import llama_cpp
import llama_cpp.llama_cpp as lib
import numpy as np

from advrepl import AdvreplError
from advrepl.engines.base import DEFAULT_CTX, LoadOptions, LoadProgress
from advrepl.engines.files import check_file, fingerprint
from advrepl.engines.llama.cache_types import TYPES, cache_types, can_branch, check_memory, heads_of, spare_cells
from advrepl.engines.llama.loading import has_gpu, load_model
from advrepl.engines.llama.log import Log
from advrepl.engines.llama.threads import run_in_thread
from advrepl.engines.llama.vocab import Vocabulary, metadata
from advrepl.machine import physical_cores
from advrepl.prompt.formats import of_file

N_BATCH = 512
# Tokens prefilled in one go on a CPU: as fast as larger ones within a few percent, and the progress line moves.
CPU_CHUNK = 128
# Decoding this few tokens is over before a Ctrl-C could matter.
SHORT_BATCH = 16
# The sequences of the cache: the story's own, the one that is prefetched, one that is refreshed, and one by which cells
# are swapped out and in.
SEQ_STORY, SEQ_PREFETCH, SEQ_REFRESH, SEQ_SWAP = range(4)


class LlamaModel:
    """Load a GGUF with a context for it: decode tokens, edit its cache, copy that out and in.

    Raises AdvreplError where the file cannot be loaded or does not fit the memory. One thread at a time, but for
    `abort`, `state_size` and `copy_state`. Sequences of the cache go by SEQ_STORY and its like, positions from 0 on.
    """

    def __init__(self, path: Path, options: LoadOptions, log: Log, on_load: LoadProgress | None = None) -> None:
        self._log = log
        self._logits: Any = None  # an array, once there are some
        self._waits = has_gpu()  # only a GPU still computes when decoding returns
        self._cache_lock = threading.Lock()  # held while the cache changes or is copied
        self.k_shift_pending = False  # cells were moved: the next decode rotates their keys to the new positions
        check_file(path)
        log.attach()
        self.on_gpu = has_gpu() and options.layers != 0
        self._model = load_model(path, options, self.on_gpu, log, on_load)
        self._context: Any = None
        try:
            self.open_context(path, options)
        except AdvreplError:
            self.close()
            raise
        self.vocab = Vocabulary(self._model)
        self.path, self.fingerprint = path, fingerprint(path)
        self.library = str(llama_cpp.__version__)
        self.name, self.n_params = path.stem, int(lib.llama_model_n_params(self._model))
        template = lib.llama_model_chat_template(self._model, None)
        self.template = template.decode("utf-8", "replace") if template else None
        names = (metadata(self._model, "general.name") or "", self.name)
        self.format_hint = of_file(metadata(self._model, "advrepl.prompt_format"), self.template, names)
        has_rope = lib.llama_model_rope_type(self._model) != lib.LLAMA_ROPE_TYPE_NONE  # gpt2 claims it can shift
        quantized = self.cache_types[0] != "f16"
        movable = has_rope and (heads_of(self._model).quantized_keys_move or not quantized)
        self.can_shift = bool(lib.llama_memory_can_shift(self._memory)) and movable

    @property
    def context(self) -> Any:
        """Return the llama_context pointer, for measuring; another one after each `open_context`."""
        return self._context

    def decode(self, tokens: Sequence[int], position: int, seq_id: int = SEQ_STORY) -> bool:
        """Add at most `n_batch` tokens at the end of a sequence, its `position`; False if aborted, then none is added.

        `logits` are those behind the last token then. Many tokens are decoded in a thread, so that Ctrl-C is heard.
        """
        if len(tokens) == 1 and seq_id == SEQ_STORY:
            self._next_token[0] = tokens[0]
            return self._run(self._next)
        if len(tokens) <= SHORT_BATCH:
            return self.decode_inline(tokens, position, seq_id)
        return run_in_thread(lambda: self.decode_inline(tokens, position, seq_id))

    def decode_inline(self, tokens: Sequence[int], position: int, seq_id: int) -> bool:
        """Do what `decode` does in the calling thread, however many tokens there are: it hears no Ctrl-C meanwhile."""
        for at, token in enumerate(tokens):
            self._tokens[at], self._positions[at], self._asked[at] = token, position + at, 0
            if self._seq_ids[at] != seq_id:
                self._seq_ids[at] = self._batch.seq_id[at][0] = seq_id
        self._asked[len(tokens) - 1] = 1
        self._batch.n_tokens = len(tokens)
        return self._run(self._batch)

    def _run(self, batch: Any) -> bool:
        """Decode a batch; False if aborted. Raises AdvreplError with llama.cpp's reason."""
        with self._cache_lock:
            code = self._decode_with_k_shift(batch) if self.k_shift_pending else lib.llama_decode(self._context, batch)
        if code in (0, 2):
            return bool(code == 0)
        reason = "the context is full" if code == 1 else self._log.last_error or f"code {code}"
        raise AdvreplError(f"llama.cpp could not go on: {reason}")

    def _decode_with_k_shift(self, batch: Any) -> int:
        """Decode, not to be stopped: keys that are rotated by then would be rotated again with the next decode."""
        with self.unstoppable():
            code = lib.llama_decode(self._context, batch)
        self.k_shift_pending = False
        return int(code)

    @contextmanager
    def unstoppable(self) -> Iterator[None]:
        """Let llama.cpp not ask whether to stop meanwhile."""
        lib.llama_set_abort_callback(self._context, lib.ggml_abort_callback(), None)
        try:
            yield
        finally:
            lib.llama_set_abort_callback(self._context, self._stop_flag, ctypes.cast(self._abort, ctypes.c_void_p))

    def remove(self, start: int, end: int, seq_id: int = SEQ_STORY) -> bool:
        """Take the tokens from `start` to before `end` out of a sequence; -1: no bound.

        False where the model cannot forget a part (recurrent ones): then nothing has changed.
        """
        with self._cache_lock:
            return bool(lib.llama_memory_seq_rm(self._memory, seq_id, start, end))

    def move(self, start: int, end: int, by: int, seq_id: int = SEQ_STORY) -> None:
        """Move the cached tokens from `start` to before `end` by so many positions towards the front."""
        with self._cache_lock:
            lib.llama_memory_seq_add(self._memory, seq_id, start, end, -by)
            self.k_shift_pending = True

    def state_size(self) -> int:
        """Return how many bytes the story's cache takes as a copy; from any thread."""
        with self._cache_lock:
            return int(lib.llama_state_seq_get_size(self._context, 0))

    def copy_state(self, memory: Callable[[int], memoryview], expected: Callable[[], int]) -> memoryview | None:
        """Copy the story's cache into `memory(bytes)`; from any thread.

        `expected` is called when nothing can change the cache any more. None, and no copy, unless the cache holds as
        many tokens as that returns, and none that was moved and not decoded since.
        """
        with self._cache_lock:
            if self.k_shift_pending or self._length() != expected():
                return None
            size = int(lib.llama_state_seq_get_size(self._context, 0))
            state = memory(size)
            done = lib.llama_state_seq_get_data(self._context, _address(state), size, 0)
            return state if done == size else None

    def restore_state(self, state: memoryview, length: int) -> bool:
        """Replace the story's cache by such a copy of `length` tokens; False, and an empty cache, if it is none."""
        with self._cache_lock:
            self.k_shift_pending = False
            done = lib.llama_state_seq_set_data(self._context, _address(state), len(state), 0)
            if done == len(state) and self._length() == length:
                return True
            lib.llama_memory_seq_rm(self._memory, 0, 0, -1)
            return False

    def _length(self) -> int:
        return int(lib.llama_memory_seq_pos_max(self._memory, 0)) + 1

    def copy(self, source: int, target: int, start: int = 0) -> None:
        """Let the sequence `target` hold what `source` holds from position `start` on; they share the cells."""
        with self._cache_lock:
            lib.llama_memory_seq_rm(self._memory, target, start, -1)
            lib.llama_memory_seq_cp(self._memory, source, target, start, -1)

    def swap_out(self, seq_id: int, start: int) -> Any:
        """Take what a sequence, and no other one, holds from `start` on out of the cache; return it for `swap_in`."""
        with self._cache_lock:
            lib.llama_memory_seq_cp(self._memory, seq_id, SEQ_SWAP, start, -1)
            size = int(lib.llama_state_seq_get_size(self._context, SEQ_SWAP))
            cells = (ctypes.c_uint8 * size)()
            lib.llama_state_seq_get_data(self._context, cells, size, SEQ_SWAP)
            lib.llama_memory_seq_rm(self._memory, SEQ_SWAP, -1, -1)
            lib.llama_memory_seq_rm(self._memory, seq_id, start, -1)
            return cells

    def swap_in(self, seq_id: int, start: int, cells: Any) -> bool:
        """Put it back into the first free cells, in order; False if llama.cpp does not take it."""
        with self._cache_lock:
            done = lib.llama_state_seq_set_data(self._context, cells, len(cells), SEQ_SWAP)
            lib.llama_memory_seq_cp(self._memory, SEQ_SWAP, seq_id, start, -1)
            lib.llama_memory_seq_rm(self._memory, SEQ_SWAP, -1, -1)
            return bool(done == len(cells))

    def extent(self, seq_id: int) -> tuple[int, int]:
        """Return the first and the last position that a sequence holds; -1 and -1 if it is empty."""
        low = lib.llama_memory_seq_pos_min(self._memory, seq_id)
        return int(low), int(lib.llama_memory_seq_pos_max(self._memory, seq_id))

    def logits(self) -> Any:
        """Return the logits behind the last decoded token, shaped (vocab.size,): the next decode overwrites them."""
        if self._logits is None:
            # As each batch asks for those of one token, they always lie at one place: asking llama.cpp for it each
            # time would take 20 microseconds.
            self._logits = np.ctypeslib.as_array(lib.llama_get_logits_ith(self._context, -1), (self.vocab.size,))
        if self._waits:
            lib.llama_synchronize(self._context)
        return self._logits

    def abort(self, now: bool) -> None:
        """Let what is being decoded, and what follows, end at once (True), or go on again; from any thread."""
        self.aborted = now
        self._abort.value = b"1" if now else b"0"

    def close(self) -> None:
        """Free the context and the model; may be called again."""
        self._close_context()
        if self._model:
            lib.llama_model_free(self._model)
            self._model = None

    def open_context(self, path: Path, options: LoadOptions) -> None:
        """Open a context with an empty cache; one that is open is closed first. Raises AdvreplError without memory."""
        self._close_context()
        trained = int(lib.llama_model_n_ctx_train(self._model))
        if options.ctx and options.ctx > trained:
            raise AdvreplError(f"--ctx {options.ctx} is more than the {trained} tokens that {path.name} was trained on")
        tuning = options.tuning
        params = lib.llama_context_default_params()
        params.n_ctx = self.n_ctx = options.ctx or min(trained, DEFAULT_CTX)
        params.n_batch = params.n_ubatch = self.n_batch = min(tuning.batch or N_BATCH, self.n_ctx)
        self.chunk = self.n_batch if self.on_gpu or tuning.batch else min(CPU_CHUNK, self.n_batch)
        params.n_threads = self.threads = options.threads or tuning.threads or physical_cores()
        params.n_threads_batch = self.threads_batch = options.threads or tuning.threads_batch or self.threads
        self._abort, self.aborted = ctypes.create_string_buffer(b"0", 2), False
        params.abort_callback = self._stop_flag = _flag_reader()
        params.abort_callback_data = ctypes.cast(self._abort, ctypes.c_void_p)
        self.cache_types = cache_types(heads_of(self._model), path.name, options.kv, self.on_gpu)
        params.type_k, params.type_v = (TYPES[kind] for kind in self.cache_types)
        # Quantized values cannot do without; without it llama.cpp keeps them transposed. On a CPU it takes up to
        # twice the time for a few tokens behind a full window [measured].
        wanted = self.on_gpu if tuning.flash_attn is None else tuning.flash_attn
        self.flash_attn = self.cache_types[1] != "f16" or wanted
        if not self.flash_attn:
            params.flash_attn_type = lib.LLAMA_FLASH_ATTN_TYPE_DISABLED
        if not self.on_gpu:
            check_memory(self._model, path, self.n_ctx, self.cache_types)
        self.branches = options.branches
        self._context = self._with_branches(params, path) or lib.llama_init_from_model(self._model, params)
        if not self._context:
            raise AdvreplError(
                f"no memory for a context of {self.n_ctx} tokens ({self._log.last_error}): give a smaller --ctx"
            )
        self._memory = lib.llama_get_memory(self._context)
        self._make_batch()

    def _make_batch(self) -> None:
        self._batch = batch = lib.llama_batch_init(self.n_batch, 0, 1)
        for i in range(self.n_batch):
            batch.n_seq_id[i], batch.seq_id[i][0] = 1, 0
        # For each token that is generated: the batch behind the story's end, which llama.cpp fills in by itself.
        self._next_token = (lib.llama_token * 1)()
        self._next = lib.llama_batch_get_one(self._next_token, 1)
        # Held here, as each look at a struct's pointer makes a new object.
        self._tokens, self._positions, self._asked = batch.token, batch.pos, batch.logits
        self._seq_ids = [0] * self.n_batch  # as batch.seq_id has them

    def _with_branches(self, params: Any, path: Path) -> Any:
        """Open a context with one cache for several sequences; None if none is wanted, or it does not fit."""
        self.spare = 0
        if not self.branches or not can_branch(self._model):
            self.branches = 0
            return None
        self.spare = spare_cells(self._model, path, self.n_ctx, self.cache_types, self.on_gpu)
        alone = params.n_ctx
        params.n_ctx, params.n_seq_max, params.kv_unified = alone + self.spare, SEQ_SWAP + 1, True
        context = lib.llama_init_from_model(self._model, params)
        params.n_ctx, params.n_seq_max, params.kv_unified = alone, 1, False
        if not context:
            self.branches = self.spare = 0
        return context

    def _close_context(self) -> None:
        if self._context:
            lib.llama_batch_free(self._batch)
            lib.llama_free(self._context)
            self._context = self._logits = None


def _flag_reader() -> Any:
    """Return a C function that reads "0" or "1" from the address it gets, for llama.cpp to ask whether to stop.

    llama.cpp asks after each step of the graph, a thousand times a token. libc's atoi answers in nanoseconds and
    without Python's lock; a Python function would cost a tenth of the speed.
    """
    libc = ctypes.CDLL("msvcrt" if sys.platform == "win32" else None)
    return lib.ggml_abort_callback(ctypes.cast(libc.atoi, ctypes.c_void_p).value)


def _address(data: memoryview) -> Any:
    return np.frombuffer(data, np.uint8).ctypes.data_as(ctypes.POINTER(ctypes.c_uint8))
