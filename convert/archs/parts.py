"""Rules and keys that several architectures share."""

from collections.abc import Collection, Iterator

from convert import ConvertError
from convert.archs.rules import Rule, Value
from convert.config import Config


def linear(out: str, source: str, shape: tuple[int, int], bias: str | None = "") -> Iterator[Rule]:
    """Weight and bias of one layer; `bias` None: the model has none and zeros are written."""
    yield Rule(f"{out}.weight", shape, f"{source}.weight")
    yield Rule(f"{out}.bias", shape[:1], None if bias is None else f"{source}.bias")


def norm(out: str, source: str, width: int) -> Iterator[Rule]:
    yield Rule(f"{out}.weight", (width,), f"{source}.weight")
    yield Rule(f"{out}.bias", (width,), f"{source}.bias")


def split(config: Config, width: int, heads: int, names: tuple[str, str]) -> int:
    if width % heads:
        raise ConvertError(f"{config.file}: {names[0]} {width} is not a multiple of {names[1]} {heads}")
    return width // heads


def layer_count(config: Config, name: str, names: Collection[str]) -> int:
    """The number of layers; one that cannot be true would make rules without end."""
    layers = config.whole(name)
    if layers > len(names):
        raise ConvertError(f"{config.file}: {name} is {layers}, but the checkpoint has only {len(names)} tensors")
    return layers


def rope_keys(config: Config) -> dict[str, Value]:
    """Keys for the rotary base and its scaling; transformers 5 keeps both in rope_parameters."""
    newer = config.part("rope_parameters")
    scaling = newer if newer.values else config.part("rope_scaling")
    kind = scaling.text("rope_type", scaling.text("type", "default"))
    base = newer.real("rope_theta", config.real("rope_theta", 10000.0))
    if kind == "default":
        return {"rope.freq_base": base}
    if kind == "linear":
        return {
            "rope.freq_base": base,
            "rope.scaling.type": "linear",
            "rope.scaling.factor": scaling.real("factor"),
        }
    raise ConvertError(f"{config.file}: rotary scaling {kind!r} is not supported, only 'default' and 'linear'")
