"""More rows as those of tests/converted_architectures.py, the second half of those that many play."""

from tests.architectures import POST, PRE, Header, Shapes, Sizes, attention, dense
from tests.converted_architectures import fused, mamba2, mamba2_header, positioned
from tests.more_architectures import EPSILON, SECTIONS, SIGMOID, biased, experts, row, sparse, without
from tests.rarest_architectures import delta_header, feed_forward, gated_delta, normed


def _ungated(s: Sizes, *norms: str) -> Shapes:
    """Norms with biases, and no gate."""
    return without(dense(s), "ffn_gate") | normed(s, *norms)


def _feed_forward_biased(s: Sizes) -> Shapes:
    return {"ffn_up.bias": (s.inner,), "ffn_down.bias": (s.width,)}


def _llama4(s: Sizes, number: int) -> Shapes:
    """Every other layer has experts, and every fourth no rope."""
    return experts(s, *PRE, shared=True) if number % 2 else dense(s, *PRE)


def _shared_gate(s: Sizes, *norms: str, qk_norm: int = 0) -> Shapes:
    """Experts, and one for all tokens whose share is computed as well."""
    return experts(s, *norms, shared=True, qk_norm=qk_norm) | {"ffn_gate_inp_shexp": (s.width,)}


def _nemotron_h(s: Sizes, number: int, sparse: bool) -> Shapes:
    """A layer is a state, attention or a net by itself."""
    if number % 2:
        net = without(experts(s, shared=True, chosen=True) if sparse else feed_forward(s), *attention(s))
        return {"attn_norm": (s.width,)} | without(net, "ffn_norm", "ffn_gate", "ffn_gate_exps", "ffn_gate_shexp")
    return {"attn_norm": (s.width,)} | (attention(s) if number % 4 else mamba2(s))


def _nemotron_h_header(s: Sizes) -> Header:
    return mamba2_header(s) | EPSILON | {
        "attention.head_count_kv": [0, 0, s.kv_heads, 0] * (s.layers // 4),
        "feed_forward_length": [0, s.inner] * (s.layers // 2),
    }  # fmt: skip


ROWS = (
    row("llama4", _llama4, sparse(interleave_moe_layer_step=2, block_count=8)),
    row("mamba2", lambda s, _: mamba2(s) | {"attn_norm": (s.width,)}, lambda s: mamba2_header(s) | {
        "attention.head_count": 0, "attention.head_count_kv": 0
    }),
    row("mpt", lambda s, _: fused(s, *PRE), lambda _: EPSILON | {"attention.max_alibi_bias": 8.0}),
    row("nemotron", lambda s, _: _ungated(s, *PRE), lambda s: EPSILON | {"rope.dimension_count": s.head // 2}),
    row("nemotron_h", lambda s, n: _nemotron_h(s, n, sparse=False), _nemotron_h_header),
    row("nemotron_h_moe", lambda s, n: _nemotron_h(s, n, sparse=True), lambda s: (
        sparse(**SIGMOID, expert_shared_count=1, expert_shared_feed_forward_length=s.inner)(s) | _nemotron_h_header(s)
    )),
    row("olmo", lambda s, _: dense(s), lambda _: EPSILON),
    row("phi2", lambda s, _: _ungated(s, "attn_norm") | biased(s) | _feed_forward_biased(s), lambda s: EPSILON | {
        "rope.dimension_count": s.head // 2
    }),
    row("qwen2", lambda s, _: dense(s, *PRE) | without(biased(s), "attn_output.bias")),
    row("qwen2moe", lambda s, _: _shared_gate(s, *PRE) | without(biased(s), "attn_output.bias"), lambda s: (
        sparse(expert_shared_feed_forward_length=s.inner)(s)
    )),
    row("qwen2vl", lambda s, _: dense(s, *PRE) | without(biased(s), "attn_output.bias"), lambda _: SECTIONS),
    row("qwen35", lambda s, n: gated_delta(s, n, dense(s, "attn_norm", POST[0], qk_norm=s.head)), lambda s: (
        delta_header(s) | SECTIONS
    )),
    row("qwen3moe", lambda s, _: experts(s, *PRE, qk_norm=s.head), sparse()),
    row("qwen3next", lambda s, n: gated_delta(s, n, _shared_gate(s, "attn_norm", POST[0], qk_norm=s.head), one=True),
        lambda s: sparse(expert_shared_feed_forward_length=s.inner)(s) | delta_header(s)),
    row("seed_oss", lambda s, _: dense(s, "attn_norm", POST[0])),
    row("stablelm", lambda s, _: dense(s) | normed(s, *PRE), lambda s: EPSILON | {
        "rope.dimension_count": s.head // 4
    }),
    row("starcoder", positioned, lambda _: EPSILON),
    row("starcoder2", lambda s, _: _ungated(s, *PRE) | biased(s) | _feed_forward_biased(s), lambda _: EPSILON),
)  # fmt: skip
FURTHER = {made[0]: made for made in ROWS}
