"""The transformers engine's sampler against llama.cpp's: the same tokens left, with the same chances."""

import ctypes
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import llama_cpp.llama_cpp as lib
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from advrepl.engines.base import LoadOptions
from advrepl.engines.hf.sampler import Sampler, repeated
from advrepl.engines.hf.vocab import Vocabulary
from advrepl.engines.llama import sampler as llama
from advrepl.engines.llama.log import Log
from advrepl.engines.llama.model import LlamaModel
from advrepl.sampling.params import Sampling
from convert import run
from tests import tiny

pytestmark = [pytest.mark.parity, pytest.mark.filterwarnings("error")]

OFF = Sampling(seed=1, temperature=1, top_k=0, top_p=1, min_p=0, repeat_penalty=1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.make("llama", tmp_path_factory.mktemp("sampler") / "m")


@pytest.fixture(scope="module")
def vocab(folder: Path) -> Vocabulary:
    return Vocabulary(folder, tiny.ROWS)


@pytest.fixture(scope="module")
def gguf(folder: Path) -> Iterator[LlamaModel]:
    out = folder.with_suffix(".gguf")
    run.convert(run.prepare(run.Request(folder, out, "F32")), lambda title: lambda label, done, total: None)
    loaded = LlamaModel(out, LoadOptions(ctx=256), Log(folder.parent / "log"))
    yield loaded
    loaded.close()


def with_(**values: Any) -> Sampling:
    return replace(OFF, **values)


def apply(sampler: llama.Sampler, logits: tiny.Floats) -> tuple[list[tuple[int, float]], int]:
    """Put every token through llama.cpp's chain: what is left with its logits, and which of it was chosen."""
    every = np.zeros(len(logits), dtype=llama.CANDIDATE)
    every["id"], every["logit"] = np.arange(len(logits)), logits
    data = ctypes.cast(every.ctypes.data, ctypes.POINTER(lib.llama_token_data))
    array = lib.llama_token_data_array(data, len(every), -1, False)
    lib.llama_sampler_apply(sampler._chain, ctypes.byref(array))
    return [(array.data[i].id, array.data[i].logit) for i in range(array.size)], array.selected


def in_llama_cpp(gguf: LlamaModel, sampling: Sampling, prompt: list[int], logits: tiny.Floats) -> dict[int, float]:
    """What is left of the candidates in front of the draw, and their chances."""
    with llama.Sampler(gguf, sampling, None, prompt) as sampler:
        logits = logits.copy()
        logits[sampler._biased] += sampler._bias
        draw = lib.llama_sampler_chain_remove(sampler._chain, lib.llama_sampler_chain_n(sampler._chain) - 1)
        found = dict(apply(sampler, logits)[0])
        lib.llama_sampler_chain_add(sampler._chain, draw)
    return chances(found)


def chances(logits: dict[int, float]) -> dict[int, float]:
    values = np.array(list(logits.values()), dtype=np.float64)
    weights = np.exp(values - values.max())
    return {token: p for token, p in zip(logits, weights / weights.sum(), strict=True) if p > 1e-6}


# Few different tokens, with repetitions, a newline among them.
PROMPT = [*tiny.tokens_of(30, 4, 5), 10, *tiny.tokens_of(60, 6, 9), 1, 2, 3, 4, 5, 1, 2, 3]
CASES: dict[str, dict[str, Any]] = {
    "nothing": {},
    "temperature": {"temperature": 0.6},
    "top-k": {"top_k": 7},
    "top-p": {"top_p": 0.7},
    "min-p": {"min_p": 0.1},
    "typical": {"typical_p": 0.5},
    "repeat": {"repeat_penalty": 1.3, "repeat_last_n": 40},
    "presence": {"presence_penalty": 0.7, "frequency_penalty": 0.2},
    "dry": {"dry_multiplier": 0.8, "repeat_last_n": 80},
    "dry, all": {"dry_multiplier": 1.5, "dry_base": 1.2, "dry_allowed_length": 1, "repeat_last_n": 256},
    "xtc": {"xtc_probability": 1.0, "xtc_threshold": 0.02},
    "typical and xtc": {"typical_p": 0.8, "xtc_probability": 1.0, "xtc_threshold": 0.02},
    "everything": {
        "temperature": 1.2, "top_k": 50, "top_p": 0.9, "min_p": 0.02, "typical_p": 0.9, "repeat_penalty": 1.1,
        "presence_penalty": 0.2, "dry_multiplier": 0.8, "xtc_probability": 1.0, "xtc_threshold": 0.05,
        "logit_bias": {"t": 3.0, "a": -5.0},
    },
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_the_same_choices_as_in_llama_cpp(gguf: LlamaModel, vocab: Vocabulary, case: str) -> None:
    sampling = with_(**CASES[case])
    for seed in range(5):
        logits = tiny.Random(seed)(tiny.ROWS, spread=5.0)
        wanted = in_llama_cpp(gguf, sampling, PROMPT, logits)
        ids, left = Sampler(vocab, sampling, PROMPT).choices(torch.from_numpy(logits))
        found = chances({int(token): float(value) for token, value in zip(ids, left, strict=True)})
        assert found.keys() == wanted.keys()
        assert all(abs(found[token] - wanted[token]) < 1e-4 for token in wanted)


def test_the_penalties_change_something_here(gguf: LlamaModel) -> None:
    """Or the comparison above would be one of nothing with nothing."""
    logits = tiny.Random(0)(tiny.ROWS, spread=5.0)
    plain = in_llama_cpp(gguf, with_(), PROMPT, logits)
    for case in set(CASES) - {"nothing"}:
        assert in_llama_cpp(gguf, with_(**CASES[case]), PROMPT, logits) != plain


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("tau", [1.0, 3.0])
def test_mirostat_holds_the_surprise_where_llama_cpp_does(
    gguf: LlamaModel, vocab: Vocabulary, version: int, tau: float
) -> None:
    logits = (-1.3 * np.log(np.arange(1.0, tiny.ROWS + 1))).astype(np.float32)  # nearly Zipf's law
    surprise = -np.log2(np.exp(logits) / np.exp(logits).sum())
    sampling = with_(mirostat=version, mirostat_tau=tau)
    mine = Sampler(vocab, sampling, [])
    ours = [surprise[mine.pick(torch.from_numpy(logits))] for _ in range(800)]
    with llama.Sampler(gguf, sampling, None, []) as theirs:
        wanted = [surprise[left[chosen][0]] for left, chosen in (apply(theirs, logits) for _ in range(800))]
    assert abs(np.mean(ours[100:]) - np.mean(wanted[100:])) < 0.25
    free = Sampler(vocab, with_(), [])
    assert np.mean(ours[100:]) < np.mean([surprise[free.pick(torch.from_numpy(logits))] for _ in range(300)]) - 0.3


@settings(max_examples=200, deadline=None)
@given(st.lists(st.integers(0, 3), max_size=30), st.frozensets(st.integers(0, 3), max_size=1))
def test_repetitions_are_as_long_as_can_be(tokens: list[int], breakers: frozenset[int]) -> None:
    def length(place: int) -> int:
        """Of the longest end of the text that also ends before `place`, without a breaker in it."""
        sizes = [n for n in range(1, place + 1) if tokens[place - n : place] == tokens[-n:]]
        return max((n for n in sizes if not breakers & set(tokens[-n:])), default=0)

    wanted: dict[int, int] = {}
    for place in range(1, len(tokens)):
        if found := length(place):
            wanted[tokens[place]] = max(wanted.get(tokens[place], 0), found)
    assert repeated(tokens, breakers) == wanted
