"""LLaMA, and Mistral, as llama.cpp's llama."""

from collections.abc import Callable, Collection, Iterator
from functools import partial

from convert.archs.parts import divide, layer_count, rope_factors, rope_keys
from convert.archs.rules import Array, Model, Rule, Scalar, permute, unchanged
from convert.config import Config


def llama(config: Config, tensors: Collection[str]) -> Model:
    """The LLaMA or Mistral model that the config describes; `tensors`: the names that the checkpoint has.

    A sliding window is beyond llama.cpp's llama: the context ends with it, up to where it changes nothing.

    Raises ConvertError where a field is missing, makes no sense or cannot be expressed in GGUF.
    """
    hidden, heads = config.integer("hidden_size"), config.integer("num_attention_heads")
    kv_heads = config.integer("num_key_value_heads", heads)
    divide(config, heads, kv_heads, ("num_attention_heads", "num_key_value_heads"))
    if config.values.get("head_dim"):  # may differ from hidden / heads
        size = config.integer("head_dim")
    else:
        size = divide(config, hidden, heads, ("hidden_size", "num_attention_heads"))
    config.one_of("hidden_act", ("silu", "swish"))
    layers = layer_count(config, "num_hidden_layers", tensors)
    intermediate, vocab_size = config.integer("intermediate_size"), config.integer("vocab_size")
    tied = config.boolean("tie_word_embeddings", False)
    context = config.integer("max_position_embeddings", 2048)
    keys: dict[str, Scalar] = {
        "vocab_size": vocab_size,
        "context_length": min(context, config.integer("sliding_window", context)),
        "embedding_length": hidden,
        "block_count": layers,
        "feed_forward_length": intermediate,
        "attention.head_count": heads,
        "attention.head_count_kv": kv_heads,
        "attention.layer_norm_rms_epsilon": config.number("rms_norm_eps", 1e-6),
        "rope.dimension_count": size,
        "attention.key_length": size,
        "attention.value_length": size,
        **rope_keys(config),
    }
    rules = [Rule("token_embd.weight", (vocab_size, hidden), "model.embed_tokens.weight"), *rope_factors(config, size)]
    for layer in range(layers):
        rules += _block(config, layer, (hidden, intermediate, heads * size, kv_heads * size), (heads, kv_heads))
    rules.append(Rule("output_norm.weight", (hidden,), "model.norm.weight"))
    if not tied:
        rules.append(Rule("output.weight", (vocab_size, hidden), "lm_head.weight"))
    return Model("llama", keys, tuple(rules), vocab_size, frozenset({"lm_head.weight"}) if tied else frozenset())


def _block(config: Config, layer: int, sizes: tuple[int, int, int, int], heads: tuple[int, int]) -> Iterator[Rule]:
    hidden, intermediate, q, kv = sizes
    blk, source = f"blk.{layer}", f"model.layers.{layer}"
    yield Rule(f"{blk}.attn_norm.weight", (hidden,), f"{source}.input_layernorm.weight")
    biased = config.boolean("attention_bias", False)
    permute_q, permute_k = (partial(permute, heads=count) for count in heads)
    yield from _linear(f"{blk}.attn_q", f"{source}.self_attn.q_proj", (q, hidden), biased, permute_q)
    yield from _linear(f"{blk}.attn_k", f"{source}.self_attn.k_proj", (kv, hidden), biased, permute_k)
    yield from _linear(f"{blk}.attn_v", f"{source}.self_attn.v_proj", (kv, hidden), biased)
    yield from _linear(f"{blk}.attn_output", f"{source}.self_attn.o_proj", (hidden, q), biased)
    yield Rule(f"{blk}.ffn_norm.weight", (hidden,), f"{source}.post_attention_layernorm.weight")
    biased = config.boolean("mlp_bias", False)
    yield from _linear(f"{blk}.ffn_gate", f"{source}.mlp.gate_proj", (intermediate, hidden), biased)
    yield from _linear(f"{blk}.ffn_up", f"{source}.mlp.up_proj", (intermediate, hidden), biased)
    yield from _linear(f"{blk}.ffn_down", f"{source}.mlp.down_proj", (hidden, intermediate), biased)


def _linear(
    name: str, source: str, shape: tuple[int, int], biased: bool, transform: Callable[[Array], Array] = unchanged
) -> Iterator[Rule]:
    yield Rule(f"{name}.weight", shape, f"{source}.weight", transform)
    if biased:
        yield Rule(f"{name}.bias", shape[:1], f"{source}.bias", transform)
