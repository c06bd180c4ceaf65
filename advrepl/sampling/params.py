"""The sampling parameters: one declaration each, which flags, /set, presets, saves and the README's table come from.

Does not sample. Loads nothing heavy, since `advrepl --help` reads it too.
"""

from collections.abc import Mapping
from typing import Annotated, Any, get_args

from msgspec import Struct
from msgspec.structs import fields, force_setattr

from advrepl import AdvreplError
from advrepl.hints import did_you_mean

MOST = 2**31 - 1  # what llama.cpp's counters hold
MOST_SEED = 2**32 - 1
MOST_TOKENS = 1_000_000  # no context is longer, and llama.cpp reserves memory for each token it looks back on
MOST_SHOWN = 40  # characters of a wrong value in an error
# What both engines' samplers share; fixed in llama.cpp.
DRY_BREAKERS = (b"\n", b":", b'"', b"*")  # no repetition is followed by DRY beyond a token that holds one of these
MIROSTAT_M = 100  # tokens that mirostat 1 estimates its distribution from, as in its paper
# Tokens this far below the best logit have less than a ten-millionth of its chance at temperature 1. Leaving them out
# first makes samplers, which otherwise sort the whole vocabulary, several times faster.
LOGIT_REACH = 16.0
NO_CHANCE = 1e-30  # of the likeliest token's


class Parameter(Struct, frozen=True):
    """A sampling parameter: its kind, range and names, and what it does."""

    name: str  # llama.cpp's (its server's, where its parts differ)
    kind: Any  # int, float or dict: words, each with a number
    default: Any
    low: float  # of the number, or of each number in a dict
    high: float
    meaning: str
    off: Any = None  # the value that turns it off; None: no value does
    aliases: tuple[str, ...] = ()  # of llama.cpp, SillyTavern, KoboldAI and transformers, and our own from old saves
    is_flag: bool = False  # is it an option of `advrepl play`?
    only_with: tuple[str, ...] = ()  # it matters only where one of these is on; empty: always

    @property
    def flag(self) -> str:
        """The name on the command line."""
        return f"--{self.name.replace('_', '-')}"

    @property
    def bounds(self) -> str:
        """The range in numbers."""
        return f"{self.low:g} or more" if self.high >= MOST else f"{self.low:g} to {self.high:,.7g}"

    @property
    def range(self) -> str:
        """What it may be, in words."""
        if self.kind is dict:
            return f'words with numbers from {self.bounds}, as in {{"dragon": -5}}'
        kind = "a whole number" if self.kind is int else "a number"
        return f"{kind}, {self.bounds}" if self.high >= MOST else f"{kind} from {self.bounds}"

    def check(self, value: object, said: object = None) -> Any:
        """Return the value as Sampling holds it; AdvreplError if it is of another kind or out of range.

        The error quotes `said`, or the value if that is None.
        """
        if value is None and self.default is None:
            return None
        checked = self._words(value) if self.kind is dict else self._number(value)
        if checked is None:
            raise AdvreplError(f"{self.name} is {self.range}, not {brief(value if said is None else said)}")
        return checked

    def read(self, text: str) -> Any:
        """Return the value of a text, a number or JSON; AdvreplError as of `check`."""
        try:
            value: object = _decoded(text) if self.kind is dict else self.kind(text)
        except ValueError:
            value = text
        return self.check(value, text)

    def show(self, value: Any) -> str:
        """Return the value as a player reads it."""
        if value is None:
            return "random"
        if self.kind is dict:
            import json

            return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
        return f"{value:g}" if self.kind is float else str(value)

    def _number(self, value: object) -> int | float | None:
        wanted = int if self.kind is int else int | float
        if isinstance(value, bool) or not isinstance(value, wanted) or not self.low <= value <= self.high:  # NaN too
            return None
        return value if self.kind is int else float(value)

    def _words(self, value: object) -> dict[str, float] | None:
        if not isinstance(value, dict):
            return None
        numbers = {word: self._number(number) for word, number in value.items() if _is_word(word)}
        checked = {word: number for word, number in numbers.items() if number is not None}
        return checked if len(checked) == len(value) else None


def _is_word(word: object) -> bool:
    """Can it be looked up in a vocabulary? Half a character (a lone surrogate) of escaped JSON cannot."""
    return isinstance(word, str) and word != "" and word == word.encode("utf-8", "ignore").decode()


def _decoded(text: str) -> object:
    import json  # not at the top: --help has no use for it

    try:
        return json.loads(text)
    except RecursionError:
        return text


def brief(value: object) -> str:
    """Return a wrong value as an error shows it."""
    try:
        text = repr(value)
    except ValueError:  # Python refuses to spell endless integers
        return "a number that long"
    return text if len(text) <= MOST_SHOWN else text[: MOST_SHOWN - 1] + "…"


def _about(
    low: float,
    high: float,
    meaning: str,
    *,
    off: Any = None,
    aliases: tuple[str, ...] = (),
    is_flag: bool = False,
    only_with: tuple[str, ...] = (),
) -> dict[str, Any]:
    """Return the fields of a Parameter that its field of Sampling does not tell."""
    return {
        "low": low,
        "high": high,
        "meaning": meaning,
        "off": off,
        "aliases": aliases,
        "is_flag": is_flag,
        "only_with": only_with,
    }


class Sampling(Struct, frozen=True):
    """How the next token is chosen. AdvreplError for a value of another kind or out of its range."""

    # fmt: off
    temperature: Annotated[float, _about(
        0, 5, "how bold the choice is; 0: always the likeliest token", aliases=("temp",), is_flag=True)] = 0.8
    top_k: Annotated[int, _about(
        0, MOST, "only so many of the likeliest tokens", off=0, is_flag=True)] = 40
    top_p: Annotated[float, _about(
        0, 1, "only the likeliest tokens that together have this chance", off=1.0, is_flag=True)] = 0.95
    min_p: Annotated[float, _about(
        0, 1, "only tokens with this share of the likeliest one's chance", off=0.0, is_flag=True)] = 0.05
    typical_p: Annotated[float, _about(
        0, 1, "only tokens about as surprising as expected", off=1.0, aliases=("typical", "typ_p"))] = 1.0
    repeat_penalty: Annotated[float, _about(
        0.1, 5, "how much tokens are held back that were there lately", off=1.0, is_flag=True,
        aliases=("repetition_penalty", "rep_pen", "penalty_repeat"))] = 1.1
    repeat_last_n: Annotated[int, _about(
        0, MOST_TOKENS, "how many tokens back the penalties and DRY look", off=0,
        aliases=("repeat_last", "penalty_last_n", "rep_pen_range", "repetition_penalty_range"),
        only_with=("repeat_penalty", "presence_penalty", "frequency_penalty", "dry_multiplier"))] = 256
    presence_penalty: Annotated[float, _about(
        -2, 2, "taken off for a token that was there at all", off=0.0,
        aliases=("presence_pen", "penalty_present"))] = 0.0
    frequency_penalty: Annotated[float, _about(
        -2, 2, "taken off for each time a token was there", off=0.0, aliases=("freq_pen", "penalty_freq"))] = 0.0
    dry_multiplier: Annotated[float, _about(
        0, 10, "DRY: how much word-for-word repetitions are held back", off=0.0, aliases=("dry",))] = 0.0
    dry_base: Annotated[float, _about(
        1, 8, "how fast that grows with their length", only_with=("dry_multiplier",))] = 1.75
    dry_allowed_length: Annotated[int, _about(
        1, MOST, "tokens that may repeat free of charge", aliases=("dry_allowed",), only_with=("dry_multiplier",))] = 2
    xtc_probability: Annotated[float, _about(
        0, 1, "XTC: how often the likeliest tokens are left out", off=0.0, aliases=("xtc",))] = 0.0
    xtc_threshold: Annotated[float, _about(
        0, 1, "chance from which a token counts as one of those", only_with=("xtc_probability",))] = 0.1
    mirostat: Annotated[int, _about(
        0, 2, "1 or 2: keep the surprise even, in place of top_k to min_p", off=0, aliases=("mirostat_mode",))] = 0
    mirostat_tau: Annotated[float, _about(
        0, 20, "the surprise that mirostat aims at", aliases=("mirostat_ent",), only_with=("mirostat",))] = 5.0
    mirostat_eta: Annotated[float, _about(
        0, 1, "how fast mirostat corrects itself", aliases=("mirostat_lr",), only_with=("mirostat",))] = 0.1
    logit_bias: Annotated[dict[str, float], _about(
        -100, 100, 'words made likelier or rarer, as in {"dragon": -5}', off={})] = {}
    seed: Annotated[int | None, _about(  # None: a new one for each story
        0, MOST_SEED, "the same seed and the same moves make the same story", is_flag=True)] = None
    max_tokens: Annotated[int, _about(
        1, MOST, "the longest reply, options apart", is_flag=True,
        aliases=("n_predict", "predict", "max_new_tokens", "max_completion_tokens", "genamt"))] = 200
    loop_guard: Annotated[int, _about(
        0, MOST, "so many words in a row that were said before are not said again", off=0)] = 9
    stop_at_name: Annotated[int, _about(
        0, 1, "1: a line that begins with your name ends the reply, also without a colon", off=0)] = 0
    # fmt: on

    def __post_init__(self) -> None:
        for name, declared in PARAMETERS.items():
            force_setattr(self, name, declared.check(getattr(self, name)))

    def to_save(self) -> dict[str, Any]:
        """Return the values that are not the default."""
        return {name: value for name in PARAMETERS if (value := getattr(self, name)) != PARAMETERS[name].default}


KINDS: dict[Any, type] = {float: float, int: int, int | None: int, dict[str, float]: dict}  # by the type in Sampling
PARAMETERS = {
    f.name: Parameter(f.name, KINDS[kind], {} if KINDS[kind] is dict else f.default, **about)
    for f in fields(Sampling)
    for kind, about in (get_args(f.type),)
}
NAMES = {name: each.name for each in PARAMETERS.values() for name in (each.name, *each.aliases)}
# Names of other programs that look like one of ours and are none, with what comes closest, if anything does.
# (max_length is the length of the context in SillyTavern, of the reply in KoboldAI, of both in transformers.)
ELSEWHERE = {
    "max_length": "max_tokens",
    "top_a": "",
    "top_h": "",
    "min_keep": "",
    "min_temp": "",
    "min_tokens": "",
    "temperature_last": "",
    "temperature_range": "",
    "logit_bias_exp": "",
    "repetition_decay": "",
    "repetition_penalty_slope": "",
    "repetition_penalty_frequency": "",
    "repetition_penalty_presence": "",
    "encoder_repetition_penalty": "",
}


def parameter(name: str) -> Parameter:
    """Return the parameter with that name or alias; AdvreplError, with a hint, if there is none."""
    known = _plain(name)
    if known in NAMES:
        return PARAMETERS[NAMES[known]]
    if known in ELSEWHERE:
        hint = ELSEWHERE[known] and f"did you mean {ELSEWHERE[known]}?"
    else:
        hint = did_you_mean(known, NAMES)
    raise AdvreplError(f"there is nothing called {brief(name)} to set: {hint or '/set lists what there is'}")


def _plain(name: str) -> str:
    return name.replace("-", "_").casefold()


def read_fields(given: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the values by our names, and by what they were called a sentence for each that cannot be used."""
    values, wrong = dict[str, Any](), dict[str, str]()
    for name in sorted(given, key=lambda name: name not in PARAMETERS):  # our own names come first, and count
        try:
            found = parameter(name)
            if found.name in values:
                raise AdvreplError(f"{name} is another name of {found.name}, which is there too")
            values[found.name] = found.check(given[name])
        except AdvreplError as error:
            wrong[name] = str(error)
    return values, wrong


def read_saved(saved: Mapping[str, Any]) -> tuple[Sampling, list[str]]:
    """Return what a save says, and a sentence for each value that cannot be used: its default is, so that every story
    can be played.
    """
    values, wrong = read_fields(saved)
    sampling, remarks = Sampling(**values), []
    for name, sentence in wrong.items():
        ours = NAMES.get(_plain(name))
        now = f"{ours} is {PARAMETERS[ours].show(getattr(sampling, ours))} now" if ours else "it is left out"
        remarks.append(f"in the settings of this story, {sentence}; {now}")
    return sampling, remarks
