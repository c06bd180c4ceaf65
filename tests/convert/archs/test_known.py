"""Rules of each architecture, and checkpoints that do not fit their config.

That the result computes what transformers computes is shown in ../test_run.py.
"""

from math import log
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from convert import ConvertError
from convert.archs.known import model_rules
from convert.config import Config
from convert.tensor import TensorRef
from tests import tiny

LLAMA_3 = {
    "rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
    "original_max_position_embeddings": 8192,
}  # fmt: skip
YARN = {"type": "yarn", "factor": 4.0, "original_max_position_embeddings": 128}


def refs(tensors: dict[str, tiny.Floats], dtype: str = "F32") -> dict[str, TensorRef]:
    return {n: TensorRef(n, dtype, t.shape, Path("model.safetensors"), 0, ()) for n, t in tensors.items()}


def refuse(config: dict[str, Any], tensors: dict[str, TensorRef]) -> str:
    with pytest.raises(ConvertError) as caught:
        model_rules(Config(config), tensors)
    return str(caught.value)


@pytest.mark.parametrize("name", tiny.SHAPES)
def test_every_shape_fits_its_rules(name: str) -> None:
    maker, sizes = tiny.SHAPES[name]
    config, tensors = maker(**sizes)
    model = model_rules(Config(config), refs(tensors))
    assert model.vocab_size == tiny.ROWS
    assert len({rule.name for rule in model.rules}) == len(model.rules)


def test_missing_left_over_and_misshapen_tensors_are_all_named() -> None:
    config, tensors = tiny.llama()
    found = refs(tensors)
    del found["model.layers.0.self_attn.q_proj.weight"], found["model.layers.1.mlp.up_proj.weight"]
    found["model.layers.9.extra.weight"] = found["model.norm.weight"]
    found["lm_head.weight"] = refs({"lm_head.weight": np.zeros((7, 64), np.float32)})["lm_head.weight"]
    assert refuse(config, found) == (
        "the weights do not fit config.json; tensors "
        "missing: model.layers.0.self_attn.q_proj.weight, model.layers.1.mlp.up_proj.weight; "
        "not expected: model.layers.9.extra.weight; "
        "of another shape: lm_head.weight is 7x64, config.json says 320x64"
    )


def test_integers_in_the_place_of_weights_are_refused() -> None:
    config, tensors = tiny.gptj()
    found = refs(tensors)
    name = "transformer.wte.weight"
    found[name] = refs({name: tensors[name]}, "I8")[name]
    assert refuse(config, found).endswith("not floating point: transformer.wte.weight (I8)")


def test_buffers_of_old_checkpoints_are_skipped_but_real_biases_are_not() -> None:
    config, tensors = tiny.gptneox()
    assert "gpt_neox.layers.0.attention.bias" in tensors
    model = model_rules(Config(config), refs(tensors))
    assert "gpt_neox.layers.0.attention.dense.bias" in {rule.source for rule in model.rules}


def test_tied_llama_has_no_output_of_its_own_and_a_copy_of_it_is_left_out() -> None:
    config, tensors = tiny.llama(tie_word_embeddings=True)
    tensors["lm_head.weight"] = tensors["model.embed_tokens.weight"]
    model = model_rules(Config(config), refs(tensors))
    assert "output.weight" not in {rule.name for rule in model.rules}


def test_gptj_attention_output_gets_the_zero_bias_phi2_wants() -> None:
    config, tensors = tiny.gptj()
    rules = {rule.name: rule for rule in model_rules(Config(config), refs(tensors)).rules}
    assert (rules["blk.1.attn_output.bias"].source, rules["blk.1.attn_output.bias"].shape) == (None, (64,))


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"architectures": ["GPTNeoForCausalLM"]}, "advrepl play -m HF_DIR"),
        ({"model_type": "gpt_neo"}, "advrepl play -m HF_DIR"),
        (
            {"architectures": ["BloomForCausalLM"]},
            "BloomForCausalLM cannot be converted; these can: GPT-J, GPT-NeoX, LLaMA, Mistral",
        ),
        ({"architectures": ["OPTForCausalLM"]}, "OPT has no counterpart in llama.cpp (its learned positions); play it"),
        ({"model_type": "opt"}, "advrepl play -m HF_DIR"),
        ({"model_type": "bloom"}, "bloom cannot be converted"),
        ({}, "no architecture cannot be converted"),
    ],
)
def test_other_architectures_are_refused_by_name(values: dict[str, Any], sentence: str) -> None:
    assert sentence in refuse(values, {})


@pytest.mark.parametrize(
    ("make", "change", "sentence"),
    [
        (tiny.llama, {"hidden_size": None}, "'hidden_size' is missing"),
        (tiny.llama, {"hidden_size": "64"}, "'hidden_size' is '64', expected a whole number"),
        (tiny.llama, {"num_hidden_layers": True}, "'num_hidden_layers' is True"),
        (tiny.llama, {"num_hidden_layers": 2**30}, "num_hidden_layers is 1073741824, but the checkpoint has only 23"),
        (tiny.llama, {"num_attention_heads": 5}, "hidden_size 64 is not a multiple of num_attention_heads 5"),
        (tiny.llama, {"num_key_value_heads": 3}, "num_attention_heads 4 is not a multiple of num_key_value_heads 3"),
        (tiny.llama, {"hidden_act": "gelu"}, "hidden_act 'gelu' cannot be expressed in GGUF, only silu"),
        (tiny.llama, {"rope_scaling": {"rope_type": "longrope", "factor": 8.0}}, "rotary scaling 'longrope'"),
        (
            tiny.llama,
            {"rope_scaling": {"rope_type": "llama3", "factor": 8.0}},
            "'original_max_position_embeddings' is m",
        ),
        (
            tiny.llama,
            {"rope_scaling": LLAMA_3 | {"high_freq_factor": 1.0}},
            "low_freq_factor 1 must be below high_freq_",
        ),
        (
            tiny.llama,
            {"rope_scaling": {"type": "yarn", "factor": 2.0}},
            "'original_max_position_embeddings' is missing",
        ),
        (tiny.llama, {"rope_scaling": YARN | {"truncate": False}}, "'truncate' false cannot be expressed"),
        (tiny.llama, {"rope_scaling": {"type": "linear"}}, "rope_scaling: 'factor' is missing"),
        (tiny.llama, {"rms_norm_eps": 0}, "'rms_norm_eps' is 0, expected a number above 0"),
        (tiny.gptj, {"rotary_dim": 18}, "rotary_dim 18 must be even and at most the head size 16"),
        (tiny.gptj, {"rotary_dim": None}, "'rotary_dim' is missing"),
        (tiny.gptj, {"activation_function": "relu"}, "activation_function 'relu'"),
        (tiny.gptneox, {"use_parallel_residual": 1}, "'use_parallel_residual' is 1, expected true or false"),
    ],
)
def test_a_config_that_makes_no_sense_is_refused(make: tiny.Make, change: dict[str, Any], sentence: str) -> None:
    config, tensors = make()
    assert sentence in refuse(config | change, refs(tensors))


@pytest.mark.parametrize(
    ("change", "wanted"),
    [
        ({"hidden_act": "swish"}, {}),
        ({"rope_scaling": {"type": "dynamic", "factor": 4.0}}, {"rope.freq_base": 10000.0, "context_length": 512}),
        ({"rope_scaling": YARN}, {"rope.scaling.original_context_length": 128, "rope.scaling.attn_factor": 1.0}),
        ({"rope_scaling": YARN | {"attention_factor": 1.0}}, {"rope.scaling.attn_factor": 1 / (0.1 * log(4) + 1)}),
        ({"architectures": ["MistralForCausalLM"], "sliding_window": None}, {"context_length": 512}),
        ({"architectures": ["MistralForCausalLM"], "sliding_window": 100}, {"context_length": 100}),
        ({"architectures": None, "model_type": "mistral"}, {"context_length": 512}),
    ],
)
def test_what_llama_cpp_has_is_written(change: dict[str, Any], wanted: dict[str, Any]) -> None:
    config, tensors = tiny.llama()
    keys = model_rules(Config(config | change), refs(tensors)).keys
    assert {name: keys[name] for name in wanted} == pytest.approx(wanted)


def test_llama_3_stretches_long_waves_alone() -> None:
    """The factors that llama.cpp's own converter writes for Llama 3.1's values and heads of 128."""
    config, tensors = tiny.llama(hidden_size=128, num_attention_heads=1)
    model = model_rules(Config(config | {"rope_scaling": LLAMA_3, "rope_theta": 500000.0}), refs(tensors))
    (rule,) = [rule for rule in model.rules if rule.name == "rope_freqs.weight"]
    assert rule.shape == (64,) and rule.values[:29] == (1.0,) * 29 and rule.values[35:] == pytest.approx((8.0,) * 29)
    assert rule.values[29:35] == pytest.approx([1.2075, 1.5534, 2.0263, 2.6945, 3.6843, 5.2573], abs=1e-4)


def test_missing_optional_keys_have_their_defaults() -> None:
    config, tensors = tiny.llama()
    for name in ("rms_norm_eps", "tie_word_embeddings", "max_position_embeddings", "hidden_act"):
        del config[name]
    keys = model_rules(Config(config), refs(tensors)).keys
    assert keys["attention.layer_norm_rms_epsilon"] == 1e-6
    assert keys["context_length"] == 2048
    assert keys["attention.head_count_kv"] == 4
    assert keys["rope.freq_base"] == 10000.0


def test_rotary_keys_of_transformers_5_are_understood() -> None:
    config, tensors = tiny.gptneox()
    del config["rotary_pct"], config["rotary_emb_base"]
    config["rope_parameters"] = {"rope_type": "default", "rope_theta": 500.0, "partial_rotary_factor": 0.5}
    tensors["lm_head.weight"] = tensors.pop("embed_out.weight")
    model = model_rules(Config(config), refs(tensors))
    assert (model.keys["rope.freq_base"], model.keys["rope.dimension_count"]) == (500.0, 8)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=2),
    max_leaves=3,
)


@given(st.sampled_from([tiny.llama, tiny.gptj, tiny.gptneox]), st.data())
def test_a_damaged_config_is_understood_or_refused(make: tiny.Make, data: st.DataObject) -> None:
    config, tensors = make()
    names = [*sorted(config), "head_dim", "rope_scaling", "rope_parameters", "num_key_value_heads", "attention_bias"]
    config[data.draw(st.sampled_from(names))] = data.draw(JSON)
    try:
        model = model_rules(Config(config), refs(tensors))
    except ConvertError:
        return
    assert {rule.source for rule in model.rules} <= {None, *tensors}
