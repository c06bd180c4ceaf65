"""llama.cpp behind a few Python methods: a model with its context; decode tokens. Its cache is in memory.py.

Does not decide anything about prompts, nor what is reused of the cache (kv/reuse.py).
"""

import ctypes
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import llama_cpp
import llama_cpp.llama_cpp as lib
import numpy as np

from advrepl import AdvreplError
from advrepl.engines.base import DEFAULT_CTX, LoadOptions, LoadProgress, more_room
from advrepl.engines.facts import Kept
from advrepl.engines.files import fingerprint
from advrepl.engines.llama.abilities import CacheHeader, abilities, seeing_all
from advrepl.engines.llama.cache_types import TYPES, cache_types, cell_of, check_memory, heads_of, spare_cells
from advrepl.engines.llama.header import GgufHeader, forget_header, read_header
from advrepl.engines.llama.loading import has_gpu, load_model
from advrepl.engines.llama.log import Log
from advrepl.engines.llama.memory import SEQ_GUARD, SEQ_STORY, SEQ_SWAP, LlamaMemory
from advrepl.engines.llama.threads import run_in_thread
from advrepl.engines.llama.vocab import Vocabulary, metadata
from advrepl.machine import physical_cores
from advrepl.prompt.formats import of_file

N_BATCH = 512
# Tokens prefilled in one go on a CPU: as fast as larger ones within a few percent, and the progress line moves.
CPU_CHUNK = 128
# Decoding this few tokens is over before a Ctrl-C could matter.
SHORT_BATCH = 16
# What cannot be cut back cannot be decoded in part either: so many are decoded before a Ctrl-C is heard.
UNSTOPPABLE_CHUNK = 32


class LlamaModel(LlamaMemory):
    """Load a GGUF with a context for it: decode tokens, edit its cache, copy that out and in.

    Raises AdvreplError where the file cannot be loaded or does not fit the memory. One thread at a time, but for
    `abort`, `state_size` and `copy_state`.
    """

    def __init__(self, path: Path, options: LoadOptions, log: Log, on_load: LoadProgress | None = None) -> None:
        super().__init__()
        self._log = log
        self._logits: Any = None  # an array, once there are some
        self._waits = has_gpu()  # only a GPU still computes when decoding returns
        log.attach()
        self.on_gpu = has_gpu() and options.layers != 0
        self._model = load_model(path, options, self.on_gpu, log, on_load)
        self._context = None
        header = read_header(path)
        self.abilities = abilities(cache_header(self._model, header))
        self._cell = cell_of(header, int(lib.llama_model_n_layer(self._model)))
        forget_header()
        try:
            self.open_context(path, options)
        except AdvreplError:
            self.close()
            raise
        self.vocab = Vocabulary(self._model)
        self.vocab.leads = Kept(path, "leads")
        self.path, self.fingerprint = path, fingerprint(path)
        self.library = str(llama_cpp.__version__)
        self.name, self.n_params = path.stem, int(lib.llama_model_n_params(self._model))
        template = lib.llama_model_chat_template(self._model, None)
        self.template = template.decode("utf-8", "replace") if template else None
        names = (metadata(self._model, "general.name") or "", self.name)
        self.format_hint = of_file(metadata(self._model, "advrepl.prompt_format"), self.template, names)
        quantized = self.cache_types[0] != "f16"
        movable = self.abilities.moves and (heads_of(self._model).quantized_keys_move or not quantized)
        self.can_shift = movable and bool(lib.llama_memory_can_shift(self._memory))

    @property
    def handle(self) -> Any:
        """Return the llama_model pointer, for its header."""
        return self._model

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
        self._fill(tokens, position, seq_id)
        self._asked[len(tokens) - 1] = 1
        return self._run(self._batch)

    def _fill(self, tokens: Sequence[int], position: int, seq_id: int) -> None:
        """Put tokens into the batch; it asks for no logits yet."""
        for at, token in enumerate(tokens):
            self._tokens[at], self._positions[at], self._asked[at] = token, position + at, 0
            if self._seq_ids[at] != seq_id:
                self._seq_ids[at] = self._batch.seq_id[at][0] = seq_id
        self._batch.n_tokens = len(tokens)

    def decode_all(self, tokens: Sequence[int], position: int) -> Any:
        """Add at most `n_batch` tokens at the end of the story's sequence; return the logits behind each, as a copy.

        Shaped (tokens, vocab.size), in float32. Raises AdvreplError with llama.cpp's reason.
        """
        self._logits = None  # they lie elsewhere once there are many
        with self.unstoppable():
            self._fill(tokens, position, SEQ_STORY)
            for at in range(len(tokens)):
                self._asked[at] = 1
            self._run(self._batch)
        return np.ctypeslib.as_array(lib.llama_get_logits(self._context), (len(tokens), self.vocab.size)).copy()

    def _run(self, batch: Any) -> bool:
        """Decode a batch; False if aborted. Raises AdvreplError with llama.cpp's reason."""
        with self._cache_lock:
            if self.abilities.window and self._unguarded >= self.abilities.window:
                self._guard()
            self._unguarded += batch.n_tokens
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
            self._let_stop()

    def _let_stop(self) -> None:
        if not self.abilities.snapshots:  # a recurrent state that was computed in part is lost
            lib.llama_set_abort_callback(self._context, self._stop_flag, ctypes.cast(self._abort, ctypes.c_void_p))

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
        tuning = options.tuning
        params = lib.llama_context_default_params()
        params.n_ctx = self.n_ctx = self._context_size(path, options.ctx)
        params.n_batch = params.n_ubatch = self.n_batch = min(tuning.batch or N_BATCH, self.n_ctx)
        self.chunk = self.n_batch if self.on_gpu or tuning.batch else min(CPU_CHUNK, self.n_batch)
        params.n_threads = self.threads = options.threads or tuning.threads or physical_cores()
        params.n_threads_batch = self.threads_batch = options.threads or tuning.threads_batch or self.threads
        self._abort, self.aborted = ctypes.create_string_buffer(b"0", 2), False
        self._stop_flag = _flag_reader()
        if self.abilities.snapshots:
            self.chunk = min(self.chunk, UNSTOPPABLE_CHUNK)
        heads, moves = heads_of(self._model), self.abilities.moves
        self.cache_types = cache_types(heads, path.name, options.kv, self.on_gpu, moves)
        params.type_k, params.type_v = (TYPES[kind] for kind in self.cache_types)
        # Quantized values cannot do without; without it llama.cpp keeps them transposed. On a CPU it takes up to
        # twice the time for a few tokens behind a full window [measured].
        wanted = self.on_gpu if tuning.flash_attn is None else tuning.flash_attn
        self.flash_attn = heads.fused and (self.cache_types[1] != "f16" or wanted)
        if not self.flash_attn:
            params.flash_attn_type = lib.LLAMA_FLASH_ATTN_TYPE_DISABLED
        if not self.on_gpu:
            check_memory(self._cell, path, self.n_ctx, self.cache_types)
        self._context = self._open(params, path, options)
        if not self._context:
            raise AdvreplError(
                f"no memory for a context of {self.n_ctx} tokens ({self._log.last_error}): give a smaller --ctx"
            )
        self._memory = lib.llama_get_memory(self._context)
        self._make_batch()
        self._let_stop()

    def _context_size(self, path: Path, asked: int | None) -> int:
        """Return how many tokens the context is to have."""
        trained = int(lib.llama_model_n_ctx_train(self._model))
        if asked and asked > trained:
            raise AdvreplError(f"--ctx {asked} is more than the {trained} tokens that {path.name} was trained on")
        n_ctx = asked or min(trained, DEFAULT_CTX)
        self.more_room = more_room(path.name, n_ctx, trained)
        return n_ctx

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

    def _open(self, params: Any, path: Path, options: LoadOptions) -> Any:
        """Return a context with one cache for several sequences, and cells to spare if branches are wanted and fit."""
        params.n_seq_max, params.kv_unified = (SEQ_GUARD if self.abilities.window else SEQ_SWAP) + 1, True
        self.branches = options.branches if self.abilities.branches else 0
        self.spare = 0
        if self.branches and self.abilities.moves:  # only what was moved is refreshed
            self.spare = spare_cells(self._model, self._cell, path, self.n_ctx, self.cache_types, self.on_gpu)
        params.n_ctx = self.n_ctx + self.spare
        if not (context := lib.llama_init_from_model(self._model, params)) and self.spare:
            self.branches = self.spare = 0
            params.n_ctx = self.n_ctx
            context = lib.llama_init_from_model(self._model, params)
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


def cache_header(model: Any, file: GgufHeader) -> CacheHeader:
    """Return what the file of a loaded model says about its cache; `model`: a llama_model pointer."""
    name, layers = metadata(model, "general.architecture") or "", int(lib.llama_model_n_layer(model))
    return CacheHeader(
        name,
        lib.llama_model_rope_type(model) != lib.LLAMA_ROPE_TYPE_NONE,
        metadata(model, f"{name}.rope.scaling.type") or "",
        float(metadata(model, f"{name}.rope.scaling.attn_factor") or 1),
        layers,
        int(lib.llama_model_n_swa(model)),
        seeing_all(file, name, layers),
        bool(lib.llama_model_is_recurrent(model) or lib.llama_model_is_hybrid(model)),
    )
