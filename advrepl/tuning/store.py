"""What `advrepl tune` found, kept per model and machine in ADVREPL_HOME/tuned.json.

Does not measure (advrepl/tune.py does).
"""

from dataclasses import replace
from pathlib import Path

import msgspec

from advrepl import AdvreplError, atomic
from advrepl.engines.base import UNTUNED, LoadOptions, Tuning
from advrepl.engines.files import fingerprint
from advrepl.machine import Machine, this_machine

SCHEMA = 1
DEFAULTS = "the defaults"


class Entry(msgspec.Struct, frozen=True):
    """What is best for one model on one machine."""

    model: str
    fingerprint: str
    machine: Machine
    tuning: Tuning
    when: str = ""


class Book(msgspec.Struct, frozen=True):
    """The file."""

    schema: int
    entries: list[Entry]


def read(path: Path) -> tuple[list[Entry], str]:
    """What was found so far, and a sentence about a file that cannot be used."""
    try:
        book = msgspec.json.decode(path.read_bytes(), type=Book)
    except FileNotFoundError:
        return [], ""
    except (OSError, msgspec.DecodeError) as error:
        return [], f"{path} cannot be read and is ignored ({error}): `advrepl tune` writes it anew"
    if book.schema != SCHEMA:
        return [], f"{path} was written by another version and is ignored: `advrepl tune` writes it anew"
    return book.entries, ""


def find(entries: list[Entry], fingerprint: str, machine: Machine) -> Tuning | None:
    return next((e.tuning for e in entries if (e.fingerprint, e.machine) == (fingerprint, machine)), None)


def options(model: Path, file: Path, asked: LoadOptions, devices: list[str]) -> tuple[LoadOptions, str]:
    """What was asked for with what was found for this model here, and a sentence that tells of it."""
    entries, problem = read(file)
    if not entries or not model.is_file():
        return asked, problem
    tuning = find(entries, fingerprint(model), this_machine(devices))
    if tuning is None or (asked.gpu_layers is not None and asked.gpu_layers != tuning.gpu_layers):
        return asked, ""  # what is best for the card is not best without it
    return replace(asked, tuning=tuning), "" if tuning == UNTUNED else f"tuned for this machine: {in_words(tuning)}"


def keep(path: Path, entry: Entry) -> Path:
    """In the place of what was found before for this model on this machine."""
    others = [e for e in read(path)[0] if (e.fingerprint, e.machine) != (entry.fingerprint, entry.machine)]
    data = msgspec.json.format(msgspec.json.encode(Book(SCHEMA, [*others, entry])), indent=2)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        atomic.write(path, data, durable=True)
    except OSError as error:
        raise AdvreplError(f"{path} could not be written ({error.strerror}): what was found is not kept") from error
    return path


def in_words(tuning: Tuning) -> str:
    """Such as "1 thread, weights not repacked"."""
    words = []
    if tuning.gpu_layers is not None:
        words.append(f"{tuning.gpu_layers} layers on the GPU")
    if tuning.threads is not None:
        words.append(_threads(tuning.threads) + (" to write" if tuning.feed_threads else ""))
    if tuning.feed_threads is not None:
        words.append(f"{_threads(tuning.feed_threads)} to read")
    if tuning.repack is not None:
        words.append("weights repacked" if tuning.repack else "weights not repacked")
    if tuning.flash is not None:
        words.append(f"flash attention {'on' if tuning.flash else 'off'}")
    if tuning.batch is not None:
        words.append(f"batches of {tuning.batch}")
    if tuning.load == "copy":
        words.append("file copied into memory")
    return ", ".join(words) or DEFAULTS


def _threads(count: int) -> str:
    return "1 thread" if count == 1 else f"{count} threads"
