"""transformers behind a few Python methods: load a folder's model, decode tokens, truncate its cache.

Does not decide anything about prompts, nor what is reused of the cache (engine.py). Nothing of the folder is ever
executed: weights come from safetensors or from .bin files read as data, the model's code from transformers.
"""

import inspect
import logging
import os
import pickle
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

os.environ.setdefault("HF_HUB_OFFLINE", "1")  # a folder is all there is; nothing is looked for on the network

import torch
from huggingface_hub.errors import StrictDataclassError
from safetensors import SafetensorError
from transformers import AutoConfig, AutoModelForCausalLM, DynamicCache
from transformers.cache_utils import DynamicLayer, DynamicSlidingWindowLayer
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES
from transformers.utils import logging as transformers_logging

from advrepl import AdvreplError
from advrepl.engines.base import DEFAULT_CTX, LoadOptions, LoadProgress, more_room
from advrepl.engines.hf.cache import Halt, KvCache, Stopped
from advrepl.engines.hf.folder import Folder, prompt_format
from advrepl.engines.hf.vocab import Vocabulary
from advrepl.machine import GIB, free_memory

# Tokens prefilled in one go: on a CPU few, so that the progress line moves.
CPU_CHUNK, GPU_CHUNK = 128, 512
# What transformers and torch raise where they read somebody's files, seen with thousands of damaged folders (5.17).
DAMAGED = (
    *(OSError, ValueError, KeyError, IndexError, TypeError, AttributeError, RuntimeError, ImportError, EOFError),
    *(ZeroDivisionError, OverflowError, pickle.UnpicklingError, SafetensorError, StrictDataclassError),
)


class HfModel:
    """Load a folder's model: decode tokens of one sequence, truncate what is cached of it.

    Raises AdvreplError where the folder cannot be loaded or does not fit the memory. One thread at a time, but for
    `abort`.
    """

    def __init__(
        self,
        folder: Folder,
        options: LoadOptions,
        on_load: LoadProgress | None = None,  # its answer is not asked for: transformers cannot be stopped
        dtype: torch.dtype | None = None,  # None: the best here
    ) -> None:
        self.name, self.fingerprint = folder.name, folder.fingerprint
        if options.kv:
            raise AdvreplError(f"--kv is for GGUF files: {folder.name} is played with a cache of its weights' type")
        if options.threads:
            torch.set_num_threads(options.threads)
        # Layers cannot be divided: all are on the GPU, or with --gpu-layers 0 none.
        device = torch.device("cpu") if options.gpu_layers == 0 else best_device()
        with _quiet(on_load):
            config = _config(folder)
            self.n_ctx, self.more_room = _context(config, options.ctx, folder.name)
            self.vocab = Vocabulary(folder.path, config.vocab_size)
            dtype = dtype or _fitting_dtype(folder, config, device, self.n_ctx)
            self._model = _load(folder, config, dtype).to(device).eval()
        self.n_params = self._model.num_parameters()
        self._cache_argument = _cache_argument(self._model)
        self.template = self.vocab.template
        self.format_hint = prompt_format(folder.path, self.template)
        self.chunk = CPU_CHUNK if device.type == "cpu" else GPU_CHUNK
        self._device, self._stop = device, Halt()
        self.cache: Any = KvCache(config.num_hidden_layers, self.n_ctx, self._stop)
        self._logits: Any = None

    def decode(self, tokens: Sequence[int]) -> bool:
        """Add tokens behind those that are cached, and compute the logits behind the last; False if aborted.

        If aborted, some layers may have got the tokens: `truncate` is to be called before the next.
        """
        ids = torch.tensor([tokens], device=self._device)
        try:
            with torch.inference_mode():
                out = self._model(ids, use_cache=True, logits_to_keep=1, **{self._cache_argument: self.cache})
        except Stopped:
            return False
        except torch.OutOfMemoryError as error:
            raise AdvreplError(f"no memory left to read on with {self.name}: give a smaller --ctx") from error
        self._logits = out.logits[0, -1].float()
        return True

    def truncate(self, length: int) -> None:
        """Keep no more than the first `length` tokens in the cache."""
        self.cache.truncate(length)

    def logits(self) -> Any:
        """Return the logits behind the last decoded token, a float32 tensor shaped (vocab.size,)."""
        return self._logits

    @property
    def aborted(self) -> bool:
        """Tell whether decoding is to end."""
        return self._stop.asked

    def abort(self, now: bool) -> None:
        """Let decoding end (True), or go on again; from any thread. Every layer hears it: also within a long chunk."""
        self._stop.asked = now

    def close(self) -> None:
        """Give the memory back."""
        self._model = self.cache = self._logits = None


def best_device() -> torch.device:
    """Return a graphics card if there is one, else the processor."""
    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")


def _config(folder: Folder) -> Any:
    try:
        config = AutoConfig.from_pretrained(folder.path, local_files_only=True, trust_remote_code=False)
    except DAMAGED as error:
        raise AdvreplError(f"{folder.path}: transformers cannot read its config.json: {_first_line(error)}") from error
    kept = {type(layer) for layer in DynamicCache(config=config).layers}
    if config.model_type not in MODEL_FOR_CAUSAL_LM_MAPPING_NAMES or not kept <= {
        DynamicLayer,
        DynamicSlidingWindowLayer,
    }:
        raise AdvreplError(f"{folder.path}: models of type {config.model_type} cannot be played")
    return config


def _context(config: Any, asked: int | None, name: str) -> tuple[int, str]:
    """The tokens of the context, and what to do for more of them."""
    trained = getattr(config, "max_position_embeddings", None) or DEFAULT_CTX
    if asked and asked > trained:
        raise AdvreplError(f"--ctx {asked} is more than the {trained} tokens that {name} was trained on")
    n_ctx = asked or min(trained, DEFAULT_CTX)
    return n_ctx, more_room(name, n_ctx, trained)


def _fitting_dtype(folder: Folder, config: Any, device: torch.device, n_ctx: int) -> torch.dtype:
    """Return bfloat16 where it is fast, and where only that fits; raises AdvreplError if nothing fits."""
    free = torch.cuda.mem_get_info(device)[0] if device.type == "cuda" else free_memory()
    heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
    width = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    numbers = folder.parameters + 2 * n_ctx * config.num_hidden_layers * heads * width
    dtypes = (torch.bfloat16,) if fast_bfloat16(device) else (torch.float32, torch.bfloat16)
    for dtype in dtypes:
        needed = numbers * dtype.itemsize
        if needed < free:
            return dtype
    raise AdvreplError(
        f"{folder.name} takes {needed / GIB:.1f} GB with a context of {n_ctx} tokens, "
        f"and {free / GIB:.1f} GB of memory are free: give a smaller --ctx or choose a smaller model"
    )


def fast_bfloat16(device: torch.device) -> bool:
    """Tell whether the device computes in bfloat16 itself."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if device.type == "mps":
        return bool(torch.backends.mps.is_macos_or_newer(14, 0))
    able = torch.cpu.get_capabilities()
    return bool(able.get("amx_bf16") or able.get("avx512_bf16"))


def _load(folder: Folder, config: Any, dtype: torch.dtype) -> Any:
    try:
        model, report = AutoModelForCausalLM.from_pretrained(
            folder.path,
            config=config,
            dtype=dtype,
            use_safetensors=folder.safetensors,
            weights_only=True,
            local_files_only=True,
            trust_remote_code=False,
            output_loading_info=True,
        )
    except DAMAGED as error:
        raise AdvreplError(f"{folder.path}: transformers cannot load it: {_first_line(error)}") from error
    if missing := sorted(report["missing_keys"]):
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise AdvreplError(f"{folder.path}: its weights lack {missing[0]}{more}, which config.json asks for")
    return model


def _cache_argument(model: Any) -> str:
    """Name the argument of `forward` that takes the cache: transformers 5.24 renamed it in all models."""
    taken = inspect.signature(model.forward).parameters
    for name in ("cache", "past_key_values"):
        if name in taken:
            return name
    raise AdvreplError(f"models of type {model.config.model_type} cannot be played")


def _first_line(error: BaseException) -> str:
    return next(iter(str(error).strip().splitlines()), "") or type(error).__name__


class _OwnError(BaseException):
    """Carries what `on_load` raised out of transformers: our mistakes are no damage of the folder."""


@contextmanager
def _quiet(on_load: LoadProgress | None) -> Iterator[None]:
    """No word of transformers or torch on the terminal; what it would show as a bar is told to `on_load`."""

    def told(_: Any, args: Any, __: Any) -> Iterator[Any]:
        for done, item in enumerate(args[0]):
            try:
                if on_load:
                    on_load(done / len(args[0]))
            except Exception as error:
                raise _OwnError from error
            yield item

    transformers_logging.set_verbosity(logging.CRITICAL)
    before = transformers_logging.set_tqdm_hook(told)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except _OwnError as error:
        raise error.__cause__ or error from None
    finally:
        transformers_logging.set_tqdm_hook(before)
    if on_load:
        on_load(1.0)
