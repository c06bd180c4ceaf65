"""GPT-NeoX as llama.cpp's gptneox."""

from collections.abc import Collection, Iterator
from functools import partial

from convert.archs.parts import divide, layer_count, layer_norm, linear, rope_keys
from convert.archs.rules import Model, Rule, Scalar, split_heads
from convert.config import Config


def gptneox(config: Config, tensors: Collection[str]) -> Model:
    """The GPT-NeoX model that the config describes; `tensors`: the names that the checkpoint has.

    Raises ConvertError where a field is missing, makes no sense or cannot be expressed in GGUF.
    """
    hidden, heads = config.integer("hidden_size"), config.integer("num_attention_heads")
    size = divide(config, hidden, heads, ("hidden_size", "num_attention_heads"))
    layers = layer_count(config, "num_hidden_layers", tensors)
    intermediate, vocab_size = config.integer("intermediate_size"), config.integer("vocab_size")
    config.one_of("hidden_act", ("gelu", "gelu_new", "gelu_fast", "gelu_pytorch_tanh"))
    newer = config.object("rope_parameters")
    share = newer.number("partial_rotary_factor", config.number("rotary_pct", 0.25))
    rope = rope_keys(config)
    if not newer.values:
        rope["rope.freq_base"] = config.number("rotary_emb_base", config.number("rope_theta", 10000.0))
    keys: dict[str, Scalar] = {
        "context_length": config.integer("max_position_embeddings", 2048),
        "embedding_length": hidden,
        "block_count": layers,
        "feed_forward_length": intermediate,
        "attention.head_count": heads,
        "attention.layer_norm_epsilon": config.number("layer_norm_eps", 1e-5),
        "use_parallel_residual": config.boolean("use_parallel_residual", True),
        "rope.dimension_count": int(size * share),
        **rope,
    }
    rules = [Rule("token_embd.weight", (vocab_size, hidden), "gpt_neox.embed_in.weight")]
    for layer in range(layers):
        rules += _block(layer, hidden, intermediate, heads, config.boolean("attention_bias", True))
    rules += layer_norm("output_norm", "gpt_neox.final_layer_norm", hidden)
    tied = config.boolean("tie_word_embeddings", False)
    # transformers called the output embed_out until its fifth version.
    head = "lm_head.weight" if "lm_head.weight" in tensors else "embed_out.weight"
    rules.append(Rule("output.weight", (vocab_size, hidden), "gpt_neox.embed_in.weight" if tied else head))
    return Model("gptneox", keys, tuple(rules), vocab_size, frozenset({head}) if tied else frozenset())


def _block(layer: int, hidden: int, intermediate: int, heads: int, biased: bool) -> Iterator[Rule]:
    blk, source = f"blk.{layer}", f"gpt_neox.layers.{layer}"
    fused = partial(split_heads, heads=heads)
    qkv = f"{source}.attention.query_key_value"
    yield from layer_norm(f"{blk}.attn_norm", f"{source}.input_layernorm", hidden)
    yield Rule(f"{blk}.attn_qkv.weight", (3 * hidden, hidden), f"{qkv}.weight", fused)
    yield Rule(f"{blk}.attn_qkv.bias", (3 * hidden,), f"{qkv}.bias" if biased else None, fused)
    yield from linear(f"{blk}.attn_output", f"{source}.attention.dense", (hidden, hidden), "" if biased else None)
    yield from layer_norm(f"{blk}.ffn_norm", f"{source}.post_attention_layernorm", hidden)
    yield from linear(f"{blk}.ffn_up", f"{source}.mlp.dense_h_to_4h", (intermediate, hidden))
    yield from linear(f"{blk}.ffn_down", f"{source}.mlp.dense_4h_to_h", (hidden, intermediate))
