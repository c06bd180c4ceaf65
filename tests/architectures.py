"""Tiny GGUF files of other architectures with seeded random weights, written with `gguf` alone: for what their caches
do. What they write has no meaning.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gguf
import numpy as np

from tests import tiny


@dataclass(frozen=True)
class Sizes:
    """What the layers of such a model are made of; `layers` is an even number."""

    width: int = 64
    heads: int = 4
    kv_heads: int = 2
    head: int = 16
    inner: int = 128
    layers: int = 4
    halved: bool = False  # are the matrices F16?


TINY = Sizes()
LARGE = Sizes(1024, 16, 8, 64, 2816, 4, halved=True)  # 25 to 50 million weights, so that times mean something
WINDOW = 64  # tokens that layers with a sliding window see
CONTEXT = 1024

Shapes = dict[str, tuple[int, ...]]
Header = dict[str, Any]


def attention(s: Sizes, *, qk_norm: int = 0, fused: bool = False) -> Shapes:
    """The tensors of one layer's attention; `qk_norm`: values that are normalised together."""
    query, key = s.heads * s.head, s.kv_heads * s.head
    shapes: Shapes = {"attn_output": (s.width, query)}
    if fused:
        shapes["attn_qkv"] = (query + 2 * key, s.width)
    else:
        shapes |= {"attn_q": (query, s.width)} | dict.fromkeys(("attn_k", "attn_v"), (key, s.width))
    if qk_norm:
        norms = (query, key) if qk_norm > s.head else (s.head, s.head)
        shapes |= {"attn_q_norm": norms[:1], "attn_k_norm": norms[1:]}
    return shapes


def dense(s: Sizes, *norms: str, **how: Any) -> Shapes:
    gate: Shapes = {} if how.get("fused") else {"ffn_gate": (s.inner, s.width)}
    up = 2 * s.inner if how.get("fused") else s.inner
    shapes = {**dict.fromkeys(norms, (s.width,)), **attention(s, **how), **gate}
    return shapes | {"ffn_up": (up, s.width), "ffn_down": (s.width, s.inner)}


PRE = ("attn_norm", "ffn_norm")
POST = ("post_attention_norm", "post_ffw_norm")


def mamba(s: Sizes) -> Shapes:
    double, rank = 2 * s.width, s.width // 16
    return {
        "attn_norm": (s.width,), "ssm_in": (2 * double, s.width), "ssm_conv1d": (double, 4),
        "ssm_conv1d.bias": (double,), "ssm_x": (rank + 2 * 16, double), "ssm_dt": (double, rank),
        "ssm_dt.bias": (double,), "ssm_a": (double, 16), "ssm_d": (double,), "ssm_out": (s.width, double),
    }  # fmt: skip


def conv(s: Sizes) -> Shapes:
    return {
        **dict.fromkeys(PRE, (s.width,)), "shortconv.conv": (s.width, 3), "shortconv.in_proj": (3 * s.width, s.width),
        "shortconv.out_proj": (s.width, s.width), "ffn_gate": (s.inner, s.width), "ffn_up": (s.inner, s.width),
        "ffn_down": (s.width, s.inner),
    }  # fmt: skip


def ssm(s: Sizes) -> Header:
    return {
        "ssm.conv_kernel": 4, "ssm.inner_size": 2 * s.width, "ssm.state_size": 16, "ssm.time_step_rank": s.width // 16,
    }  # fmt: skip


def windowed(_: Sizes) -> Header:
    return {"attention.sliding_window": WINDOW}


def plain(_: Sizes) -> Header:
    return {}


YARN: Header = {
    "rope.scaling.type": "yarn", "rope.scaling.factor": 4.0, "rope.scaling.original_context_length": 256,
}  # fmt: skip

Layer = Callable[[Sizes, int], Shapes]
# A name -> architecture, the tensors of a layer by its number ("/": of the whole model), what the header says besides.
MADE: dict[str, "Made"] = {
    "llama": ("llama", lambda s, _: dense(s, *PRE), plain),
    "llama-yarn": ("llama", lambda s, _: dense(s, *PRE), lambda _: YARN),
    "llama-attn-factor": ("llama", lambda s, _: dense(s, *PRE), lambda _: {"rope.scaling.attn_factor": 1.2}),
    "qwen3": ("qwen3", lambda s, _: dense(s, *PRE, qk_norm=s.head), plain),
    "gemma": ("gemma", lambda s, _: dense(s, *PRE), plain),
    "gemma2": ("gemma2", lambda s, _: dense(s, *PRE, *POST), windowed),
    "gemma3-all-windowed": ("gemma3", lambda s, _: dense(s, *PRE, *POST, qk_norm=s.head), windowed),
    "gemma3": (
        "gemma3",
        lambda s, _: dense(s, *PRE, *POST, qk_norm=s.head),
        lambda _: {"attention.sliding_window": WINDOW, "block_count": 6},
    ),
    "phi3": ("phi3", lambda s, _: dense(s, *PRE, fused=True), plain),
    "olmo2": ("olmo2", lambda s, _: dense(s, *POST, qk_norm=s.heads * s.head), plain),
    "smollm3": ("smollm3", lambda s, _: dense(s, *PRE), plain),
    "mamba": ("mamba", lambda s, _: mamba(s), ssm),
    "lfm2": (
        "lfm2",
        lambda s, n: dense(s, *PRE, qk_norm=s.head) if n % 2 else conv(s),
        lambda s: {"shortconv.l_cache": 3, "attention.head_count_kv": [0, s.kv_heads] * (s.layers // 2)},
    ),
}


Made = tuple[str, Layer, Callable[[Sizes], Header]]
TIED = {
    "bitnet", "cohere2", "command-r", "gemma", "gemma2", "gemma3", "gemma3n", "gemma4", "lfm2", "lfm2moe",
    "llama", "mamba", "openelm", "phi3", "plamo2", "plm", "qwen3", "smollm3",
}  # fmt: skip
WITH_BIAS = {  # of the last norm
    "bloom", "codeshell", "falcon", "gpt2", "gptneox", "jais", "jais2", "mpt", "nemotron", "orion", "phi2", "phimoe",
    "rwkv6", "rwkv7", "stablelm", "starcoder", "starcoder2",
}  # fmt: skip
# How much more queries weigh: less where sharp attention in so many layers makes much of how sums are rounded, more
# where it would not show otherwise that keys were moved wrongly.
SHARPNESS = {"gemma3n": 0.25, "afmoe": 2.0, "hunyuan-dense": 3.0, "hunyuan-moe": 3.0, "maincoder": 3.0}
# Keys that have no architecture before them, and tensors without "weight" at their end.
UNPREFIXED, BARE = "xielu.", {
    "ssm_a", "ssm_d", "plamo2 ssm_dt_norm", "plamo2 ssm_b_norm", "plamo2 ssm_c_norm", "plamo2 post_attention_norm",
    "plamo2 post_ffw_norm", "plamo3 post_attention_norm", "plamo3 post_ffw_norm", "falcon-h1 ffn_norm",
}  # fmt: skip


def make(name: str, folder: Path, sizes: Sizes = TINY, row: Made | None = None, **header: Any) -> Path:
    """Write such a file; `row`: of another table than MADE; `header`: what it says otherwise."""
    arch, layer, more = row or MADE[name]
    path = folder / f"{name}.gguf"
    writer = gguf.GGUFWriter(path, arch)
    told = _common(arch, sizes) | more(sizes) | header
    for key, value in told.items():
        _add(writer, key if key.startswith(UNPREFIXED) else f"{arch}.{key}", value)
    _tokenizer(writer)
    rand = tiny.Random(5)
    for tensor, shape in _tensors(arch, layer, sizes, told["block_count"]):
        values = _values(rand, tensor, shape)
        if "attn_q_norm" in tensor:
            values = values * np.float32(SHARPNESS.get(arch, 1.0))
        halved = sizes.halved and min(shape) >= 32 and len(shape) > 1
        writer.add_tensor(tensor, values.astype(np.float16) if halved else values)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _common(arch: str, s: Sizes) -> Header:
    heads = {"attention.head_count": 0} if arch == "mamba" else {
        "attention.head_count": s.heads, "attention.head_count_kv": s.kv_heads, "attention.key_length": s.head,
        "attention.value_length": s.head, "rope.freq_base": 10000.0, "rope.dimension_count": s.head,
    }  # fmt: skip
    return {
        "block_count": s.layers, "context_length": CONTEXT, "embedding_length": s.width, "feed_forward_length": s.inner,
        "attention.layer_norm_rms_epsilon": 1e-6, **heads,
    }  # fmt: skip


def _tensors(arch: str, layer: Layer, s: Sizes, layers: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    yield "token_embd.weight", (tiny.ROWS, s.width)
    if arch != "olmo":
        yield "token_embd_norm.weight" if arch in ("lfm2", "lfm2moe") else "output_norm.weight", (s.width,)
    if arch not in TIED:
        yield "output.weight", (tiny.ROWS, s.width)
    if arch in WITH_BIAS:
        yield "output_norm.bias", (s.width,)
    if arch in ("phi2", "phimoe"):
        yield "output.bias", (tiny.ROWS,)
    for number in range(layers):
        for name, shape in layer(s, number).items():
            bare = not BARE.isdisjoint((name, f"{arch} {name}")) or name.endswith(".bias")
            place = f"blk.{number}." if not name.startswith("/") else ""
            yield f"{place}{name.removeprefix('/')}{'' if bare else '.weight'}", shape


def _values(rand: tiny.Random, name: str, shape: tuple[int, ...]) -> tiny.Floats:
    if name.endswith("ssm_a"):
        return -np.abs(rand(*shape, spread=0.02, middle=0.03))  # slow, or what was read makes no difference
    if name == "token_embd.weight":  # small, or a model says again what it was told last
        return rand(*shape, spread=0.25)
    if "time_mix_decay.w" in name or "time_mix_w0" in name:  # slow as well
        return rand(*shape, spread=0.3, middle=-4.0)
    if len(shape) == 1 or "_norm" in name:
        return rand(*shape, spread=0.3, middle=0.0 if name.endswith(".bias") else 1.0)
    if len(shape) == 4:  # parts of the token before
        return rand(*shape, spread=0.3, middle=0.5)
    if len(shape) == 3:  # experts
        return np.stack([rand.weight(*shape[1:]) for _ in range(shape[0])])
    return rand.weight(*shape) * np.float32(1.5 if "attn_q" in name or "attn_k" in name else 1)


def _add(writer: gguf.GGUFWriter, key: str, value: Any) -> None:
    kinds = {
        str: writer.add_string, float: writer.add_float32, int: writer.add_uint32, list: writer.add_array,
        bool: writer.add_bool,
    }  # fmt: skip
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
