"""GPT-NeoX as llama.cpp's gptneox."""

from collections.abc import Collection, Iterator
from functools import partial

from convert.archs.parts import layer_count, linear, norm, rope_keys, split
from convert.archs.rules import Model, Rule, Value, split_heads
from convert.config import Config


def gptneox(config: Config, names: Collection[str]) -> Model:
    width, heads = config.whole("hidden_size"), config.whole("num_attention_heads")
    size = split(config, width, heads, ("hidden_size", "num_attention_heads"))
    layers = layer_count(config, "num_hidden_layers", names)
    inner, rows = config.whole("intermediate_size"), config.whole("vocab_size")
    config.one_of("hidden_act", ("gelu", "gelu_new", "gelu_fast", "gelu_pytorch_tanh"))
    newer = config.part("rope_parameters")
    share = newer.real("partial_rotary_factor", config.real("rotary_pct", 0.25))
    rope = rope_keys(config)
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
    rules += norm("output_norm", "gpt_neox.final_layer_norm", width)
    tied = config.flag("tie_word_embeddings", False)
    # transformers called the output embed_out until its fifth version.
    head = "lm_head.weight" if "lm_head.weight" in names else "embed_out.weight"
    rules.append(Rule("output.weight", (rows, width), "gpt_neox.embed_in.weight" if tied else head))
    return Model("gptneox", keys, tuple(rules), rows, frozenset({head}) if tied else frozenset())


def _gptneox_block(n: int, width: int, inner: int, heads: int, biased: bool) -> Iterator[Rule]:
    blk, layer = f"blk.{n}", f"gpt_neox.layers.{n}"
    fused = partial(split_heads, heads=heads)
    qkv = f"{layer}.attention.query_key_value"
    yield from norm(f"{blk}.attn_norm", f"{layer}.input_layernorm", width)
    yield Rule(f"{blk}.attn_qkv.weight", (3 * width, width), f"{qkv}.weight", fused)
    yield Rule(f"{blk}.attn_qkv.bias", (3 * width,), f"{qkv}.bias" if biased else None, fused)
    yield from linear(f"{blk}.attn_output", f"{layer}.attention.dense", (width, width), "" if biased else None)
    yield from norm(f"{blk}.ffn_norm", f"{layer}.post_attention_layernorm", width)
    yield from linear(f"{blk}.ffn_up", f"{layer}.mlp.dense_h_to_4h", (inner, width))
    yield from linear(f"{blk}.ffn_down", f"{layer}.mlp.dense_4h_to_h", (width, inner))
