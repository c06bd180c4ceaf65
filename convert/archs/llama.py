"""LLaMA as llama.cpp's llama."""

from collections.abc import Callable, Collection, Iterator
from functools import partial

from convert.archs.parts import layer_count, rope_keys, split
from convert.archs.rules import Array, Model, Rule, Value, pair, unchanged
from convert.config import Config


def llama(config: Config, names: Collection[str]) -> Model:
    width, heads = config.whole("hidden_size"), config.whole("num_attention_heads")
    kv_heads = config.whole("num_key_value_heads", heads)
    split(config, heads, kv_heads, ("num_attention_heads", "num_key_value_heads"))
    if config.values.get("head_dim"):  # may differ from width / heads
        size = config.whole("head_dim")
    else:
        size = split(config, width, heads, ("hidden_size", "num_attention_heads"))
    config.one_of("hidden_act", ("silu",))
    layers = layer_count(config, "num_hidden_layers", names)
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
        **rope_keys(config),
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
