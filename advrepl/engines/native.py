"""llama.cpp behind a few Python methods: load a model, decode tokens, edit the cache, spell tokens.

With sampler.py the only place where the game touches llama_cpp. Does not decide anything about prompts or caches.
"""

import ctypes
import hashlib
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import llama_cpp.llama_cpp as lib
import psutil

from advrepl import AdvreplError
from advrepl.engines.aside import aside
from advrepl.engines.log import Log
from advrepl.prompt.formats import format_by_name
from advrepl.prompt.segments import Segment

Loading = Callable[[float], None]  # share of the file that is loaded, 0 to 1

GIB = 1 << 30
DEFAULT_CTX = 4096
N_BATCH = 512
# Decoding this few tokens is over before a Ctrl-C could matter.
SHORT = 16
PIECE_BYTES = 512


@dataclass(frozen=True)
class LoadOptions:
    """What the player may choose about loading; None: found out here."""

    ctx: int | None = None
    threads: int | None = None
    gpu_layers: int | None = None


class Vocabulary:
    """A model's tokens: text to ids and back."""

    def __init__(self, model: Any) -> None:
        self._vocab = lib.llama_model_get_vocab(model)
        self.size = int(lib.llama_vocab_n_tokens(self._vocab))
        self.bos = int(lib.llama_vocab_bos(self._vocab))
        self.eos = int(lib.llama_vocab_eos(self._vocab))
        self._add_bos = bool(lib.llama_vocab_get_add_bos(self._vocab))
        self._prefix = ""
        if lib.llama_vocab_type(self._vocab) == lib.LLAMA_VOCAB_TYPE_SPM:
            self._prefix = " " if metadata(model, "tokenizer.ggml.add_space_prefix") != "false" else ""
        self._pieces: dict[int, bytes] = {}
        self._buffer = ctypes.create_string_buffer(PIECE_BYTES)

    @property
    def handle(self) -> Any:
        return self._vocab

    def encode(self, segment: Segment, first: bool) -> tuple[int, ...]:
        """Special tokens are found in the mark only. SentencePiece's leading space stands before the first segment."""
        mark = (self._prefix if first else "") + segment.mark
        return (*self._tokenize(mark, special=True), *self._tokenize(segment.text, special=False))

    def plain(self, text: str) -> list[int]:
        return self._tokenize(text, special=False)

    def opening(self, tokens: Sequence[int]) -> tuple[int, ...]:
        """What must stand before the first tokens of a prompt: the beginning-of-text token, unless it is there."""
        return (self.bos,) if self._add_bos and tokens[:1] != (self.bos,) else ()

    def ends(self, token: int) -> bool:
        return bool(lib.llama_vocab_is_eog(self._vocab, token))

    def piece(self, token: int) -> bytes:
        """The bytes a token spells; none for control tokens."""
        piece = self._pieces.get(token)
        if piece is None:
            size = lib.llama_token_to_piece(self._vocab, token, self._buffer, PIECE_BYTES, 0, False)
            piece = self._pieces[token] = self._buffer.raw[: max(size, 0)]
        return piece

    def special(self, token: int) -> str:
        """A control token as it is written in templates; "" if there is none."""
        text = lib.llama_vocab_get_text(self._vocab, token) if token >= 0 else b""
        return (text or b"").decode("utf-8", "replace")

    def _tokenize(self, text: str, special: bool) -> list[int]:
        if not text:
            return []
        data = text.encode("utf-8", "surrogatepass")
        size = len(data) + 2
        tokens = (lib.llama_token * size)()
        count = lib.llama_tokenize(self._vocab, data, len(data), tokens, size, False, special)
        return list(tokens[: max(count, 0)])


class Loaded:
    """A model and its context in memory."""

    def __init__(self, path: Path, options: LoadOptions, log: Log, loading: Loading | None = None) -> None:
        self._log = log
        check_file(path)
        log.attach()
        self.on_gpu = bool(lib.llama_supports_gpu_offload()) and options.gpu_layers != 0
        self._model = _load_model(path, options, self.on_gpu, log, loading)
        self._context: Any = None
        try:
            self._open_context(path, options)
        except AdvreplError:
            self.close()
            raise
        self.vocab = Vocabulary(self._model)
        self.path, self.fingerprint = path, fingerprint(path)
        self.name = path.stem
        self.format_hint = metadata(self._model, "advrepl.prompt_format") or format_by_name(
            metadata(self._model, "general.name") or ""
        )
        template = lib.llama_model_chat_template(self._model, None)
        self.template = template.decode("utf-8", "replace") if template else None
        has_rope = lib.llama_model_rope_type(self._model) != lib.LLAMA_ROPE_TYPE_NONE  # gpt2 claims it can shift
        self.can_shift = bool(lib.llama_memory_can_shift(self._memory)) and has_rope

    def decode(self, tokens: Sequence[int], position: int) -> bool:
        """Add tokens to the cache from `position` on, logits for the last; False if aborted."""
        if len(tokens) <= SHORT:
            return self._decode(tokens, position)
        return aside(lambda: self._decode(tokens, position))

    def _decode(self, tokens: Sequence[int], position: int) -> bool:
        batch, count = self._batch, len(tokens)
        batch.n_tokens = count
        for i, token in enumerate(tokens):
            batch.token[i], batch.pos[i], batch.n_seq_id[i], batch.logits[i] = token, position + i, 1, 0
            batch.seq_id[i][0] = 0
        batch.logits[count - 1] = 1
        code = lib.llama_decode(self._context, batch)
        if code in (0, 2):
            return bool(code == 0)
        reason = "the context is full" if code == 1 else self._log.last_error or f"code {code}"
        raise AdvreplError(f"llama.cpp could not go on: {reason}")

    def remove(self, start: int, end: int) -> bool:
        return bool(lib.llama_memory_seq_rm(self._memory, 0, start, end))

    def move(self, start: int, end: int, by: int) -> None:
        """Move the cached tokens from `start` to before `end` by so many positions towards the front."""
        lib.llama_memory_seq_add(self._memory, 0, start, end, -by)

    def logits(self) -> Any:
        return lib.llama_get_logits_ith(self._context, -1)

    @property
    def aborted(self) -> bool:
        return self._abort.value != b"0"

    def abort(self, now: bool) -> None:
        self._abort.value = b"1" if now else b"0"

    def close(self) -> None:
        if self._context:
            lib.llama_batch_free(self._batch)
            lib.llama_free(self._context)
            self._context = None
        if self._model:
            lib.llama_model_free(self._model)
            self._model = None

    def _open_context(self, path: Path, options: LoadOptions) -> None:
        trained = int(lib.llama_model_n_ctx_train(self._model))
        if options.ctx and options.ctx > trained:
            raise AdvreplError(f"--ctx {options.ctx} is more than the {trained} tokens that {path.name} was trained on")
        params = lib.llama_context_default_params()
        params.n_ctx = self.n_ctx = options.ctx or min(trained, DEFAULT_CTX)
        params.n_batch = params.n_ubatch = self.n_batch = min(N_BATCH, self.n_ctx)
        params.n_threads = params.n_threads_batch = self.threads = options.threads or physical_cores()
        self._abort = ctypes.create_string_buffer(b"0", 2)
        params.abort_callback = _flag_reader()
        params.abort_callback_data = ctypes.cast(self._abort, ctypes.c_void_p)
        self._check_cache_memory(path)
        self._context = lib.llama_init_from_model(self._model, params)
        if not self._context:
            raise AdvreplError(
                f"no memory for a context of {self.n_ctx} tokens ({self._log.last_error}): give a smaller --ctx"
            )
        self._memory = lib.llama_get_memory(self._context)
        self._batch = lib.llama_batch_init(self.n_batch, 0, 1)

    def _check_cache_memory(self, path: Path) -> None:
        model = self._model
        heads, kv_heads = max(lib.llama_model_n_head(model), 1), lib.llama_model_n_head_kv(model)
        width = lib.llama_model_n_embd(model) * kv_heads // heads
        needed = self.n_ctx * lib.llama_model_n_layer(model) * width * 2 * 2  # keys and values, 16 bit
        free = psutil.virtual_memory().available
        if not self.on_gpu and needed > free:
            raise AdvreplError(
                f"a context of {self.n_ctx} tokens takes {needed / GIB:.1f} GB besides {path.name}, "
                f"and {free / GIB:.1f} GB are free: give a smaller --ctx"
            )


def physical_cores() -> int:
    """Cores this process may use, hyper-threads not counted: more threads make llama.cpp slower."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(min(psutil.cpu_count(logical=False) or allowed, allowed), 1)


def fingerprint(path: Path) -> str:
    """A name for the contents of a model file from its size and samples of it, in a few milliseconds."""
    size = path.stat().st_size
    digest = hashlib.sha256(str(size).encode())
    with path.open("rb") as file:
        for part in range(65):
            file.seek(max(0, (size - (1 << 16)) * part // 64))
            digest.update(file.read(1 << 16))
    return digest.hexdigest()[:32]


def check_file(path: Path) -> None:
    try:
        with path.open("rb") as file:
            magic = file.read(4)
    except OSError as error:
        raise AdvreplError(f"model {path} cannot be read: {error.strerror}") from error
    if magic != b"GGUF":
        raise AdvreplError(f"{path} is not a GGUF file: convert a model with `advrepl convert`, or choose another")


def _load_model(path: Path, options: LoadOptions, on_gpu: bool, log: Log, loading: Loading | None) -> Any:
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


def _flag_reader() -> Any:
    """A C function that reads "0" or "1" from the address it gets, for llama.cpp to ask whether to stop.

    llama.cpp asks after each step of the graph, a thousand times a token. libc's atoi answers in nanoseconds and
    without Python's lock; a Python function would cost a tenth of the speed.
    """
    libc = ctypes.CDLL("msvcrt" if sys.platform == "win32" else None)
    return lib.ggml_abort_callback(ctypes.cast(libc.atoi, ctypes.c_void_p).value)


def metadata(model: Any, key: str) -> str | None:
    """A value of the file's header as text; None if it has none by that name."""
    buffer = ctypes.create_string_buffer(256)
    size = lib.llama_model_meta_val_str(model, key.encode(), buffer, len(buffer))
    return buffer.value.decode("utf-8", "replace") if size >= 0 else None
