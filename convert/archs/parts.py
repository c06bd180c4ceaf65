"""Rules and keys that several architectures share."""

from collections.abc import Collection, Iterator

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
    if kind == "default":
        return {"rope.freq_base": base}
    if kind == "linear":
        return {
            "rope.freq_base": base,
            "rope.scaling.type": "linear",
            "rope.scaling.factor": scaling.number("factor"),
        }
    raise ConvertError(f"{config.file}: rotary scaling {kind!r} is not supported, only 'default' and 'linear'")
