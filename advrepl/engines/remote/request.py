"""A request for a reply, field by field, as one kind of server wants it.

Does not send it (completion.py).
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from advrepl.engines.remote.dialects import Dialect
from advrepl.sampling.params import NO_CHANCE, PARAMETERS, Sampling

SEED = 0x7FFFFFFF  # KoboldCpp's seeds are smaller than the others'
MOST_BIAS = 100.0
# Sampling parameters that no server is told of: what they do is done here.
OURS = ("seed", "max_tokens", "loop_guard", "stop_at_name")


def lacking(dialect: Dialect, sampling: Sampling) -> list[str]:
    """Return the sampling parameters that are on and that this kind of server does not have."""
    off = dialect.off_with_mirostat if sampling.mirostat else ()
    unknown = [
        each for name, each in PARAMETERS.items() if name in off or (name not in dialect.samplers and name not in OURS)
    ]
    on = {each.name for each in unknown if each.off is not None and getattr(sampling, each.name) != each.off}
    return [name for name in on if not PARAMETERS[name].only_with or _matters(name, sampling)]


def _matters(name: str, sampling: Sampling) -> bool:
    masters = (PARAMETERS[each] for each in PARAMETERS[name].only_with)
    return any(getattr(sampling, each.name) != each.off for each in masters)


def payload(
    dialect: Dialect,
    model: str,
    prompt: str | Sequence[int],
    sampling: Sampling,
    *,
    n_ctx: int,
    stops: Iterable[str] = (),
    grammar: str | None = None,
    biases: Mapping[int, float] | None = None,
    slid: bool = False,
) -> dict[str, Any]:
    """Return the fields of a request. Every sampler is in it, the neutral ones too, as servers' defaults differ.

    `biases`: token ids; `slid`: the window dropped turns since the last request, and nothing else has changed.
    """
    values = {name: getattr(sampling, name) for name in dialect.samplers}
    values["repeat_last_n"] = min(sampling.repeat_last_n, n_ctx)
    values["top_p"] = max(sampling.top_p, dialect.top_p_least)
    if "logit_bias" in values:
        values["logit_bias"] = {str(i): max(-MOST_BIAS, min(bias, MOST_BIAS)) for i, bias in (biases or {}).items()}
    values["seed"] = (sampling.seed or 0) & SEED
    fields: dict[str, Any] = {
        "model": model,
        "stream": True,
        dialect.limit: sampling.max_tokens,
        dialect.stop: list(dict.fromkeys(stop for stop in stops if stop)),
        **dialect.extras,
        **{theirs: values[ours] for ours, theirs in dialect.samplers.items()},
        **{theirs: values[ours] for theirs, ours in dialect.copies.items()},
    }
    if sampling.typical_p < 1 and "samplers" in fields:
        # llama.cpp's typical-p leaves nothing out where a banned token has no chance at all: min-p goes before it.
        order = [each for each in fields["samplers"] if each != "min_p"]
        order.insert(order.index("typ_p"), "min_p")
        fields["samplers"] = order
        fields["min_p"] = max(sampling.min_p, NO_CHANCE)
    if dialect.shape == "chat":
        fields["messages"] = [{"role": "user", "content": prompt}]
    else:
        fields["prompt"] = list(prompt) if not isinstance(prompt, str) else prompt
    if dialect.shape == "kobold":
        fields["max_context_length"] = n_ctx
    if dialect.reuse:
        fields[dialect.reuse] = SHORTEST_MOVED if slid else 0
    if grammar and dialect.grammar:
        _put(fields, dialect.grammar, grammar)
    return fields


SHORTEST_MOVED = 16  # tokens of a stretch that is worth moving


def _put(fields: dict[str, Any], place: tuple[str, ...], value: Any) -> None:
    for name in place[:-1]:
        fields = fields.setdefault(name, {})
    fields[place[-1]] = value
