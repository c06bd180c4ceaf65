"""GPT-J, written as llama.cpp's phi2: the same blocks, but for the order of rotated rows."""

from collections.abc import Callable, Collection, Iterator
from functools import partial

from convert import ConvertError
from convert.archs.parts import layer_count, linear, norm, split
from convert.archs.rules import Array, Model, Rule, Value, unpair
from convert.config import Config


def gptj(config: Config, names: Collection[str]) -> Model:
    width, heads, rows = (config.whole(n) for n in ("n_embd", "n_head", "vocab_size"))
    layers = layer_count(config, "n_layer", names)
    size = split(config, width, heads, ("n_embd", "n_head"))
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
    rules += norm("output_norm", "transformer.ln_f", width)
    tied = config.flag("tie_word_embeddings", False)
    rules.append(Rule("output.weight", (rows, width), "transformer.wte.weight" if tied else "lm_head.weight"))
    # Tied checkpoints may lack the bias too; it is all zeros then.
    bias = "lm_head.bias" if not tied or "lm_head.bias" in names else None
    rules.append(Rule("output.bias", (rows,), bias))
    return Model("phi2", keys, tuple(rules), rows, frozenset({"lm_head.weight"}) if tied else frozenset())


def _gptj_block(n: int, width: int, inner: int, turn: Callable[[Array], Array]) -> Iterator[Rule]:
    blk, layer, square = f"blk.{n}", f"transformer.h.{n}", (width, width)
    yield from norm(f"{blk}.attn_norm", f"{layer}.ln_1", width)
    yield Rule(f"{blk}.attn_q.weight", square, f"{layer}.attn.q_proj.weight", turn)
    yield Rule(f"{blk}.attn_k.weight", square, f"{layer}.attn.k_proj.weight", turn)
    yield Rule(f"{blk}.attn_v.weight", square, f"{layer}.attn.v_proj.weight")
    yield from linear(f"{blk}.attn_output", f"{layer}.attn.out_proj", square, bias=None)
    yield from linear(f"{blk}.ffn_up", f"{layer}.mlp.fc_in", (inner, width))
    yield from linear(f"{blk}.ffn_down", f"{layer}.mlp.fc_out", (width, inner))
