"""More rows as those of tests/architectures.py, for architectures that many play: some of their caches are moved, and
of some it is shown that they cannot be.
"""

from tests.architectures import (
    CONTEXT,
    POST,
    PRE,
    WINDOW,
    YARN,
    Header,
    Shapes,
    Sizes,
    attention,
    conv,
    dense,
    mamba,
    ssm,
)
from tests.more_architectures import EPSILON, EXPERTS, SHARED, SIGMOID, experts, row, sparse, without
from tests.rarest_architectures import absorbed_header, feed_forward, latent, latent_header, normed

STATE = 16
LINEAR: Header = {"rope.scaling.type": "linear", "rope.scaling.factor": 8.0}
SCALED: Header = {"logit_scale": 0.5, "embedding_scale": 2.0, "residual_scale": 0.8, "attention.scale": 0.25}


def fused(s: Sizes, *norms: str) -> Shapes:
    """Norms with biases, queries, keys and values in one matrix, and no gate."""
    return attention(s, fused=True) | without(feed_forward(s), "ffn_gate", "ffn_norm") | normed(s, *norms)


def fused_biased(s: Sizes, number: int) -> Shapes:
    """As GPT-2 is built."""
    return fused(s, *PRE) | {
        "attn_qkv.bias": ((s.heads + 2 * s.kv_heads) * s.head,), "attn_output.bias": (s.width,),
        "ffn_up.bias": (s.inner,), "ffn_down.bias": (s.width,),
    }  # fmt: skip


def positioned(s: Sizes, number: int) -> Shapes:
    return fused_biased(s, number) | ({} if number else {"/position_embd": (CONTEXT, s.width)})


def _deepseek(s: Sizes, number: int, absorbed: bool) -> Shapes:
    layer = latent(s, query=absorbed, absorbed=absorbed)
    if not number:
        return layer | feed_forward(s)
    return layer | without(experts(s, "ffn_norm", shared=True, chosen=absorbed), *attention(s))


def _gpt_oss(s: Sizes, number: int) -> Shapes:
    biases = {"gate": (s.inner,), "up": (s.inner,), "down": (s.width,)}
    return experts(s, "attn_norm", POST[0]) | {
        "attn_sinks": (s.heads,), "attn_output.bias": (s.width,), "ffn_gate_inp.bias": (EXPERTS,)
    } | {f"ffn_{name}_exps.bias": (EXPERTS, *shape) for name, shape in biases.items()}  # fmt: skip


def mamba2(s: Sizes) -> Shapes:
    inner, mixed = 2 * s.width, 2 * s.width + 2 * STATE
    return {
        "ssm_in": (inner + mixed + s.heads, s.width), "ssm_conv1d": (mixed, 4), "ssm_conv1d.bias": (mixed,),
        "ssm_dt.bias": (s.heads,), "ssm_a": (s.heads, 1), "ssm_d": (s.heads, 1), "ssm_norm": (1, inner),
        "ssm_out": (s.width, inner),
    }  # fmt: skip


def mamba2_header(s: Sizes) -> Header:
    return ssm(s) | {"ssm.time_step_rank": s.heads, "ssm.group_count": 1}


def _jamba(s: Sizes, number: int) -> Shapes:
    """Every other layer has attention, and experts."""
    if number % 2:
        return experts(s, *PRE)
    return mamba(s) | feed_forward(s) | {
        "ssm_dt_norm": (s.width // 16,), "ssm_b_norm": (STATE,), "ssm_c_norm": (STATE,)
    }  # fmt: skip


def _lfm2moe(s: Sizes, number: int) -> Shapes:
    """The first two layers have no experts."""
    if number < 2:
        return dense(s, *PRE, qk_norm=s.head) if number % 2 else conv(s)
    layer = experts(s, *PRE, chosen=True, qk_norm=s.head)
    if number % 2:
        return layer
    return without(layer, *attention(s, qk_norm=s.head)) | without(conv(s), "ffn_gate", "ffn_up", "ffn_down")


def _factors(s: Sizes, number: int, *names: str) -> Shapes:
    """By which each pair of values is turned less, in all layers."""
    return {} if number else {f"/{name}": (s.head // 2,) for name in names}


def _every_other(s: Sizes) -> Header:
    return {"attention.head_count_kv": [0, s.kv_heads] * (s.layers // 2)}


ROWS = (
    row("arcee", lambda s, _: without(dense(s, *PRE), "ffn_gate")),
    row("bloom", lambda s, n: fused_biased(s, n) | ({} if n else normed(s, "/token_embd_norm")), lambda _: EPSILON),
    row("cohere2", lambda s, _: dense(s, "attn_norm"), lambda _: EPSILON | {
        "logit_scale": 1.0, "attention.sliding_window": WINDOW, "attention.sliding_window_pattern": 2
    }),
    row("command-r", lambda s, _: dense(s, "attn_norm"), lambda _: EPSILON | {"logit_scale": 1.0}),
    row("deepseek2", lambda s, n: _deepseek(s, n, absorbed=True), lambda s: absorbed_header(s) | SIGMOID),
    row("ernie4_5", lambda s, _: dense(s, *PRE)),
    row("exaone4", lambda s, _: dense(s, *POST, qk_norm=s.head)),
    row("falcon", lambda s, _: fused(s, "attn_norm"), lambda _: EPSILON),
    row("falcon-h1", lambda s, _: dense(s, *PRE) | mamba2(s), mamba2_header),
    row("glm4", lambda s, _: without(dense(s, *PRE, *POST), "ffn_gate") | {
        "ffn_up": (2 * s.inner, s.width)
    }, lambda s: {"rope.dimension_count": s.head // 2}),
    row("gpt-oss", _gpt_oss, lambda s: sparse(attention__sliding_window=WINDOW)(s) | YARN),
    row("gpt2", positioned, lambda _: EPSILON),
    row("gptneox", fused_biased, lambda s: EPSILON | {
        "rope.dimension_count": s.head // 4, "use_parallel_residual": True
    }),
    row("granite", lambda s, _: dense(s, *PRE), lambda _: SCALED),
    row("granitehybrid", lambda s, n: (
        dense(s, *PRE) if n % 2 else mamba2(s) | feed_forward(s) | {"attn_norm": (s.width,)}
    ), lambda s: mamba2_header(s) | _every_other(s) | SCALED),
    row("granitemoe", lambda s, _: experts(s, *PRE, shared=True), lambda s: (
        sparse(expert_shared_feed_forward_length=s.inner)(s) | SCALED
    )),
    row("hunyuan-dense", lambda s, _: dense(s, *PRE, qk_norm=s.head)),
    row("jamba", _jamba, lambda s: sparse()(s) | ssm(s) | _every_other(s)),
    row("lfm2moe", _lfm2moe, lambda s: sparse(**SIGMOID, leading_dense_block_count=2)(s) | _every_other(s) | {
        "shortconv.l_cache": 3
    }),
)  # fmt: skip
VARIANTS = {
    "llama-linear": row("llama", lambda s, _: dense(s, *PRE), lambda _: LINEAR),
    "llama-freqs": row("llama", lambda s, n: dense(s, *PRE) | _factors(s, n, "rope_freqs")),  # as of Llama 3.1
    "phi3-longrope": row("phi3", lambda s, n: (
        dense(s, *PRE, fused=True) | _factors(s, n, "rope_factors_long", "rope_factors_short")
    ), lambda _: {"rope.scaling.type": "longrope", "rope.scaling.original_context_length": 256}),
    "gemma3-linear": row("gemma3", lambda s, _: dense(s, *PRE, *POST, qk_norm=s.head), lambda _: LINEAR | {
        "block_count": 6, "attention.sliding_window": WINDOW, "rope.freq_base": 1e6
    }),
    "olmo2-windowed": row("olmo2", lambda s, _: dense(s, *POST, qk_norm=s.heads * s.head), lambda s: LINEAR | {
        "attention.sliding_window": WINDOW, "attention.sliding_window_pattern": [True, True, True, False]
    }),
    "deepseek2-unsplit": row("deepseek2", lambda s, n: _deepseek(s, n, absorbed=False), lambda s: (
        sparse(**SHARED)(s) | latent_header(s) | {"attention.q_lora_rank": 0}
    )),
    "exaone4-windowed": row("exaone4", lambda s, _: dense(s, *POST, qk_norm=s.head), lambda _: {
        "block_count": 64, "attention.sliding_window": WINDOW, "attention.sliding_window_pattern": 2
    }),
    "granite-unroped": row("granite", lambda s, _: dense(s, *PRE), lambda _: SCALED | {
        "rope.scaling.finetuned": False
    }),
}  # fmt: skip
CONVERTED = {made[0]: made for made in ROWS} | VARIANTS
