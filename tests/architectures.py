"""Tiny GGUF files of other architectures with seeded random weights, written with `gguf` alone: for what their caches
do. What they write has no meaning.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gguf
import numpy as np

from tests import tiny

WIDTH, HEADS, KV_HEADS, HEAD, INNER, LAYERS = 64, 4, 2, 16, 128, 4
WINDOW = 64  # tokens that layers with a sliding window see
CONTEXT = 1024

Shapes = dict[str, tuple[int, ...]]
Header = dict[str, Any]


def attention(*, qk_norm: int = 0, fused: bool = False) -> Shapes:
    """The tensors of one layer's attention; `qk_norm`: values that are normalised together."""
    shapes: Shapes = {"attn_output": (WIDTH, HEADS * HEAD)}
    if fused:
        shapes["attn_qkv"] = ((HEADS + 2 * KV_HEADS) * HEAD, WIDTH)
    else:
        shapes |= {"attn_q": (HEADS * HEAD, WIDTH)} | dict.fromkeys(("attn_k", "attn_v"), (KV_HEADS * HEAD, WIDTH))
    if qk_norm:
        query, key = (HEADS * HEAD, KV_HEADS * HEAD) if qk_norm > HEAD else (HEAD, HEAD)
        shapes |= {"attn_q_norm": (query,), "attn_k_norm": (key,)}
    return shapes


def dense(*norms: str, **how: Any) -> Shapes:
    gate: Shapes = {} if how.get("fused") else {"ffn_gate": (INNER, WIDTH)}
    up = 2 * INNER if how.get("fused") else INNER
    shapes = {**dict.fromkeys(norms, (WIDTH,)), **attention(**how), **gate}
    return shapes | {"ffn_up": (up, WIDTH), "ffn_down": (WIDTH, INNER)}


PRE = ("attn_norm", "ffn_norm")
POST = ("post_attention_norm", "post_ffw_norm")
MAMBA: Shapes = {
    "attn_norm": (WIDTH,), "ssm_in": (4 * WIDTH, WIDTH), "ssm_conv1d": (2 * WIDTH, 4), "ssm_conv1d.bias": (2 * WIDTH,),
    "ssm_x": (4 + 2 * 16, 2 * WIDTH), "ssm_dt": (2 * WIDTH, 4), "ssm_dt.bias": (2 * WIDTH,), "ssm_a": (2 * WIDTH, 16),
    "ssm_d": (2 * WIDTH,), "ssm_out": (WIDTH, 2 * WIDTH),
}  # fmt: skip
CONV: Shapes = {
    **dict.fromkeys(PRE, (WIDTH,)), "shortconv.conv": (WIDTH, 3), "shortconv.in_proj": (3 * WIDTH, WIDTH),
    "shortconv.out_proj": (WIDTH, WIDTH), "ffn_gate": (INNER, WIDTH), "ffn_up": (INNER, WIDTH),
    "ffn_down": (WIDTH, INNER),
}  # fmt: skip
SSM: Header = {"ssm.conv_kernel": 4, "ssm.inner_size": 2 * WIDTH, "ssm.state_size": 16, "ssm.time_step_rank": 4}
YARN: Header = {
    "rope.scaling.type": "yarn", "rope.scaling.factor": 4.0, "rope.scaling.original_context_length": 256,
}  # fmt: skip

# A name -> architecture, the tensors of a layer by its number, what the header says besides.
MADE: dict[str, tuple[str, Callable[[int], Shapes], Header]] = {
    "llama": ("llama", lambda _: dense(*PRE), {}),
    "llama-yarn": ("llama", lambda _: dense(*PRE), YARN),
    "llama-attn-factor": ("llama", lambda _: dense(*PRE), {"rope.scaling.attn_factor": 1.2}),
    "qwen3": ("qwen3", lambda _: dense(*PRE, qk_norm=HEAD), {}),
    "gemma": ("gemma", lambda _: dense(*PRE), {}),
    "gemma2": ("gemma2", lambda _: dense(*PRE, *POST), {"attention.sliding_window": WINDOW}),
    "gemma3-all-windowed": ("gemma3", lambda _: dense(*PRE, *POST, qk_norm=HEAD), {"attention.sliding_window": WINDOW}),
    "gemma3": (
        "gemma3",
        lambda _: dense(*PRE, *POST, qk_norm=HEAD),
        {"attention.sliding_window": WINDOW, "block_count": 6},
    ),
    "phi3": ("phi3", lambda _: dense(*PRE, fused=True), {}),
    "olmo2": ("olmo2", lambda _: dense(*POST, qk_norm=HEADS * HEAD), {}),
    "smollm3": ("smollm3", lambda _: dense(*PRE), {}),
    "mamba": ("mamba", lambda _: MAMBA, SSM),
    "lfm2": (
        "lfm2",
        lambda n: dense(*PRE, qk_norm=HEAD) if n % 2 else CONV,
        {"shortconv.l_cache": 3, "attention.head_count_kv": [0, KV_HEADS] * (LAYERS // 2)},
    ),
}


def make(name: str, folder: Path, **header: Any) -> Path:
    """Write such a file; `header`: what it says otherwise."""
    arch, layer, more = MADE[name]
    path = folder / f"{name}.gguf"
    writer = gguf.GGUFWriter(path, arch)
    for key, value in (_common(arch) | more | header).items():
        _add(writer, f"{arch}.{key}", value)
    _tokenizer(writer)
    rand = tiny.Random(5)
    layers = (more | header).get("block_count", LAYERS)
    for tensor, shape in _tensors(arch, layer, layers):
        writer.add_tensor(tensor, _values(rand, tensor, shape))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _common(arch: str) -> Header:
    heads = {"attention.head_count": 0} if arch == "mamba" else {
        "attention.head_count": HEADS, "attention.head_count_kv": KV_HEADS, "attention.key_length": HEAD,
        "attention.value_length": HEAD, "rope.freq_base": 10000.0, "rope.dimension_count": HEAD,
    }  # fmt: skip
    return {
        "block_count": LAYERS, "context_length": CONTEXT, "embedding_length": WIDTH, "feed_forward_length": INNER,
        "attention.layer_norm_rms_epsilon": 1e-6, **heads,
    }  # fmt: skip


def _tensors(arch: str, layer: Callable[[int], Shapes], layers: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    yield "token_embd.weight", (tiny.ROWS, WIDTH)
    yield "token_embd_norm.weight" if arch == "lfm2" else "output_norm.weight", (WIDTH,)
    if arch == "olmo2":
        yield "output.weight", (tiny.ROWS, WIDTH)
    for number in range(layers):
        for name, shape in layer(number).items():
            bare = name in ("ssm_a", "ssm_d") or name.endswith(".bias")
            yield f"blk.{number}.{name}{'' if bare else '.weight'}", shape


def _values(rand: tiny.Random, name: str, shape: tuple[int, ...]) -> tiny.Floats:
    if name.endswith("ssm_a"):
        return -np.abs(rand(*shape, middle=1.5))
    if name == "token_embd.weight":  # small, or a model says again what it was told last
        return rand(*shape, spread=0.25)
    if len(shape) == 1:
        return rand(*shape, spread=0.3, middle=0.0 if name.endswith(".bias") else 1.0)
    return rand.weight(*shape) * np.float32(1.5 if "attn_q" in name or "attn_k" in name else 1)


def _add(writer: gguf.GGUFWriter, key: str, value: Any) -> None:
    kinds = {str: writer.add_string, float: writer.add_float32, int: writer.add_uint32, list: writer.add_array}
    kinds[type(value)](key, value)


def _tokenizer(writer: gguf.GGUFWriter) -> None:
    """All bytes and two specials."""
    tokens = [*tiny.byte_letters(), "<|endoftext|>", "</s>"]
    tokens += [f"[PAD{row}]" for row in range(len(tokens), tiny.ROWS)]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(tokens)
    kinds = [gguf.TokenType.NORMAL] * 256 + [gguf.TokenType.CONTROL] * 2
    writer.add_token_types(kinds + [gguf.TokenType.UNUSED] * (tiny.ROWS - len(kinds)))
    writer.add_token_merges(["t h"])
    writer.add_bos_token_id(256)
    writer.add_eos_token_id(257)
    writer.add_add_bos_token(False)
