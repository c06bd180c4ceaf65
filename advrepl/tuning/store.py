"""What `advrepl tune` found, kept per model and machine in ADVREPL_HOME/tuned.json.

Does not measure (search.py does).
"""

from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import replace

from advrepl import AdvreplError, atomic, program, regular
from advrepl.engines.base import UNTUNED, LoadOptions, Tuning
from advrepl.engines.files import fingerprint
from advrepl.machine import Machine, this_machine

SCHEMA = 2
DEFAULTS = "the defaults"
RENAMED_IN_2 = {"feed_threads": "threads_batch", "flash": "flash_attn"}


class TuningRecord(msgspec.Struct, frozen=True):
    """Hold what is best for one model on one machine."""

    model: str
    fingerprint: str
    machine: Machine
    tuning: Tuning
    when: str = ""


class TuningFile(msgspec.Struct, frozen=True):
    """Hold what the file holds."""

    schema: int
    entries: list[TuningRecord]


def read(path: Path) -> tuple[list[TuningRecord], str]:
    """Return what was found so far, and a sentence about a file that cannot be used ("" if it can be)."""
    try:
        data = msgspec.json.decode(regular.read(path))
        schema = data.get("schema") if isinstance(data, dict) else None
        book = msgspec.convert(_from_schema_1(data) if schema == 1 else data, TuningFile)
    except FileNotFoundError:
        return [], ""
    except (OSError, msgspec.DecodeError, RecursionError) as error:
        return [], f"{path} cannot be read and is ignored ({error}): `{program.command('tune')}` writes it anew"
    if book.schema != SCHEMA:
        return [], f"{path} was written by another version and is ignored: `{program.command('tune')}` writes it anew"
    return book.entries, ""


def _from_schema_1(data: dict[str, Any]) -> dict[str, Any]:
    """Name the fields of a Tuning as since schema 2."""
    entries = data.get("entries")
    for entry in entries if isinstance(entries, list) else ():
        tuning = entry.get("tuning") if isinstance(entry, dict) else None
        if isinstance(tuning, dict):
            entry["tuning"] = {RENAMED_IN_2.get(name, name): value for name, value in tuning.items()}
    return {**data, "schema": SCHEMA}


def find(entries: list[TuningRecord], fingerprint: str, machine: Machine) -> Tuning | None:
    """Return what was found for a model on a machine; None: nothing."""
    return next((e.tuning for e in entries if (e.fingerprint, e.machine) == (fingerprint, machine)), None)


def options(model: Path, file: Path, asked: LoadOptions, devices: list[str]) -> tuple[LoadOptions, str]:
    """Return what was asked for, completed by what `advrepl tune` found for this model on this machine.

    With it comes a sentence for the player: what is in use, or why the file is ignored; "" if there is nothing to say.
    """
    entries, problem = read(file)
    if not entries or not model.is_file():
        return asked, problem
    tuning = find(entries, fingerprint(model), this_machine(devices))
    if tuning is None or (asked.gpu_layers is not None and asked.gpu_layers != tuning.gpu_layers):
        return asked, ""  # what is best for the card is not best without it
    return replace(asked, tuning=tuning), "" if tuning == UNTUNED else f"tuned for this machine: {in_words(tuning)}"


def keep(path: Path, entry: TuningRecord) -> Path:
    """Write what was found in place of what was found before for this model and machine; raises AdvreplError."""
    others = [e for e in read(path)[0] if (e.fingerprint, e.machine) != (entry.fingerprint, entry.machine)]
    data = msgspec.json.format(msgspec.json.encode(TuningFile(SCHEMA, [*others, entry])), indent=2)
    try:
        atomic.make_folder(path.parent)
        atomic.write(path, data, durable=True, private=True)
    except OSError as error:
        raise AdvreplError(f"{path} could not be written ({error.strerror}): what was found is not kept") from error
    return path


def in_words(tuning: Tuning) -> str:
    """Return such as "1 thread, weights not repacked"."""
    words = []
    if tuning.gpu_layers is not None:
        words.append(f"{tuning.gpu_layers} layers on the GPU")
    if tuning.threads is not None:
        words.append(_threads(tuning.threads) + (" to generate" if tuning.threads_batch else ""))
    if tuning.threads_batch is not None:
        words.append(f"{_threads(tuning.threads_batch)} to prefill")
    if tuning.repack is not None:
        words.append("weights repacked" if tuning.repack else "weights not repacked")
    if tuning.flash_attn is not None:
        words.append(f"flash attention {'on' if tuning.flash_attn else 'off'}")
    if tuning.batch is not None:
        words.append(f"batches of {tuning.batch}")
    if tuning.load == "copy":
        words.append("file copied into memory")
    return ", ".join(words) or DEFAULTS


def _threads(count: int) -> str:
    return "1 thread" if count == 1 else f"{count} threads"
