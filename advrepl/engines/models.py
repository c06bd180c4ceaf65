"""From what the player calls a model to an engine that runs it, and the prompt format it was trained on.

Does not know stories.
"""

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from advrepl import AdvreplError, paths, program
from advrepl.engines import facts, known
from advrepl.engines.base import Engine
from advrepl.engines.files import fingerprint
from advrepl.engines.installed import bytes_of, folders, how_to_get_one, installed, name_of, starter_model
from advrepl.engines.remote.address import Address, is_address, read_address
from advrepl.hints import understood
from advrepl.prompt.formats import CHAT, FORMATS, Format, check_name, of_file
from advrepl.prompt.template import ChatTemplate

if TYPE_CHECKING:
    from advrepl.engines.llama.header import GgufHeader

__all__ = [
    "bytes_of",
    "folders",
    "how_to_get_one",
    "installed",
    "name_of",
    "starter_model",
]  # also those of installed.py

FORMAT = "format"  # what is known of a file that can be played
USUAL = "pygmalion"  # of a model that was trained on none


def default() -> Path | None:
    """The first of the installed files that can be played; None: there is none."""
    for path in installed():
        with suppress(AdvreplError):
            check_playable(path)
            return path
    return None


def check_playable(path: Path) -> None:
    """Raise AdvreplError where a GGUF file cannot be played; one that is known to be playable is not read again."""
    if facts.recall(path, FORMAT) is not None:
        return
    from advrepl.engines.llama import playable

    playable.check_playable(path)
    facts.remember(path, FORMAT, _format_read(path))


def check_kind(path: Path) -> None:
    """Raise AdvreplError where a GGUF file is no whole model that can tell stories: a part of `check_playable`."""
    if facts.recall(path, FORMAT) is None:
        from advrepl.engines.llama import playable

        playable.check_kind(path)


def _all() -> list[Path]:
    return [*installed(), *folders()]


def fingerprint_of(path: Path) -> str:
    """Return the fingerprint that an engine of this file or folder has; empty: it cannot be played."""
    from advrepl.engines.hf.folder import open_folder  # loads the converter

    try:
        return open_folder(path).fingerprint if path.is_dir() else fingerprint(path)
    except (AdvreplError, OSError):
        return ""


def find(name: str, fingerprint: str) -> Path | None:
    """Return the model with this fingerprint, wherever it lies here under whatever name; None: it is not there."""
    there = sorted(_all(), key=lambda path: name_of(path) != name)
    return next((path for path in there if fingerprint_of(path) == fingerprint), None)


def resolve(spec: str | None, notice: Callable[[str], None] = lambda _: None) -> Path:
    """The GGUF file or Hugging Face folder that a model's name or path means; the default model if none was given.

    A part of a name will do where it fits one model alone; `notice` is told.
    """
    spec = spec or os.environ.get("ADVREPL_MODEL")
    if not spec:
        if found := default():
            return found
        raise AdvreplError(how_to_get_one())
    if is_address(spec):
        raise AdvreplError("this is for a model on this machine, not for one on a server: give a GGUF file")
    path = Path(spec).expanduser()
    if path.is_dir() and not (path / "config.json").is_file():
        raise AdvreplError(f"{path} holds no config.json: give a GGUF file, or a whole Hugging Face model folder")
    if path.exists():
        return path
    return _named(spec, notice)


def _named(spec: str, notice: Callable[[str], None]) -> Path:
    named = {name: model for model in reversed(_all()) for name in (model.name, name_of(model))}
    if spec in named:
        return named[spec]
    unknown = f"there is no model {spec}, neither here nor in {paths.models_folder()}"
    names = {name: name_of(model) for name, model in named.items()}
    try:
        return named[understood(spec, [names], unknown, f"see `{program.command('models')}`", notice)]
    except AdvreplError:
        if there := known.find(spec):
            raise AdvreplError(f"{unknown}: `{program.command('pull', there.name)}` fetches it") from None
        raise


def locate(spec: str | None, notice: Callable[[str], None] = lambda _: None) -> Path | Address:
    """Return the model that is to be played: `resolve`, or the address of a server that has it."""
    spec = spec or os.environ.get("ADVREPL_MODEL")
    return read_address(spec) if spec and is_address(spec) else resolve(spec, notice)


def format_told(path: Path) -> str:
    """Return the prompt format of a GGUF file that can be played, from its header; empty where it is damaged."""
    remembered = facts.recall(path, FORMAT)
    return _format_read(path) if remembered is None else str(remembered)


def _format_read(path: Path) -> str:
    from advrepl.engines.llama.header import BadHeader, read_header

    try:
        return format_of(read_header(path), path)
    except (BadHeader, OSError):
        return ""


def format_of(header: "GgufHeader", path: Path) -> str:
    """Return the prompt format that the header of this file tells, or the usual one."""
    template, names = header.text("tokenizer.chat_template"), (header.text("general.name") or "", path.stem)
    return of_file(header.text("advrepl.prompt_format"), template, names) or USUAL


def choose_format(name: str | None, engine: Engine) -> Format:
    """The format the player asked for, else what the model's file tells (formats.py), else pygmalion.

    A base model that was trained on no format goes on with prose best (docs/game.md).
    """
    chosen = name or engine.format_hint or (CHAT if engine.template else USUAL)
    if check_name(chosen) == CHAT:
        if not engine.template:
            raise AdvreplError(f"{engine.name} carries no chat template: use --format metharme or pygmalion")
        return ChatTemplate(engine.template, *engine.text_borders, engine.is_forgeable)
    return FORMATS[chosen]
