"""Choose the next token with llama.cpp's own samplers, held to a grammar where there is one.

Does not decode; reads the logits of the last decoded token.
"""

import ctypes
import math
import struct
import weakref
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any

import llama_cpp.llama_cpp as lib
import numpy as np
from msgspec.structs import replace

from advrepl import AdvreplError
from advrepl.engines.llama.model import LlamaModel
from advrepl.engines.llama.vocab import Vocabulary
from advrepl.sampling.params import DRY_BREAKERS, LOGIT_REACH, MIROSTAT_M, NO_CHANCE, Sampling

ARRAY = struct.Struct("@PNq?")  # llama_token_data_array: where they are, how many, which is selected, are they sorted
CANDIDATE = np.dtype([("id", np.int32), ("logit", np.float32), ("p", np.float32)])
# The DRY sampler of each vocabulary that is in use, with its settings and what frees it.
_dries: weakref.WeakKeyDictionary[Vocabulary, tuple[Any, Any, Callable[[], Any]]] = weakref.WeakKeyDictionary()
# min-p leaves out more; penalties, which come before it, may lower the best logit by about this much.
PENALTY_REACH = 8.0
NARROW = 4.0  # by so much less of it is looked through first, as the likeliest allowed token says how far to go on


class Sampler:
    """Choose the tokens of one reply with llama.cpp's sampler chain, and a grammar beside it.

    To be used in a `with`, which frees the chain. `grammar`: GBNF, None for free text; `prompt`: the tokens before the
    reply, which penalties look back on. Raises AdvreplError for a grammar that llama.cpp does not understand.

    What is made for each token is made once here: after a decode nothing of Python is in the processor's caches, and
    each new object costs ten times what it costs in a tight loop [measured].
    """

    def __init__(
        self,
        model: LlamaModel,
        sampling: Sampling,
        grammar: str | None,
        prompt: Sequence[int],
    ) -> None:
        # llama.cpp takes memory for all that are asked for.
        sampling = replace(sampling, repeat_last_n=min(sampling.repeat_last_n, model.n_ctx))
        self._read, self._vocab = model.logits, model.vocab.handle
        self._reach = _reach(sampling)
        self._biased, self._bias = _biases(model, sampling)
        self._candidates = np.zeros(model.vocab.size, dtype=CANDIDATE)
        self._ids, self._logits = self._candidates["id"], self._candidates["logit"]
        self._likely = np.empty(model.vocab.size, dtype=bool)
        self._data = self._candidates.ctypes.data
        self._array = lib.llama_token_data_array()
        self._array_at = ctypes.addressof(self._array)
        self._one = np.zeros(1, dtype=CANDIDATE)
        self._chain = lib.llama_sampler_chain_init(lib.llama_sampler_chain_default_params())
        for link in _links(model, sampling):
            lib.llama_sampler_chain_add(self._chain, link)
        self._chain_at = ctypes.addressof(self._chain.contents)  # a cast would leave a ring of garbage
        for token in prompt[-sampling.repeat_last_n :] if sampling.repeat_last_n > 0 else ():
            lib.llama_sampler_accept(self._chain, token)
        self._grammar = None
        if grammar is not None:
            self._grammar = lib.llama_sampler_init_grammar(self._vocab, grammar.encode(), b"root")
            if not self._grammar:
                lib.llama_sampler_free(self._chain)
                raise AdvreplError("llama.cpp does not understand the grammar for the options")

    def __enter__(self) -> "Sampler":
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _value: BaseException | None, _t: TracebackType | None
    ) -> None:
        lib.llama_sampler_free(self._chain)
        if self._grammar:
            lib.llama_sampler_free(self._grammar)

    def pick(self) -> int:
        """Return the token to follow the last decoded one, and note it in penalties and grammar.

        Raises AdvreplError where the logits are NaN.
        """
        logits = self._read()
        if len(self._biased):
            logits = logits.copy()
            logits[self._biased] += self._bias
        best = logits.item(logits.argmax())
        np.greater_equal(logits, best - self._reach, self._likely)
        token = self._choose(logits, self._likely.nonzero()[0])
        if self._grammar and not self._allowed(token):
            # Checking one token is cheap, constraining many is not: it is done only on a clash.
            token = self._choose(logits, self._grammatical(logits, best - self._reach / NARROW))
        if self._grammar:
            lib.llama_sampler_accept(self._grammar, token)
        _accept(self._chain_at, token)
        return token

    def _choose(self, logits: Any, ids: Any) -> int:
        if not len(ids):
            raise AdvreplError("the model computes no chances (NaN): its file is damaged, convert it again")
        self._fill(logits, ids)
        _apply(self._chain_at, self._array_at)
        data, _, selected, _ = ARRAY.unpack_from(self._array)
        # XTC leaves the first ones out by moving the pointer.
        return int(self._ids.item((data - self._data) // CANDIDATE.itemsize + selected))

    def _grammatical(self, logits: Any, floor: float) -> Any:
        """Return the tokens that the grammar allows next, but for those that the likeliest of them leave no chance.

        Looked for from the likeliest down, from `floor` on: the whole vocabulary takes as long as half a token.
        """
        while True:
            ids = np.flatnonzero(logits >= floor)
            allowed = self._allowed_of(logits, ids)
            lowest = logits[allowed].max() - self._reach if len(allowed) else 2 * floor - logits.max()
            if lowest >= floor or len(ids) == len(logits):
                return allowed
            floor = lowest

    def _allowed_of(self, logits: Any, ids: Any) -> Any:
        self._fill(logits, ids)
        lib.llama_sampler_apply(self._grammar, ctypes.byref(self._array))
        return self._ids[: len(ids)][np.isfinite(self._logits[: len(ids)])].copy()

    def _fill(self, logits: Any, ids: Any) -> None:
        count = len(ids)
        self._ids[:count], self._logits[:count] = ids, logits.take(ids)
        ARRAY.pack_into(self._array, 0, self._data, count, -1, False)

    def _allowed(self, token: int) -> bool:
        self._one["id"], self._one["logit"] = token, 0.0
        one = lib.llama_token_data_array(_pointer(self._one), 1, -1, False)
        lib.llama_sampler_apply(self._grammar, ctypes.byref(one))
        return bool(np.isfinite(self._one["logit"][0]))


def _by_address(function: Any, result: Any, *kinds: Any) -> Any:
    """Return the function taking addresses as numbers: making a pointer for each token costs more than the call."""
    return ctypes.CFUNCTYPE(result, *kinds)(ctypes.cast(function, ctypes.c_void_p).value or 0)


_apply = _by_address(lib.llama_sampler_apply, None, ctypes.c_void_p, ctypes.c_void_p)
_accept = _by_address(lib.llama_sampler_accept, None, ctypes.c_void_p, ctypes.c_int32)


def _pointer(candidates: Any) -> Any:
    return ctypes.cast(candidates.ctypes.data, ctypes.POINTER(lib.llama_token_data))


def _reach(s: Sampling) -> float:
    if s.min_p > 0 and not s.mirostat:
        return PENALTY_REACH - math.log(s.min_p)
    return LOGIT_REACH * max(s.temperature, 1.0)


def _links(model: LlamaModel, s: Sampling) -> list[Any]:
    """Return llama.cpp's samplers in its own default order; those that are off are left out."""
    seed = s.seed if s.seed is not None else lib.LLAMA_DEFAULT_SEED
    n_vocab = model.vocab.size
    links = _penalties(model.vocab, s)
    if s.temperature <= 0:
        return [*links, lib.llama_sampler_init_greedy()]
    temperature = lib.llama_sampler_init_temp
    if s.mirostat == 1:
        choice = lib.llama_sampler_init_mirostat(n_vocab, seed, s.mirostat_tau, s.mirostat_eta, MIROSTAT_M)
        return [*links, _possible(), temperature(s.temperature), choice]
    if s.mirostat == 2:
        choice = lib.llama_sampler_init_mirostat_v2(seed, s.mirostat_tau, s.mirostat_eta)
        return [*links, temperature(s.temperature), choice]
    return [*links, *_cuts(s, seed), temperature(s.temperature), lib.llama_sampler_init_dist(seed)]


def _cuts(s: Sampling, seed: int) -> list[Any]:
    """Return the samplers that leave tokens out."""
    cuts = (
        (s.top_k > 0, lambda: lib.llama_sampler_init_top_k(s.top_k)),
        (s.typical_p < 1, _possible),
        (s.typical_p < 1, lambda: lib.llama_sampler_init_typical(s.typical_p, 1)),
        (s.top_p < 1, lambda: lib.llama_sampler_init_top_p(s.top_p, 1)),
        (s.min_p > 0, lambda: lib.llama_sampler_init_min_p(s.min_p, 1)),
        (s.xtc_probability > 0, lambda: lib.llama_sampler_init_xtc(s.xtc_probability, s.xtc_threshold, 1, seed)),
    )
    return [make() for on, make in cuts if on]  # type: ignore[no-untyped-call]


def _possible() -> Any:
    """Return what leaves out tokens whose chance is 0, as penalties make it.

    With one of them llama.cpp's typical-p computes an entropy of NaN and leaves nothing out, mirostat 1 all but one.
    """
    return lib.llama_sampler_init_min_p(NO_CHANCE, 1)


def _penalties(vocab: Vocabulary, s: Sampling) -> list[Any]:
    links = []
    if s.repeat_last_n > 0 and (s.repeat_penalty != 1 or s.presence_penalty or s.frequency_penalty):
        links.append(
            lib.llama_sampler_init_penalties(
                vocab.size, s.repeat_last_n, s.repeat_penalty, s.frequency_penalty, s.presence_penalty
            )
        )
    if s.dry_multiplier > 0:
        links.append(_dry(vocab, s))
    return links


def _dry(vocab: Vocabulary, s: Sampling) -> Any:
    """Return a DRY sampler, the copy of one that was made before: each looks the whole vocabulary over for breakers."""
    settings = (s.dry_multiplier, s.dry_base, s.dry_allowed_length, s.repeat_last_n)
    known, made, free = _dries.get(vocab, (None, None, lambda: None))
    if known != settings:
        free()
        breakers = (ctypes.c_char_p * len(DRY_BREAKERS))(*DRY_BREAKERS)
        made = lib.llama_sampler_init_dry(vocab.handle, *settings, breakers, len(DRY_BREAKERS))
        _dries[vocab] = settings, made, weakref.finalize(vocab, lib.llama_sampler_free, made)
    return lib.llama_sampler_clone(made)


def _biases(model: LlamaModel, s: Sampling) -> tuple[Any, Any]:
    """Return tokens and what is added to their logits, before it is decided which are likely at all."""
    biases: dict[int, float] = {}
    for text, bias in s.logit_bias.items():
        for token in model.vocab.beginning(text):
            biases[token] = biases.get(token, 0.0) + bias
    return np.array(list(biases), dtype=np.intp), np.array(list(biases.values()), dtype=np.float32)
