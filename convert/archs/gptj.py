"""GPT-J, written as llama.cpp's phi2: the same blocks, but for the order of rotated rows."""

from collections.abc import Callable, Collection, Iterator
from functools import partial

from convert import ConvertError
from convert.archs.parts import divide, layer_count, layer_norm, linear
from convert.archs.rules import Array, Model, Rule, Scalar, unpermute
from convert.config import Config


def gptj(config: Config, tensors: Collection[str]) -> Model:
    """The GPT-J model that the config describes; `tensors`: the names that the checkpoint has.

    Raises ConvertError where a field is missing, makes no sense or cannot be expressed in GGUF.
    """
    hidden, heads, vocab_size = (config.integer(name) for name in ("n_embd", "n_head", "vocab_size"))
    layers = layer_count(config, "n_layer", tensors)
    size = divide(config, hidden, heads, ("n_embd", "n_head"))
    rotated = config.integer("rotary_dim")
    if rotated > size or rotated % 2:
        raise ConvertError(f"{config.file}: rotary_dim {rotated} must be even and at most the head size {size}")
    config.one_of("activation_function", ("gelu_new", "gelu_pytorch_tanh", "gelu_fast"))
    intermediate = config.integer("n_inner", 4 * hidden)
    keys: dict[str, Scalar] = {
        "context_length": config.integer("n_positions", 2048),
        "embedding_length": hidden,
        "block_count": layers,
        "feed_forward_length": intermediate,
        "attention.head_count": heads,
        "attention.head_count_kv": heads,  # other programs look for it in phi2
        "attention.layer_norm_epsilon": config.number("layer_norm_epsilon", 1e-5),
        "rope.dimension_count": rotated,
    }
    rules = [Rule("token_embd.weight", (vocab_size, hidden), "transformer.wte.weight")]
    for layer in range(layers):
        rules += _block(layer, hidden, intermediate, partial(unpermute, heads=heads, rotated=rotated))
    rules += layer_norm("output_norm", "transformer.ln_f", hidden)
    tied = config.boolean("tie_word_embeddings", False)
    rules.append(Rule("output.weight", (vocab_size, hidden), "transformer.wte.weight" if tied else "lm_head.weight"))
    # Tied checkpoints may lack the bias too; it is all zeros then.
    bias = "lm_head.bias" if not tied or "lm_head.bias" in tensors else None
    rules.append(Rule("output.bias", (vocab_size,), bias))
    return Model("phi2", keys, tuple(rules), vocab_size, frozenset({"lm_head.weight"}) if tied else frozenset())


def _block(layer: int, hidden: int, intermediate: int, reorder: Callable[[Array], Array]) -> Iterator[Rule]:
    blk, source, square = f"blk.{layer}", f"transformer.h.{layer}", (hidden, hidden)
    yield from layer_norm(f"{blk}.attn_norm", f"{source}.ln_1", hidden)
    yield Rule(f"{blk}.attn_q.weight", square, f"{source}.attn.q_proj.weight", reorder)
    yield Rule(f"{blk}.attn_k.weight", square, f"{source}.attn.k_proj.weight", reorder)
    yield Rule(f"{blk}.attn_v.weight", square, f"{source}.attn.v_proj.weight")
    yield from linear(f"{blk}.attn_output", f"{source}.attn.out_proj", square, bias=None)
    yield from linear(f"{blk}.ffn_up", f"{source}.mlp.fc_in", (intermediate, hidden))
    yield from linear(f"{blk}.ffn_down", f"{source}.mlp.fc_out", (hidden, intermediate))
