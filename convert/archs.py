"""How each architecture's tensors are called and laid out in GGUF, as lists of rules.

Reads no file and loads no tensor: a rule names its source, the shape both sides have, and how rows move.
Every change is a reordering, so it works on F32, F16 and the raw bits of BF16 alike, and is exact.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from convert import ConvertError
from convert.config import Config
from convert.tensor import TensorRef

Array = npt.NDArray[Any]
Value = str | int | float | bool


def unchanged(tensor: Array) -> Array:
    return tensor


@dataclass(frozen=True, slots=True)
class Rule:
    out: str  # the name in GGUF
    shape: tuple[int, ...]  # of the source and of the result, outermost first
    source: str | None  # the name in the checkpoint; None: zeros, which llama.cpp wants where the model has no bias
    change: Callable[[Array], Array] = unchanged


@dataclass(frozen=True, slots=True)
class Model:
    arch: str  # llama.cpp's name
    keys: Mapping[str, Value]  # written as "ARCH.key"
    rules: tuple[Rule, ...]
    rows: int  # of the embedding: the vocabulary is padded to it
    unused: frozenset[str] = field(default=frozenset())  # tensors that may be there and are rightly left out


def unpair(tensor: Array, heads: int, rotated: int) -> Array:
    """Reorder each head's first `rotated` rows 0,1,2,3,… to 0,2,…,1,3,…: GPT-J turns neighbours, phi2 halves."""
    shaped = tensor.reshape(heads, -1, *tensor.shape[1:])
    return np.concatenate((shaped[:, 0:rotated:2], shaped[:, 1:rotated:2], shaped[:, rotated:]), axis=1).reshape(
        tensor.shape
    )


def pair(tensor: Array, heads: int) -> Array:
    """Undo the row order of Hugging Face's LLaMA: halves of each head back to neighbours, as llama.cpp turns them."""
    return tensor.reshape(heads, 2, -1, *tensor.shape[1:]).swapaxes(1, 2).reshape(tensor.shape)


def split_heads(tensor: Array, heads: int) -> Array:
    """GPT-NeoX stores q, k, v per head; llama.cpp wants all q, then all k, then all v."""
    return tensor.reshape(heads, 3, -1, *tensor.shape[1:]).swapaxes(0, 1).reshape(tensor.shape)


def _linear(out: str, source: str, shape: tuple[int, int], bias: str | None = "") -> Iterator[Rule]:
    """Weight and bias of one layer; `bias` None: the model has none and zeros are written."""
    yield Rule(f"{out}.weight", shape, f"{source}.weight")
    yield Rule(f"{out}.bias", shape[:1], None if bias is None else f"{source}.bias")


def _norm(out: str, source: str, width: int) -> Iterator[Rule]:
    yield Rule(f"{out}.weight", (width,), f"{source}.weight")
    yield Rule(f"{out}.bias", (width,), f"{source}.bias")


def _split(config: Config, width: int, heads: int, names: tuple[str, str]) -> int:
    if width % heads:
        raise ConvertError(f"{config.file}: {names[0]} {width} is not a multiple of {names[1]} {heads}")
    return width // heads


def _layers(config: Config, name: str, names: Collection[str]) -> int:
    """The number of layers; one that cannot be true would make rules without end."""
    layers = config.whole(name)
    if layers > len(names):
        raise ConvertError(f"{config.file}: {name} is {layers}, but the checkpoint has only {len(names)} tensors")
    return layers


# LLaMA


def _rope(config: Config) -> dict[str, Value]:
    """Keys for the rotary base and its scaling; transformers 5 keeps both in rope_parameters."""
    newer = config.part("rope_parameters")
    scaling = newer if newer.values else config.part("rope_scaling")
    kind = scaling.text("rope_type", scaling.text("type", "default"))
    base = newer.real("rope_theta", config.real("rope_theta", 10000.0))
    if kind == "default":
        return {"rope.freq_base": base}
    if kind == "linear":
        return {
            "rope.freq_base": base,
            "rope.scaling.type": "linear",
            "rope.scaling.factor": scaling.real("factor"),
        }
    raise ConvertError(f"{config.file}: rotary scaling {kind!r} is not supported, only 'default' and 'linear'")


def llama(config: Config, names: Collection[str]) -> Model:
    width, heads = config.whole("hidden_size"), config.whole("num_attention_heads")
    kv_heads = config.whole("num_key_value_heads", heads)
    _split(config, heads, kv_heads, ("num_attention_heads", "num_key_value_heads"))
    if config.values.get("head_dim"):  # may differ from width / heads
        size = config.whole("head_dim")
    else:
        size = _split(config, width, heads, ("hidden_size", "num_attention_heads"))
    config.one_of("hidden_act", ("silu",))
    layers = _layers(config, "num_hidden_layers", names)
    inner, rows = config.whole("intermediate_size"), config.whole("vocab_size")
    tied = config.flag("tie_word_embeddings", False)
    keys: dict[str, Value] = {
        "vocab_size": rows,
        "context_length": config.whole("max_position_embeddings", 2048),
        "embedding_length": width,
        "block_count": layers,
        "feed_forward_length": inner,
        "attention.head_count": heads,
        "attention.head_count_kv": kv_heads,
        "attention.layer_norm_rms_epsilon": config.real("rms_norm_eps", 1e-6),
        "rope.dimension_count": size,
        "attention.key_length": size,
        "attention.value_length": size,
        **_rope(config),
    }
    rules = [Rule("token_embd.weight", (rows, width), "model.embed_tokens.weight")]
    for n in range(layers):
        rules += _llama_block(config, n, (width, inner, heads * size, kv_heads * size), (heads, kv_heads))
    rules.append(Rule("output_norm.weight", (width,), "model.norm.weight"))
    if not tied:
        rules.append(Rule("output.weight", (rows, width), "lm_head.weight"))
    return Model("llama", keys, tuple(rules), rows, frozenset({"lm_head.weight"}) if tied else frozenset())


def _llama_block(config: Config, n: int, sizes: tuple[int, int, int, int], heads: tuple[int, int]) -> Iterator[Rule]:
    width, inner, q, kv = sizes
    blk, layer = f"blk.{n}", f"model.layers.{n}"
    yield Rule(f"{blk}.attn_norm.weight", (width,), f"{layer}.input_layernorm.weight")
    biased = config.flag("attention_bias", False)
    q_pair, k_pair = (partial(pair, heads=h) for h in heads)
    yield from _llama_linear(f"{blk}.attn_q", f"{layer}.self_attn.q_proj", (q, width), biased, q_pair)
    yield from _llama_linear(f"{blk}.attn_k", f"{layer}.self_attn.k_proj", (kv, width), biased, k_pair)
    yield from _llama_linear(f"{blk}.attn_v", f"{layer}.self_attn.v_proj", (kv, width), biased)
    yield from _llama_linear(f"{blk}.attn_output", f"{layer}.self_attn.o_proj", (width, q), biased)
    yield Rule(f"{blk}.ffn_norm.weight", (width,), f"{layer}.post_attention_layernorm.weight")
    biased = config.flag("mlp_bias", False)
    yield from _llama_linear(f"{blk}.ffn_gate", f"{layer}.mlp.gate_proj", (inner, width), biased)
    yield from _llama_linear(f"{blk}.ffn_up", f"{layer}.mlp.up_proj", (inner, width), biased)
    yield from _llama_linear(f"{blk}.ffn_down", f"{layer}.mlp.down_proj", (width, inner), biased)


def _llama_linear(
    out: str, source: str, shape: tuple[int, int], biased: bool, change: Callable[[Array], Array] = unchanged
) -> Iterator[Rule]:
    yield Rule(f"{out}.weight", shape, f"{source}.weight", change)
    if biased:
        yield Rule(f"{out}.bias", shape[:1], f"{source}.bias", change)


# GPT-J, written as phi2: the same blocks, but for the order of rotated rows


def gptj(config: Config, names: Collection[str]) -> Model:
    width, heads, rows = (config.whole(n) for n in ("n_embd", "n_head", "vocab_size"))
    layers = _layers(config, "n_layer", names)
    size = _split(config, width, heads, ("n_embd", "n_head"))
    rotated = config.whole("rotary_dim")
    if rotated > size or rotated % 2:
        raise ConvertError(f"{config.file}: rotary_dim {rotated} must be even and at most the head size {size}")
    config.one_of("activation_function", ("gelu_new", "gelu_pytorch_tanh", "gelu_fast"))
    inner = config.whole("n_inner", 4 * width)
    keys: dict[str, Value] = {
        "context_length": config.whole("n_positions", 2048),
        "embedding_length": width,
        "block_count": layers,
        "feed_forward_length": inner,
        "attention.head_count": heads,
        "attention.layer_norm_epsilon": config.real("layer_norm_epsilon", 1e-5),
        "rope.dimension_count": rotated,
    }
    rules = [Rule("token_embd.weight", (rows, width), "transformer.wte.weight")]
    for n in range(layers):
        rules += _gptj_block(n, width, inner, partial(unpair, heads=heads, rotated=rotated))
    rules += _norm("output_norm", "transformer.ln_f", width)
    tied = config.flag("tie_word_embeddings", False)
    rules.append(Rule("output.weight", (rows, width), "transformer.wte.weight" if tied else "lm_head.weight"))
    # Tied checkpoints may lack the bias too; it is all zeros then.
    bias = "lm_head.bias" if not tied or "lm_head.bias" in names else None
    rules.append(Rule("output.bias", (rows,), bias))
    return Model("phi2", keys, tuple(rules), rows, frozenset({"lm_head.weight"}) if tied else frozenset())


def _gptj_block(n: int, width: int, inner: int, turn: Callable[[Array], Array]) -> Iterator[Rule]:
    blk, layer, square = f"blk.{n}", f"transformer.h.{n}", (width, width)
    yield from _norm(f"{blk}.attn_norm", f"{layer}.ln_1", width)
    yield Rule(f"{blk}.attn_q.weight", square, f"{layer}.attn.q_proj.weight", turn)
    yield Rule(f"{blk}.attn_k.weight", square, f"{layer}.attn.k_proj.weight", turn)
    yield Rule(f"{blk}.attn_v.weight", square, f"{layer}.attn.v_proj.weight")
    yield from _linear(f"{blk}.attn_output", f"{layer}.attn.out_proj", square, bias=None)
    yield from _linear(f"{blk}.ffn_up", f"{layer}.mlp.fc_in", (inner, width))
    yield from _linear(f"{blk}.ffn_down", f"{layer}.mlp.fc_out", (width, inner))


# GPT-NeoX


def gptneox(config: Config, names: Collection[str]) -> Model:
    width, heads = config.whole("hidden_size"), config.whole("num_attention_heads")
    size = _split(config, width, heads, ("hidden_size", "num_attention_heads"))
    layers = _layers(config, "num_hidden_layers", names)
    inner, rows = config.whole("intermediate_size"), config.whole("vocab_size")
    config.one_of("hidden_act", ("gelu", "gelu_new", "gelu_fast", "gelu_pytorch_tanh"))
    newer = config.part("rope_parameters")
    share = newer.real("partial_rotary_factor", config.real("rotary_pct", 0.25))
    rope = _rope(config)
    if not newer.values:
        rope["rope.freq_base"] = config.real("rotary_emb_base", config.real("rope_theta", 10000.0))
    keys: dict[str, Value] = {
        "context_length": config.whole("max_position_embeddings", 2048),
        "embedding_length": width,
        "block_count": layers,
        "feed_forward_length": inner,
        "attention.head_count": heads,
        "attention.layer_norm_epsilon": config.real("layer_norm_eps", 1e-5),
        "use_parallel_residual": config.flag("use_parallel_residual", True),
        "rope.dimension_count": int(size * share),
        **rope,
    }
    rules = [Rule("token_embd.weight", (rows, width), "gpt_neox.embed_in.weight")]
    for n in range(layers):
        rules += _gptneox_block(n, width, inner, heads, config.flag("attention_bias", True))
    rules += _norm("output_norm", "gpt_neox.final_layer_norm", width)
    tied = config.flag("tie_word_embeddings", False)
    # transformers called the output embed_out until its fifth version.
    head = "lm_head.weight" if "lm_head.weight" in names else "embed_out.weight"
    rules.append(Rule("output.weight", (rows, width), "gpt_neox.embed_in.weight" if tied else head))
    return Model("gptneox", keys, tuple(rules), rows, frozenset({head}) if tied else frozenset())


def _gptneox_block(n: int, width: int, inner: int, heads: int, biased: bool) -> Iterator[Rule]:
    blk, layer = f"blk.{n}", f"gpt_neox.layers.{n}"
    fused = partial(split_heads, heads=heads)
    qkv = f"{layer}.attention.query_key_value"
    yield from _norm(f"{blk}.attn_norm", f"{layer}.input_layernorm", width)
    yield Rule(f"{blk}.attn_qkv.weight", (3 * width, width), f"{qkv}.weight", fused)
    yield Rule(f"{blk}.attn_qkv.bias", (3 * width,), f"{qkv}.bias" if biased else None, fused)
    yield from _linear(f"{blk}.attn_output", f"{layer}.attention.dense", (width, width), "" if biased else None)
    yield from _norm(f"{blk}.ffn_norm", f"{layer}.post_attention_layernorm", width)
    yield from _linear(f"{blk}.ffn_up", f"{layer}.mlp.dense_h_to_4h", (inner, width))
    yield from _linear(f"{blk}.ffn_down", f"{layer}.mlp.dense_4h_to_h", (width, inner))


ARCHS: Mapping[str, Callable[[Config, Collection[str]], Model]] = {
    "LlamaForCausalLM": llama,
    "LLaMAForCausalLM": llama,  # as the first conversions of 2023 wrote it
    "GPTJForCausalLM": gptj,
    "GPTNeoXForCausalLM": gptneox,
}

MODEL_TYPES = {"llama": "LlamaForCausalLM", "gptj": "GPTJForCausalLM", "gpt_neox": "GPTNeoXForCausalLM"}

# Masks and tables that old checkpoints saved along with the weights; the engine computes its own.
BUFFERS = (".attn.bias", ".attn.masked_bias", ".attention.bias", ".attention.masked_bias", ".rotary_emb.inv_freq")

FLOATS = ("F32", "F16", "BF16", "F64")


def architecture(config: Config) -> str:
    """Name the architecture, or refuse it; only this is needed to refuse before any weight is opened."""
    listed = config.values.get("architectures")
    name = str(listed[0]) if isinstance(listed, list) and listed else MODEL_TYPES.get(_model_type(config))
    if name is not None and name in ARCHS:
        return name
    if name == "GPTNeoForCausalLM" or _model_type(config) == "gpt_neo":
        raise ConvertError(
            "GPT-Neo has no counterpart in llama.cpp (its local attention); "
            "play it from its folder instead: advrepl play -m HF_DIR"
        )
    known = ", ".join(sorted({n.removesuffix("ForCausalLM") for n in ARCHS}, key=str.lower))
    shown = name or _model_type(config) or "no architecture"
    raise ConvertError(f"{config.file}: {shown} cannot be converted; these can: {known}")


def _model_type(config: Config) -> str:
    return str(config.values.get("model_type") or "")


def model_of(config: Config, tensors: Mapping[str, TensorRef]) -> Model:
    """Build the rules for a checkpoint and refuse it, naming every offender, where the two disagree."""
    model = ARCHS[architecture(config)](config, tensors)
    check(model, tensors)
    return model


def check(model: Model, tensors: Mapping[str, TensorRef]) -> None:
    sources = {rule.source: rule for rule in model.rules if rule.source is not None}
    missing = [name for name in sources if name not in tensors]
    left = [n for n in tensors if n not in sources and n not in model.unused and not n.endswith(BUFFERS)]
    wrong = [
        f"{name} is {_spell(tensors[name].shape)}, config.json says {_spell(rule.shape)}"
        for name, rule in sources.items()
        if name in tensors and tensors[name].shape != rule.shape
    ]
    # GPTQ and 8-bit checkpoints keep integers here, which are no weights by themselves.
    packed = [f"{n} ({tensors[n].dtype})" for n in sources if n in tensors and tensors[n].dtype not in FLOATS]
    problems = [
        f"{title}: {', '.join(found)}"
        for title, found in (
            ("missing", missing),
            ("not expected", left),
            ("of another shape", wrong),
            ("not floating point", packed),
        )
        if found
    ]
    if problems:
        raise ConvertError("the weights do not fit config.json; tensors " + "; ".join(problems))


def _spell(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape)) or "a single number"
