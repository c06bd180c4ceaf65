"""More rows as those of tests/architectures.py, for architectures that few play, and whose caches are moved nowhere: so
that what the table of caches says of them is measured as well.
"""

from collections.abc import Callable
from typing import Any

from tests.architectures import POST, PRE, WINDOW, Header, Made, Shapes, Sizes, attention, dense, plain

EXPERTS = 4


def biased(s: Sizes, *norms: str) -> Shapes:
    """Biases of norms, and of attention."""
    query, key = s.heads * s.head, s.kv_heads * s.head
    shapes = {"attn_q": query, "attn_k": key, "attn_v": key, "attn_output": s.width} | dict.fromkeys(norms, s.width)
    return {f"{name}.bias": (size,) for name, size in shapes.items()}


def all_heads(s: Sizes) -> Shapes:
    """As many heads of keys and values as of queries."""
    return dict.fromkeys(("attn_k", "attn_v"), (s.heads * s.head, s.width))


def without(shapes: Shapes, *names: str) -> Shapes:
    return {name: shape for name, shape in shapes.items() if name not in names}


def experts(s: Sizes, *norms: str, shared: bool = False, chosen: bool = False, **how: Any) -> Shapes:
    """`shared`: is there one for all tokens; `chosen`: is there a bias by which they are chosen?"""
    shapes = {**dict.fromkeys(norms, (s.width,)), **attention(s, **how), "ffn_gate_inp": (EXPERTS, s.width)}
    each = {"gate": (s.inner, s.width), "up": (s.inner, s.width), "down": (s.width, s.inner)}
    for name, shape in each.items():
        shapes[f"ffn_{name}_exps"] = (EXPERTS, *shape)
        if shared:
            shapes[f"ffn_{name}_shexp"] = shape
    return shapes | ({"exp_probs_b.bias": (EXPERTS,)} if chosen else {})


def sparse(**more: Any) -> Callable[[Sizes], Header]:
    def header(s: Sizes) -> Header:
        counts = {"expert_count": EXPERTS, "expert_used_count": 2, "expert_feed_forward_length": s.inner}
        return counts | {name.replace("__", "."): value for name, value in more.items()}

    return header


SHARED: Header = {"expert_shared_count": 1, "leading_dense_block_count": 1, "expert_weights_scale": 1.0}
SIGMOID: Header = {"expert_gating_func": 2}
EPSILON: Header = {"attention.layer_norm_epsilon": 1e-5}
SECTIONS: Header = {"rope.dimension_sections": [4, 2, 2, 0]}


def _all_headed(s: Sizes) -> Header:
    return {"attention.head_count_kv": s.heads}


def row(arch: str, layer: Callable[[Sizes, int], Shapes], header: Callable[[Sizes], Header] = plain) -> Made:
    return arch, layer, header


PLAIN = ("deci", "exaone", "internlm2", "mistral3", "refact", "xverse")
ROWS = (
    *(row(arch, lambda s, _: dense(s, *PRE)) for arch in PLAIN),
    row("apertus", lambda s, _: without(dense(s, *PRE, qk_norm=s.head), "ffn_gate"), lambda s: {
        "xielu.alpha_p": [0.8] * s.layers, "xielu.alpha_n": [0.8] * s.layers, "xielu.beta": [0.5] * s.layers,
        "xielu.eps": [1e-6] * s.layers,
    }),
    row("baichuan", lambda s, _: dense(s, *PRE) | all_heads(s), _all_headed),
    row("bitnet", lambda s, _: dense(s, *PRE) | {"attn_sub_norm": (s.width,), "ffn_sub_norm": (s.inner,)}),
    row("chatglm", lambda s, _: dense(s, *PRE, fused=True)),
    row("jais2", lambda s, _: without(dense(s, *PRE), "ffn_gate") | biased(s, *PRE, "ffn_down") | {
        "ffn_up.bias": (s.inner,)
    }, lambda _: EPSILON),
    row("maincoder", lambda s, _: dense(s, *PRE, qk_norm=s.head)),
    row("minicpm", lambda s, _: dense(s, *PRE), lambda _: {
        "embedding_scale": 12.0, "residual_scale": 0.3, "logit_scale": 0.25
    }),
    row("openelm", lambda s, _: without(dense(s, *PRE, qk_norm=s.head), "attn_q", "attn_k", "attn_v") | {
        "attn_qkv": ((s.heads + 2 * s.kv_heads) * s.head, s.width)
    }, lambda s: {
        "feed_forward_length": [s.inner] * s.layers, "attention.head_count": [s.heads] * s.layers,
        "attention.head_count_kv": [s.kv_heads] * s.layers,
    }),
    row("orion", lambda s, _: dense(s, *PRE) | {f"{norm}.bias": (s.width,) for norm in PRE}, lambda _: EPSILON),
    row("pangu-embedded", lambda s, _: dense(s, *PRE) | biased(s)),
    row("plamo", lambda s, _: dense(s, "attn_norm")),
    row("plamo3", lambda s, _: dense(s, *PRE, *POST, qk_norm=s.head, fused=True), lambda _: {
        "attention.sliding_window": WINDOW, "block_count": 8
    }),
    row("qwen", lambda s, _: without(dense(s, *PRE), "attn_q", "attn_k", "attn_v") | {
        "attn_qkv": (3 * s.width, s.width), "attn_qkv.bias": (3 * s.width,)
    }, lambda s: {"feed_forward_length": 2 * s.inner, **_all_headed(s)}),
    row("qwen3vl", lambda s, _: dense(s, *PRE, qk_norm=s.head), lambda _: SECTIONS),
    row("afmoe", lambda s, n: {"attn_gate": (s.width, s.width)} | (
        experts(s, *PRE, *POST, shared=True, chosen=True, qk_norm=s.head)
        if n else dense(s, *PRE, *POST, qk_norm=s.head)
    ), sparse(**SHARED, **SIGMOID, attention__sliding_window=WINDOW, block_count=8)),
    row("arctic", lambda s, _: experts(s, *PRE, "ffn_norm_exps") | dict.fromkeys(
        ("ffn_gate", "ffn_up", "ffn_down"), (s.width, s.width)
    ), sparse()),
    row("bailingmoe", lambda s, _: experts(s, *PRE, shared=True), sparse(**SHARED | {"leading_dense_block_count": 0})),
    row("dbrx", lambda s, _: experts(s, "attn_norm", "attn_output_norm", fused=True), sparse(
        attention__clamp_kqv=8.0, attention__layer_norm_epsilon=1e-5
    )),
    row("deepseek", lambda s, n: experts(s, *PRE, shared=True) if n else dense(s, *PRE), sparse(**SHARED)),
    row("dots1", lambda s, n: all_heads(s) | (
        experts(s, *PRE, shared=True, chosen=True, qk_norm=s.head) if n else dense(s, *PRE, qk_norm=s.head)
    ) | all_heads(s), lambda s: sparse(**SHARED, **SIGMOID)(s) | _all_headed(s)),
    row("ernie4_5-moe", lambda s, n: experts(s, *PRE, shared=True) if n else dense(s, *PRE), lambda s: sparse(
        **SHARED, interleave_moe_layer_step=1, expert_shared_feed_forward_length=s.inner
    )(s)),
    row("glm4moe", lambda s, n: (
        experts(s, "attn_norm", POST[0], shared=True, chosen=True, qk_norm=s.head)
        if n else dense(s, "attn_norm", POST[0], qk_norm=s.head)
    ), sparse(**SHARED, **SIGMOID)),
    row("grok", lambda s, _: experts(s, *PRE, "attn_output_norm", "layer_output_norm"), sparse()),
    row("hunyuan-moe", lambda s, _: experts(s, *PRE, shared=True, qk_norm=s.head), lambda s: sparse(
        expert_shared_feed_forward_length=s.inner
    )(s)),
    row("minimax-m2", lambda s, _: experts(s, *PRE, chosen=True, qk_norm=s.heads * s.head), sparse(**SIGMOID)),
    row("olmoe", lambda s, _: experts(s, *PRE) | all_heads(s) | dict.fromkeys(
        ("attn_q_norm", "attn_k_norm"), (s.width,)
    ), lambda s: sparse()(s) | _all_headed(s)),
    row("phimoe", lambda s, _: experts(s, *PRE) | biased(s, *PRE), lambda s: sparse()(s) | EPSILON),
    row("qwen3vlmoe", lambda s, _: experts(s, *PRE, qk_norm=s.head), lambda s: sparse()(s) | SECTIONS),
    row("smallthinker", lambda s, _: experts(s, *PRE), sparse(
        **SIGMOID, attention__sliding_window=WINDOW, block_count=8
    )),
)  # fmt: skip
MORE = {arch: (arch, layer, header) for arch, layer, header in ROWS}
