"""More rows as those of tests/more_architectures.py, for architectures whose layers are unlike those of the others."""

from tests import tiny
from tests.architectures import POST, PRE, WINDOW, Header, Shapes, Sizes, attention, dense, ssm
from tests.more_architectures import EPSILON, SECTIONS, SHARED, SIGMOID, biased, experts, row, sparse, without

RANK, HEAD = 8, 16
WKV7_HEAD = 64  # llama.cpp computes 64 values of a head at once, and reads past shorter ones
GEMMA3N_LAYERS, GEMMA4_LAYERS = 25, 6  # the last ones have no keys and values of their own


def latent(s: Sizes, *, query: bool, absorbed: bool = False) -> Shapes:
    """Attention whose keys and values come from one short vector."""
    rank, rope, head = 2 * HEAD, s.head // 2, s.heads * s.head
    shapes: Shapes = {
        "attn_norm": (s.width,), "attn_kv_a_norm": (rank,), "attn_kv_a_mqa": (rank + rope, s.width),
        "attn_output": (s.width, head),
    }  # fmt: skip
    if query:
        shapes |= {"attn_q_a_norm": (rank,), "attn_q_a": (rank, s.width), "attn_q_b": (head, rank)}
    else:
        shapes["attn_q"] = (head, s.width)
    if absorbed:
        return shapes | {"attn_k_b": (s.heads, rank, s.head - rope), "attn_v_b": (s.heads, s.head, rank)}
    return shapes | {"attn_kv_b": (s.heads * (s.head - rope + s.head), rank)}


def latent_header(s: Sizes) -> Header:
    return {
        "attention.q_lora_rank": 2 * HEAD, "attention.kv_lora_rank": 2 * HEAD, "attention.head_count_kv": s.heads,
        "rope.dimension_count": s.head // 2,
    }  # fmt: skip


def absorbed_header(s: Sizes) -> Header:
    mla = {"attention.key_length_mla": s.head, "attention.value_length_mla": s.head, "attention.head_count_kv": 1}
    cached = {"attention.key_length": 2 * HEAD + s.head // 2, "attention.value_length": 2 * HEAD}
    return sparse(**SHARED)(s) | latent_header(s) | mla | cached


def feed_forward(s: Sizes) -> Shapes:
    return without(dense(s, "ffn_norm"), *attention(s))


def _per_layer(s: Sizes, number: int, layers: int, size: int) -> Shapes:
    """What each layer adds to a token besides."""
    whole: Shapes = {
        "/per_layer_token_embd": (tiny.ROWS, size * layers), "/per_layer_model_proj": (size * layers, s.width),
        "/per_layer_proj_norm": (size,),
    }  # fmt: skip
    each: Shapes = {"inp_gate": (size, s.width), "proj": (s.width, size), "post_norm": (s.width,)}
    return each | (whole if not number else {})


def _gemma4(s: Sizes, number: int) -> Shapes:
    """Layers that see all have heads of another size."""
    own = Sizes(s.width, s.heads, s.kv_heads, s.head * (1 + number % 2), s.inner)
    shapes = dense(own, *PRE, *POST, qk_norm=own.head) | _per_layer(s, number, GEMMA4_LAYERS, HEAD)
    return shapes | ({"/rope_freqs": (own.head // 2,)} if number == 1 else {})


def _gemma3n(s: Sizes, number: int) -> Shapes:
    whole: Shapes = dict.fromkeys(("/altup_proj", "/altup_unembd_proj"), (3, s.width, s.width))
    return dense(s, *PRE, *POST, qk_norm=s.head) | _per_layer(s, number, GEMMA3N_LAYERS, 256) | {
        "altup_correct_coef": (4, 4), "altup_correct_scale": (s.width,), "altup_predict_coef": (16, 4),
        "altup_router": (4, s.width), "altup_router_norm": (s.width,), "laurel_l": (64, s.width),
        "laurel_r": (s.width, 64), "laurel_post_norm": (s.width,),
    } | (whole if not number else {})  # fmt: skip


def gated_delta(s: Sizes, number: int, layer: Shapes, *, one: bool = False) -> Shapes:
    """Such a layer with gated attention, in every fourth, or with a state; `one`: with one matrix for its rates."""
    if number % 4 == 3:
        return layer | {"attn_q": (2 * s.heads * s.head, s.width)}
    rates: Shapes = {"ssm_ba": (8, s.width)} if one else {"ssm_beta": (4, s.width), "ssm_alpha": (4, s.width)}
    return without(layer, *attention(s, qk_norm=s.head)) | rates | {
        "attn_qkv": (8 * HEAD, s.width), "attn_gate": (4 * HEAD, s.width), "ssm_conv1d": (8 * HEAD, 4),
        "ssm_dt.bias": (4,), "ssm_a": (4,), "ssm_norm": (HEAD,), "ssm_out": (s.width, 4 * HEAD),
    }  # fmt: skip


def delta_header(_: Sizes) -> Header:
    return {
        "ssm.conv_kernel": 4, "ssm.inner_size": 4 * HEAD, "ssm.state_size": HEAD, "ssm.time_step_rank": 4,
        "ssm.group_count": 2,
    }  # fmt: skip


def _plamo2(s: Sizes, number: int) -> Shapes:
    shapes = dense(s, *PRE, *POST, fused=True)
    if number % 2:
        return shapes | {"attn_q_norm": (s.heads, s.head), "attn_k_norm": (s.kv_heads, s.head)}
    double, heads = 2 * s.width, s.width // 16
    return without(shapes, "attn_qkv", "attn_output") | {
        "ssm_in": (2 * double, s.width), "ssm_conv1d": (double, 4), "ssm_x": (64 + 2 * 16, double),
        "ssm_dt": (heads, 64), "ssm_dt.bias": (heads,), "ssm_a": (heads,), "ssm_d": (heads,),
        "ssm_out": (s.width, double), "ssm_dt_norm": (64,), "ssm_b_norm": (16,), "ssm_c_norm": (16,),
    }  # fmt: skip


def normed(s: Sizes, *names: str) -> Shapes:
    return {f"{name}{end}": (s.width,) for name in names for end in ("", ".bias")}


def _mixed(s: Sizes, *names: str) -> Shapes:
    return {f"time_mix_{name}": (s.width, s.width) for name in ("key", "value", "receptance", "output", *names)}


def _rwkv(s: Sizes, number: int) -> Shapes:
    """What RWKV 6 and 7 have in common."""
    return _mixed(s) | normed(s, "attn_norm", "attn_norm_2", "time_mix_ln") | {
        "channel_mix_lerp_k": (s.width,), "channel_mix_key": (s.inner, s.width),
        "channel_mix_value": (s.width, s.inner),
    } | ({} if number else normed(s, "/token_embd_norm"))  # fmt: skip


def _wkv6(s: Sizes) -> Shapes:
    return _mixed(s, "gate") | {
        "time_mix_w1": (5 * RANK, s.width), "time_mix_w2": (5, s.width, RANK), "time_mix_lerp_x": (s.width,),
        "time_mix_lerp_fused": (5, 1, 1, s.width), "time_mix_first": (s.width // HEAD, HEAD),
        "time_mix_decay": (s.width,), "time_mix_decay_w1": (RANK, s.width), "time_mix_decay_w2": (s.width, RANK),
    }  # fmt: skip


def _wkv7(s: Sizes) -> Shapes:
    vectors = {f"time_mix_{name}": (s.width,) for name in ("w0", "a0", "v0", "k_k", "k_a", "r_k")}
    down = {f"time_mix_{name}1": (RANK, s.width) for name in "wavg"}
    up = {f"time_mix_{name}2": (s.width, RANK) for name in "wavg"}
    return {"time_mix_lerp_fused": (6, 1, 1, s.width), **vectors, **down, **up}


def _wkv6_header(_: Sizes) -> Header:
    return _recurrent | {"time_mix_extra_dim": RANK, "time_decay_extra_dim": RANK}


def _wkv7_header(_: Sizes) -> Header:
    ranks = ("decay", "iclr", "value_residual_mix", "gate")
    return _recurrent | {"wkv.head_size": WKV7_HEAD} | {f"attention.{name}_lora_rank": RANK for name in ranks}


_recurrent: Header = EPSILON | {
    "wkv.head_size": HEAD, "attention.head_count": 0, "attention.head_count_kv": 0, "token_shift_count": 2,
}  # fmt: skip
_single: Header = {"token_shift_count": 1}

ROWS = (
    row("codeshell", lambda s, _: without(dense(s, *PRE), "ffn_gate") | biased(s, *PRE, "ffn_down") | {
        "ffn_up.bias": (s.inner,)
    }, lambda _: EPSILON),
    row("jais", lambda s, _: feed_forward(s) | attention(s, fused=True) | normed(s, *PRE) | {
        "attn_qkv.bias": (2 * s.width,), "attn_output.bias": (s.width,), "ffn_down.bias": (s.width,),
        "ffn_up.bias": (s.inner,), "ffn_gate.bias": (s.inner,),
    }, lambda _: EPSILON | {"attention.max_alibi_bias": 8.0}),
    row("minicpm3", lambda s, _: latent(s, query=True) | feed_forward(s), latent_header),
    row("plm", lambda s, _: latent(s, query=False) | without(feed_forward(s), "ffn_gate"), latent_header),
    row("mistral4", lambda s, n: latent(s, query=True, absorbed=True) | (
        without(experts(s, "ffn_norm", shared=True), *attention(s)) if n else feed_forward(s)
    ), absorbed_header),
    row("bailingmoe2", lambda s, n: (
        experts(s, *PRE, shared=True, chosen=True, qk_norm=s.head, fused=True)
        if n else feed_forward(s) | {"attn_norm": (s.width,)} | attention(s, qk_norm=s.head, fused=True)
    ), sparse(**SHARED, **SIGMOID)),
    row("gemma4", _gemma4, lambda s: {
        "block_count": GEMMA4_LAYERS, "attention.sliding_window": WINDOW, "attention.shared_kv_layers": 2,
        "attention.sliding_window_pattern": [True, False] * (GEMMA4_LAYERS // 2), "attention.key_length": 2 * s.head,
        "attention.value_length": 2 * s.head, "attention.key_length_swa": s.head, "attention.value_length_swa": s.head,
        "rope.dimension_count": 2 * s.head, "rope.dimension_count_swa": s.head,
        "embedding_length_per_layer_input": HEAD,
    }),
    row("gemma3n", _gemma3n, lambda _: {"block_count": GEMMA3N_LAYERS, "attention.sliding_window": WINDOW}),
    row("qwen35moe", lambda s, n: gated_delta(
        s, n, experts(s, "attn_norm", POST[0], shared=True, qk_norm=s.head) | {"ffn_gate_inp_shexp": (s.width,)}
    ), lambda s: sparse(expert_shared_feed_forward_length=s.inner)(s) | SECTIONS | delta_header(s)),
    row("plamo2", _plamo2, lambda s: ssm(s) | {
        "ssm.group_count": 0, "attention.head_count_kv": [0, s.kv_heads] * (s.layers // 2),
    }),
    row("rwkv6", lambda s, n: _rwkv(s, n) | _wkv6(s) | {
        "channel_mix_lerp_r": (s.width,), "channel_mix_receptance": (s.width, s.width)
    }, _wkv6_header),
    row("rwkv6qwen2", lambda s, _: without(_wkv6(s), "time_mix_first") | feed_forward(s) | {
        "attn_norm": (s.width,)
    }, lambda s: (
        _wkv6_header(s) | _single
    )),
    row("rwkv7", lambda s, n: _rwkv(s, n) | _wkv7(s), _wkv7_header),
    row("arwkv7", lambda s, _: _wkv7(s) | _mixed(s) | feed_forward(s) | {"attn_norm": (s.width,)}, lambda s: (
        _wkv7_header(s) | _single
    )),
)  # fmt: skip
RAREST = {made[0]: made for made in ROWS}
