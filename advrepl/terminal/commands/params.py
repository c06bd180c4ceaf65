"""Sampling values as a player types and reads them.

Does not sample; ranges and meanings are advrepl.engines.knobs.
"""

from typing import Any

import msgspec

from advrepl.sampling.params import BIAS, KNOBS, Sampling, checked


def changed(sampling: Sampling, name: str, text: str) -> Sampling:
    """The sampling with one value read from what the player typed; "off" and "default" are values too."""
    return msgspec.structs.replace(sampling, **{name: _value(name, text)})


def _value(name: str, text: str) -> Any:
    if text == "default":
        return getattr(Sampling(), name)
    if name == BIAS:
        return checked(name, {} if text == "off" else _object(text), text)
    knob = KNOBS[name]
    if name == "seed" and text in ("off", "none", "random"):
        return None
    if text == "off" and knob.off is not None:
        text = f"{knob.off:g}"
    try:
        value: object = msgspec.convert(text, knob.kind, strict=False)
    except msgspec.ValidationError:
        value = text
    return checked(name, value, text)


def _object(text: str) -> object:
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
        return text


def shown(sampling: Sampling, name: str) -> str:
    value = getattr(sampling, name)
    if name == "seed" and value is None:
        return "random"
    if name == BIAS:
        return msgspec.json.encode(value).decode()
    return f"{value:g}" if isinstance(value, float) else str(value)


def table(sampling: Sampling) -> str:
    """Every value with what it means."""
    lines = []
    for name, knob in KNOBS.items():
        off = "" if knob.off is None else f"; {knob.off:g}: off"
        lines.append(f"{name:<17} {shown(sampling, name):<8} {knob.meaning}{off}")
    lines.append(
        f'{BIAS:<17} {shown(sampling, BIAS):<8} words made likelier or rarer, as in {{"dragon": -5}}; {{}}: off'
    )
    return "\n".join(lines)
