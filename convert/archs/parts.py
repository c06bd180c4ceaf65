"""Rules and keys that several architectures share."""

from collections.abc import Collection, Iterator
from math import log, pi

from convert import ConvertError
from convert.archs.rules import Rule, Scalar
from convert.config import Config


def linear(name: str, source: str, shape: tuple[int, int], bias: str | None = "") -> Iterator[Rule]:
    """Weight and bias of a linear layer, of shape (out, in) and (out,); `bias` None: it has none, zeros are written."""
    yield Rule(f"{name}.weight", shape, f"{source}.weight")
    yield Rule(f"{name}.bias", shape[:1], None if bias is None else f"{source}.bias")


def layer_norm(name: str, source: str, hidden: int) -> Iterator[Rule]:
    """Weight and bias of a layer norm, both of shape (hidden,)."""
    yield Rule(f"{name}.weight", (hidden,), f"{source}.weight")
    yield Rule(f"{name}.bias", (hidden,), f"{source}.bias")


def divide(config: Config, whole: int, parts: int, names: tuple[str, str]) -> int:
    """Divide without a rest, as a hidden size by its heads; a rest is a ConvertError with the two fields' `names`."""
    if whole % parts:
        raise ConvertError(f"{config.file}: {names[0]} {whole} is not a multiple of {names[1]} {parts}")
    return whole // parts


def layer_count(config: Config, field: str, tensors: Collection[str]) -> int:
    """The number of layers that a field names; one that cannot be true would make rules without end."""
    layers = config.integer(field)
    if layers > len(tensors):
        raise ConvertError(f"{config.file}: {field} is {layers}, but the checkpoint has only {len(tensors)} tensors")
    return layers


def rope_keys(config: Config) -> dict[str, Scalar]:
    """Keys for the rotary base and its scaling; transformers 5 keeps both in rope_parameters."""
    newer = config.object("rope_parameters")
    scaling = newer if newer.values else config.object("rope_scaling")
    kind = scaling.string("rope_type", scaling.string("type", "default"))
    base = newer.number("rope_theta", config.number("rope_theta", 10000.0))
    # "dynamic" changes nothing within the context that the config names, and the file promises no more.
    # "llama3" is a tensor: `rope_factors`.
    if kind in ("default", "dynamic", "llama3"):
        return {"rope.freq_base": base}
    if kind == "linear":
        factor = scaling.number("factor")
        return {"rope.freq_base": base, "rope.scaling.type": "linear", "rope.scaling.factor": factor}
    if kind == "yarn":
        return {"rope.freq_base": base, **_yarn_keys(config, scaling)}
    known = "default, linear, dynamic, llama3, yarn"
    raise ConvertError(f"{config.file}: rotary scaling {kind!r} is not supported, only {known}")


def _yarn_keys(config: Config, scaling: Config) -> dict[str, Scalar]:
    """YaRN's keys; llama.cpp multiplies by YaRN's own attention factor, so only what is beyond that is written."""
    original = scaling.integer("original_max_position_embeddings")
    factor = scaling.number("factor", config.integer("max_position_embeddings") / original)
    own = _mscale(factor, 1.0)
    attention = scaling.number("attention_factor", own)
    if (
        "attention_factor" not in scaling.values
        and scaling.values.get("mscale")
        and scaling.values.get("mscale_all_dim")
    ):
        attention = _mscale(factor, scaling.number("mscale")) / _mscale(factor, scaling.number("mscale_all_dim"))
    if not scaling.boolean("truncate", True):
        raise ConvertError(f"{scaling.file}: 'truncate' false cannot be expressed in GGUF")
    return {
        "rope.scaling.type": "yarn",
        "rope.scaling.factor": factor,
        "rope.scaling.original_context_length": original,
        "rope.scaling.attn_factor": attention / own,
        "rope.scaling.yarn_beta_fast": scaling.number("beta_fast", 32.0),
        "rope.scaling.yarn_beta_slow": scaling.number("beta_slow", 1.0),
    }


def _mscale(factor: float, by: float) -> float:
    return 0.1 * by * log(factor) + 1.0 if factor > 1 else 1.0


def rope_factors(config: Config, size: int) -> tuple[Rule, ...]:
    """The tensor by which llama.cpp divides the rotary frequencies of a head of this size, where "llama3" scales them.

    As transformers has it: long waves are stretched by the factor, short ones not, those between in part.
    """
    scaling = config.object("rope_parameters")
    scaling = scaling if scaling.values else config.object("rope_scaling")
    if scaling.string("rope_type", scaling.string("type", "default")) != "llama3":
        return ()
    factor, original = scaling.number("factor"), scaling.integer("original_max_position_embeddings")
    low, high = scaling.number("low_freq_factor"), scaling.number("high_freq_factor")
    if not low < high:
        raise ConvertError(f"{scaling.file}: low_freq_factor {low:g} must be below high_freq_factor {high:g}")
    base = scaling.number("rope_theta", config.number("rope_theta", 10000.0))
    turns = [original / (2 * pi * base ** (2 * i / size)) for i in range(size // 2)]  # of a pair, in the first context
    smooth = [min(max((turn - low) / (high - low), 0.0), 1.0) for turn in turns]
    values = tuple(1 / ((1 - share) / factor + share) for share in smooth)
    return (Rule("rope_freqs.weight", (size // 2,), None, values=values),)
