"""Presets: sampling parameters under a name, those people used with these models and the player's own files.

Does not sample, and knows no models: which preset fits which is a sentence for people.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from advrepl import AdvreplError, atomic, regular
from advrepl.hints import did_you_mean
from advrepl.sampling.params import PARAMETERS, Sampling, brief, read_fields
from advrepl.scripts import is_file_name

FILE_LIMIT = 64 * 1024  # bytes
# What SillyTavern's and KoboldAI's presets have and ours do not; there most fields belong to other programs.
FOREIGN = {
    "sampler_order",
    "sampler_priority",
    "samplers",
    "temperature_last",
    "tfs",
    "chat_completion_source",
    "order",
}
SAVE = "save"  # what `/preset save NAME` takes away from the names


class Preset(Struct, frozen=True):
    """Values for some or all fields of Sampling, under a name."""

    name: str
    fields: Mapping[str, Any]
    about: str  # where it comes from and what it fits

    def on(self, sampling: Sampling) -> Sampling:
        """Return the sampling with the preset's values; what it does not name stays."""
        return replace(sampling, **self.fields)


class Era(Struct, frozen=True):
    """Settings as they were published, in KoboldAI's terms. What is not named was off."""

    about: str
    temperature: float
    top_p: float = 1.0
    top_k: int = 0
    typical: float = 1.0
    min_p: float = 0.0
    tfs: float = 1.0  # tail-free sampling
    top_a: float = 0.0
    rep_pen: float = 1.0
    rep_pen_range: int = 2048  # tokens; where a source is silent, all that these models could see
    rep_pen_slope: float = 0.0  # above 0 the penalty grows from the far end of its range to the near one
    max_length: int | None = None  # tokens of a reply


# Where a source gives a range of values, its middle is here.
ERA = {
    "pygmalion": Era(
        "PygmalionAI's own web page: calm dialogue, for Pygmalion 2.7B, 6B and 7B",
        0.5, top_p=0.9, rep_pen=1.05, max_length=196,
    ),
    "pygmalion-webui": Era(
        "Pygmalion.txt of text-generation-webui, early 2023: for Pygmalion 6B and 7B",
        0.5, top_p=0.9, rep_pen=1.1,
    ),
    "koboldai": Era(
        "the default of KoboldAI United: for any of these models, calm",
        0.5, top_p=0.9, rep_pen=1.1, rep_pen_slope=1.0,
    ),
    "classic-pygmalion-6b": Era(
        "SillyTavern: the usual choice for Pygmalion 6B, good for 7B",
        0.65, top_p=0.9, tfs=0.9, rep_pen=1.1, rep_pen_range=1024, rep_pen_slope=0.9, max_length=180,
    ),
    "calibrated-pygmalion-6b": Era(
        "SillyTavern: bolder, with hardly any penalty, for Pygmalion 6B and 7B",
        1.0, top_p=0.9, top_k=40, tfs=0.9, rep_pen=1.01, rep_pen_range=1024, rep_pen_slope=0.9,
    ),
    "dragonslayer-pygmalion-6b": Era(
        "SillyTavern, and the default of TavernAI: against repetitions, for Pygmalion 6B",
        0.79, top_p=0.9, tfs=0.95, rep_pen=1.19, rep_pen_range=1024, rep_pen_slope=0.9,
    ),
    "gpu-pygmalion-6b": Era(
        "SillyTavern: the classic one with less penalty, for Pygmalion 6B in a small context",
        0.65, top_p=0.9, tfs=0.9, rep_pen=1.08, rep_pen_range=1024, rep_pen_slope=0.9,
    ),
    "classic-pygmalion-2.7b": Era(
        "SillyTavern: cautious, for Pygmalion 2.7B",
        0.43, top_p=0.96, tfs=0.68, rep_pen=1.17, rep_pen_range=1024, rep_pen_slope=0.2,
    ),
    "pythia": Era(
        "the card of a Pythia 1.3B conversion: models of that size bear no more penalty; for Metharme 1.3B",
        0.45, rep_pen=1.01,
    ),
    # The command line names no other value, so llama.cpp's own of September 2023 held.
    "pygmalion-2": Era(
        "the command line on TheBloke's Pygmalion-2 pages: for Pygmalion-2 7B and 13B",
        0.7, top_p=0.95, top_k=40, rep_pen=1.1, rep_pen_range=64,
    ),
    "simple-proxy": Era(
        "simple-proxy-for-tavern: steady and to the point, for Metharme and other models that follow instructions",
        0.65, top_p=0.47, top_k=42, rep_pen=1.18,
    ),
    "storywriter": Era(
        "NovelAI, through KoboldAI: long prose, for Metharme 7B and Pygmalion-2 7B",
        0.72, top_p=0.73, rep_pen=1.1, rep_pen_slope=0.2,
    ),
    "godlike": Era(
        "KoboldAI: neither odd words nor the most expected ones, for dialogue with any of these models",
        0.7, top_p=0.5, typical=0.19, tfs=0.97, top_a=0.75, rep_pen=1.1, rep_pen_range=1024, rep_pen_slope=0.7,
    ),
    "good-winds": Era(
        "KoboldAI: stories, for Metharme 7B and Pygmalion 6B",
        0.7, tfs=0.9, rep_pen=1.1, rep_pen_range=1024, rep_pen_slope=0.7,
    ),
    "universal-light": Era(
        "SillyTavern, 2024: bold, and only min-p leaves words out; for Pygmalion-2 7B and newer models",
        1.25, min_p=0.1,
    ),
    "clover": Era(
        "AI Dungeon 2 and Clover Edition: short turns of an adventure, for small models",
        0.4, top_p=0.9, top_k=20, rep_pen=1.2, max_length=60,
    ),
}  # fmt: skip


def translated(era: Era) -> dict[str, Any]:
    """Return the nearest settings that llama.cpp has.

    Tail-free sampling and top-a leave out what is unlikely beside the likeliest tokens, and so does min-p: the more
    the first one cut, the more of it, from 0.05 to 0.1. A penalty that grows over its range weighs as much as a level
    one over the nearer half. The order of the samplers is llama.cpp's, temperature last; contrastive search
    (penalty_alpha) has no counterpart.
    """
    tail = round(min(max(1 - era.tfs, 0.05), 0.1), 3) if era.tfs < 1 or era.top_a > 0 else 0.0
    sampling = Sampling(
        temperature=era.temperature,
        top_k=era.top_k,
        top_p=era.top_p,
        min_p=max(era.min_p, tail),
        typical_p=era.typical,
        repeat_penalty=era.rep_pen,
        repeat_last_n=era.rep_pen_range // 2 if era.rep_pen_slope else era.rep_pen_range,
    )
    max_tokens = {"max_tokens": era.max_length} if era.max_length else {}
    return _fields(sampling, without=(*OWN, "max_tokens")) | max_tokens


# What no preset of others knows: the story's own, or no sampler at all.
OWN = ("seed", "logit_bias", "loop_guard", "stop_at_name")


def _fields(sampling: Sampling, without: tuple[str, ...]) -> dict[str, Any]:
    return {name: getattr(sampling, name) for name in PARAMETERS if name not in without}


DEFAULT = "what is used where nothing else was chosen: min-p and a light penalty, for any model"
BUILT_IN = {"default": Preset("default", _fields(Sampling(), without=OWN), DEFAULT)} | {
    name: Preset(name, translated(era), era.about) for name, era in ERA.items()
}


# The player's own


def names(own: Path) -> list[str]:
    """Return the presets that come with the program, then those of the folder."""
    try:
        files = [path.stem for path in own.glob("*.json") if _is_name(path.stem)]
    except OSError:
        files = []
    return [*BUILT_IN, *sorted(set(files) - set(BUILT_IN))]


def find(name: str, own: Path) -> Preset:
    """Return the preset of that name, the player's own before one that comes with the program."""
    path = own / f"{name}.json"
    if _is_name(name) and os.path.lexists(path):
        return read(path)
    if name in BUILT_IN:
        return BUILT_IN[name]
    there = names(own)
    hint = did_you_mean(name, {known: known for known in there})
    known = f"there are {', '.join(there)}"
    hint = f"{hint} ({known})" if hint else known
    raise AdvreplError(f"there is no preset {brief(name)}: {hint}")


def read(path: Path) -> Preset:
    """Return the preset of a JSON file, which holds any fields of Sampling by any of their names.

    One of SillyTavern or KoboldAI gives what is known here; in one of ours everything has to be right.
    """
    try:
        if path.exists() and not path.is_file():
            raise AdvreplError(f"{path} is no file, so it cannot be a preset: remove it")
        with regular.opened(path) as file:
            data = file.read(FILE_LIMIT + 1)
    except OSError as error:
        raise AdvreplError(f"{path} cannot be read: {error.strerror}") from error
    if len(data) > FILE_LIMIT:
        raise AdvreplError(f"{path} has more than {FILE_LIMIT // 1024} KB, too much for a preset")
    try:
        plain = msgspec.json.decode(data.removeprefix(b"\xef\xbb\xbf"), type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise AdvreplError(f'{path} is no preset: it is not JSON like {{"temperature": 0.7, "top_p": 0.9}}') from None
    values, wrong = read_fields(plain)
    if wrong and not (values and plain.keys() & FOREIGN):
        raise AdvreplError(f"{path}: {next(iter(wrong.values()))}")
    rest = f", of another program; {len(wrong)} of its settings are not known here" if wrong else ""
    return Preset(path.stem, values, f"your own, in {path}{rest}")


def write(name: str, sampling: Sampling, own: Path) -> Path:
    """Write the settings as a preset, but for the seed; a file that was there stays beside it as .bak."""
    if not _is_name(name):
        raise AdvreplError(f"{brief(name)} cannot be the name of a preset: use letters, digits and - _ .")
    path = own / f"{name}.json"
    data = msgspec.json.format(msgspec.json.encode(_fields(sampling, without=("seed",))), indent=1)
    try:
        atomic.make_folder(own)
        atomic.write(path, data, durable=True, backup=path.with_name(f"{path.name}.bak"), private=True)
    except OSError as error:
        raise AdvreplError(f"{path} cannot be written: {error.strerror}") from error
    return path


def _is_name(name: str) -> bool:
    return is_file_name(name, 49) and not set(" ()") & set(name) and name != SAVE
