"""How the next token is chosen: the sampling values, what each means, its range, and how it is turned off.

Does not sample, and reads no text.
"""

from dataclasses import dataclass
from typing import Any

import msgspec

from advrepl import AdvreplError

MOST = 2**31 - 1  # what llama.cpp's counters hold
MOST_SEED = 2**32 - 1
MOST_TOKENS = 1_000_000  # no context is longer, and llama.cpp reserves memory for each token it looks back on


class Sampling(msgspec.Struct, frozen=True, omit_defaults=True):
    """How the next token is chosen. A value that turns its sampler off is given with each."""

    temperature: float = 0.8  # 0: always the likeliest token
    top_k: int = 40  # 0: off
    top_p: float = 0.95  # 1: off
    min_p: float = 0.05  # 0: off
    typical: float = 1.0  # 1: off
    repeat_penalty: float = 1.1  # 1: off
    repeat_last: int = 256  # tokens that the repeat penalty and DRY look back on
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0
    dry: float = 0.0  # multiplier; 0: off
    dry_base: float = 1.75
    dry_allowed: int = 2  # tokens that may repeat free of charge
    xtc: float = 0.0  # probability; 0: off
    xtc_threshold: float = 0.1
    mirostat: int = 0  # 1 or 2; 0: off
    mirostat_tau: float = 5.0
    mirostat_eta: float = 0.1
    logit_bias: dict[str, float] = {}  # text -> added to the logit of its first token
    seed: int | None = None  # None: a new one for each story
    max_tokens: int = 200  # of prose; the options come on top


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
        return f"{kind} from {self.low:g} to {self.high:,.7g}"


KNOBS = {
    "temperature": Knob(float, 0, 5, "how bold the choice is; 0: always the likeliest token"),
    "top_k": Knob(int, 0, MOST, "only so many of the likeliest tokens", 0),
    "top_p": Knob(float, 0, 1, "only the likeliest tokens that together have this chance", 1),
    "min_p": Knob(float, 0, 1, "only tokens with this share of the likeliest one's chance", 0),
    "typical": Knob(float, 0, 1, "only tokens about as surprising as expected", 1),
    "repeat_penalty": Knob(float, 0.1, 5, "how much tokens are held back that were there lately", 1),
    "repeat_last": Knob(int, 0, MOST_TOKENS, "how many tokens back that and dry look", 0),
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
NAMES = (*KNOBS, BIAS)


def checked(name: str, value: object, said: object = None) -> Any:
    """The value as Sampling holds it; wrong kinds and what is out of range are refused. `said`: how it was given."""
    said = value if said is None else said
    if name == BIAS:
        return _bias(value, said)
    if name == "seed" and value is None:
        return None
    knob = KNOBS[name]
    try:
        number = msgspec.convert(value, knob.kind)
    except (msgspec.ValidationError, OverflowError):  # OverflowError: a whole number too long for a float
        number = None
    if number is None or not knob.low <= number <= knob.high:  # also false for NaN
        raise AdvreplError(f"{name} is {knob.range}, not {brief(said)}")
    return number


def _bias(value: object, said: object) -> dict[str, float]:
    try:
        bias = msgspec.convert(value, dict[str, float])
    except (msgspec.ValidationError, OverflowError):
        bias = {"": 0.0}
    if "" in bias or not all(-100 <= number <= 100 for number in bias.values()):
        raise AdvreplError(f'{BIAS} is words with numbers from -100 to 100, as in {{"dragon": -5}}, not {brief(said)}')
    return bias


def brief(value: object) -> str:
    """A wrong value as an error shows it."""
    try:
        text = repr(value)
    except ValueError:  # Python refuses to spell endless integers
        return "a number that long"
    return text if len(text) <= 40 else text[:39] + "…"
