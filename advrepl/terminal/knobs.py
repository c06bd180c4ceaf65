"""The sampling values that a player can set: what each means, its range and how it is turned off.

Does not sample; the values themselves are advrepl.engines.base.Sampling.
"""

import math
from dataclasses import dataclass
from typing import Any

import msgspec

from advrepl import AdvreplError
from advrepl.engines.base import Sampling

MOST = 2**31 - 1  # what llama.cpp's counters hold
MOST_SEED = 2**32 - 1


@dataclass(frozen=True, slots=True)
class Knob:
    """One value: how it is read, what it may be, and in words what it does."""

    kind: type[int] | type[float]
    low: float
    high: float
    meaning: str
    off: float | None = None  # turns the sampler off, where one value does

    @property
    def range(self) -> str:
        kind = "a whole number" if self.kind is int else "a number"
        if self.high >= MOST:
            return f"{kind}, {self.low:g} or more"
        return f"{kind} from {self.low:g} to {self.high:g}"


KNOBS = {
    "temperature": Knob(float, 0, 5, "how bold the choice is; 0: always the likeliest token"),
    "top_k": Knob(int, 0, MOST, "only so many of the likeliest tokens", 0),
    "top_p": Knob(float, 0, 1, "only the likeliest tokens that together have this chance", 1),
    "min_p": Knob(float, 0, 1, "only tokens with this share of the likeliest one's chance", 0),
    "typical": Knob(float, 0, 1, "only tokens about as surprising as expected", 1),
    "repeat_penalty": Knob(float, 0.1, 5, "how much tokens are held back that were there lately", 1),
    "repeat_last": Knob(int, 0, MOST, "how many tokens back that and dry look", 0),
    "presence_penalty": Knob(float, -2, 2, "taken off for a token that was there at all", 0),
    "frequency_penalty": Knob(float, -2, 2, "taken off for each time a token was there", 0),
    "dry": Knob(float, 0, 10, "how much word-for-word repetitions are held back", 0),
    "dry_base": Knob(float, 1, 8, "how fast that grows with their length"),
    "dry_allowed": Knob(int, 1, MOST, "tokens that may repeat free of charge"),
    "xtc": Knob(float, 0, 1, "how often the likeliest tokens are left out", 0),
    "xtc_threshold": Knob(float, 0, 1, "chance from which a token counts as one of those"),
    "mirostat": Knob(int, 0, 2, "1 or 2: keep the surprise even, in place of top_k to min_p", 0),
    "mirostat_tau": Knob(float, 0, 20, "the surprise that mirostat aims at"),
    "mirostat_eta": Knob(float, 0, 1, "how fast mirostat corrects itself"),
    "seed": Knob(int, 0, MOST_SEED, "the same seed and the same moves make the same story"),
    "max_tokens": Knob(int, 1, MOST, "the longest reply, options apart"),
}
BIAS = "logit_bias"


def changed(sampling: Sampling, name: str, text: str) -> Sampling:
    """The sampling with one value read from what the player typed; "off" and "default" are values too."""
    if name == BIAS:
        value: Any = _bias(text)
    elif text == "default":
        value = getattr(Sampling(), name)
    elif name == "seed" and text in ("off", "none", "random"):
        value = None
    else:
        value = _number(name, KNOBS[name], text)
    return msgspec.structs.replace(sampling, **{name: value})


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


def _number(name: str, knob: Knob, text: str) -> int | float:
    if text == "off" and knob.off is not None:
        text = f"{knob.off:g}"
    try:
        value: int | float = msgspec.convert(text, knob.kind, strict=False)
    except msgspec.ValidationError:
        value = math.nan
    if not knob.low <= value <= knob.high:  # also false for "nan"
        raise AdvreplError(f"{name} is {knob.range}, not {text!r}")
    return value


def _bias(text: str) -> dict[str, float]:
    if text in ("off", "default"):
        return {}
    try:
        bias = msgspec.json.decode(text, type=dict[str, float])
    except (msgspec.DecodeError, UnicodeEncodeError):
        bias = {"": 0.0}
    if "" in bias or not all(-100 <= value <= 100 for value in bias.values()):
        raise AdvreplError(f'{BIAS} is words with numbers from -100 to 100, as in {{"dragon": -5}}, not {text!r}')
    return bias
