"""The sampler beside llama.cpp's chain on the whole vocabulary."""

from collections.abc import Callable

import llama_cpp.llama_cpp as lib
import numpy as np
import pytest
from msgspec.structs import replace

from advrepl import AdvreplError
from advrepl.engines.llama.engine import LlamaEngine
from advrepl.engines.llama.sampler import Sampler
from advrepl.sampling.params import Sampling

TEXT = "The lamp went out, and in the dark somebody"


@pytest.fixture(scope="module")
def engine(open_engine: Callable[..., LlamaEngine]) -> LlamaEngine:
    return open_engine(ctx=512)


@pytest.mark.parametrize(
    "sampling",
    [
        Sampling(seed=5),
        Sampling(seed=5, temperature=1.6, top_k=0, top_p=1, min_p=0.02),
        Sampling(seed=5, temperature=1.2, min_p=0, repeat_penalty=1.3),
        Sampling(seed=5, presence_penalty=0.5, frequency_penalty=0.2, xtc_probability=0.5),
        Sampling(temperature=0),
    ],
    ids=["default", "hot", "no min-p", "penalties", "greedy"],
)
def test_leaving_out_the_unlikely_first_changes_no_choice(engine: LlamaEngine, sampling: Sampling) -> None:
    model = engine.model
    held = model.vocab.plain(TEXT)
    model.remove(0, -1)
    model.decode(held, 0)
    with Sampler(model, sampling, None, held) as quick, Sampler(model, sampling, None, held) as whole:
        whole._reach = float("inf")
        for position in range(len(held), len(held) + 60):
            token = quick.pick()
            assert token == whole.pick()
            model.decode([token], position)


@pytest.mark.parametrize(
    "grammar", ['root ::= [A-Z] [a-z ,]+ "."', "root ::= [а-яА-Я ]+", 'root ::= ("Take" | "Open") " the " [a-z]+']
)
@pytest.mark.parametrize(
    "sampling",
    [Sampling(seed=7), Sampling(seed=7, min_p=0, temperature=1.4), Sampling(temperature=0, dry_multiplier=0.8)],
)
def test_what_the_grammar_leaves_no_chance_is_not_looked_at(
    engine: LlamaEngine, sampling: Sampling, grammar: str
) -> None:
    model = engine.model
    held = model.vocab.plain(TEXT)
    model.remove(0, -1)
    model.decode(held, 0)
    sampling = replace(sampling, logit_bias={" lamp": -100.0})  # the least likely by far
    with Sampler(model, sampling, grammar, held) as quick, Sampler(model, sampling, grammar, held) as whole:
        whole._reach = float("inf")
        for position in range(len(held), len(held) + 6):
            token = quick.pick()
            assert token == whole.pick()
            if model.vocab.ends(token):
                break
            model.decode([token], position)


def test_dry_is_as_it_is_set_now(engine: LlamaEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Made once for all replies that are sampled so, and anew when that is changed."""
    made, make = list[float](), lib.llama_sampler_init_dry

    def counted(vocab: object, by: float, *rest: object) -> object:
        made.append(by)
        return make(vocab, by, *rest)

    monkeypatch.setattr(lib, "llama_sampler_init_dry", counted)
    held = engine.model.vocab.plain("one two three four one two three")
    (four,) = engine.model.vocab.plain(" four")
    logits = np.zeros(engine.model.vocab.size, np.float32)
    logits[four] = 3
    model = Unlikely(engine, logits)
    for by, repeats in ((0.5, True), (0.5, True), (10.0, False), (10.0, False), (0.5, True)):
        sampling = Sampling(temperature=0, dry_multiplier=by, dry_allowed_length=2, repeat_penalty=1)
        with Sampler(model, sampling, None, held) as sampler:  # type: ignore[arg-type]
            assert (sampler.pick() == four) == repeats
    assert made == [0.5, 10.0, 0.5]


class Unlikely:
    """A model that gives all tokens these logits."""

    def __init__(self, engine: LlamaEngine, logits: np.ndarray) -> None:
        self.vocab, self.n_ctx, self._logits = engine.model.vocab, engine.n_ctx, logits

    def logits(self) -> np.ndarray:
        return self._logits


def test_typical_p_leaves_tokens_out_where_penalties_leave_one_no_chance(engine: LlamaEngine) -> None:
    logits = np.full(engine.model.vocab.size, -200, np.float32)
    (lamp,), (dark,) = engine.model.vocab.plain(" lamp"), engine.model.vocab.plain(" dark")
    logits[1000:1020], logits[lamp], logits[dark] = 0, 5, 10
    model, held = Unlikely(engine, logits), [dark] * 64  # twice 64 off: its chance is 0
    for seed in range(40):
        sampling = Sampling(seed=seed, frequency_penalty=2, typical_p=0.5, top_p=1, min_p=0)
        with Sampler(model, sampling, None, held) as sampler:  # type: ignore[arg-type]
            assert sampler.pick() == lamp


def test_mirostat_chooses_where_penalties_leave_a_token_no_chance(engine: LlamaEngine) -> None:
    logits = np.full(engine.model.vocab.size, -200, np.float32)
    (dark,) = engine.model.vocab.plain(" dark")
    logits[1000:1060], logits[dark] = -1.5 * np.log(np.arange(1, 61)), 10  # by Zipf, as mirostat 1 supposes
    model, held = Unlikely(engine, logits), [dark] * 64
    for mirostat in (1, 2):
        chosen = set()
        for seed in range(40):
            sampling = Sampling(seed=seed, frequency_penalty=2, mirostat=mirostat)
            with Sampler(model, sampling, None, held) as sampler:  # type: ignore[arg-type]
                chosen.add(sampler.pick())
        assert len(chosen) > 5


def test_a_bias_lifts_a_token_out_of_reach_and_adds_up(engine: LlamaEngine) -> None:
    logits = np.zeros(engine.model.vocab.size, np.float32)
    (lamp,), (dark,) = engine.model.vocab.plain(" lamp"), engine.model.vocab.plain(" dark")
    logits[lamp], logits[dark] = 50, 1
    model = Unlikely(engine, logits)
    for biases, chosen in (({}, lamp), ({" dark": 60}, dark), ({" lamp": -100}, dark), ({" lamp": -40}, lamp)):
        with Sampler(model, Sampling(temperature=0, logit_bias=biases), None, []) as sampler:  # type: ignore[arg-type]
            assert sampler.pick() == chosen
    two = {" lamp oil": -30, " lamp": -30}  # both begin with the same token
    with Sampler(model, Sampling(temperature=0, logit_bias=two), None, []) as sampler:  # type: ignore[arg-type]
        assert sampler.pick() == dark
    assert logits[lamp] == 50


def test_a_broken_model_is_an_error(engine: LlamaEngine) -> None:
    model = Unlikely(engine, np.full(engine.model.vocab.size, np.nan, np.float32))
    with Sampler(model, Sampling(), None, []) as sampler, pytest.raises(AdvreplError, match="NaN"):  # type: ignore[arg-type]
        sampler.pick()
