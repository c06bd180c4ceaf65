"""A Hugging Face folder as a model to play: what lies in it, and whether all of it is there and whole.

Loads no weights and needs neither torch nor transformers (model.py does); the files are read by the converter.
"""

import hashlib
from importlib.util import find_spec
from math import prod
from pathlib import Path

from msgspec import Struct

from advrepl import AdvreplError, program, regular
from advrepl.engines.files import fingerprint
from advrepl.prompt.formats import FORMATS, of_file, recognize
from convert import ConvertError
from convert.archs.known import ARCHS, FLOATS, architecture
from convert.checkpoint.folder import open_checkpoint
from convert.config import Config, read_config
from convert.metadata import names_of, readme_of


class Folder(Struct, frozen=True):
    """Hold what is known of a model's folder before anything of it is loaded."""

    path: Path
    config: Config
    files: tuple[Path, ...]  # of the weights
    parameters: int

    @property
    def name(self) -> str:
        """Return what the folder is called."""
        return self.path.resolve().name

    @property
    def safetensors(self) -> bool:
        """Tell whether the weights lie in .safetensors files, not in .bin files."""
        return self.files[0].suffix == ".safetensors"

    @property
    def fingerprint(self) -> str:
        """Return a name for the contents, from the config and samples of the weights."""
        digest = hashlib.sha256(regular.read(self.path / "config.json"))
        for file in self.files:
            digest.update(fingerprint(file).encode())
        return digest.hexdigest()[:32]


def is_model(path: Path) -> bool:
    """Tell whether a folder is one of a Hugging Face model."""
    return (path / "config.json").is_file()


def open_folder(path: Path) -> Folder:
    """Read the headers of everything in the folder; raises AdvreplError for what is missing or damaged."""
    try:
        config = read_config(path)
        tensors = open_checkpoint(path)
    except ConvertError as error:
        raise AdvreplError(str(error)) from error
    weights = [tensor for tensor in tensors.values() if tensor.dtype in FLOATS]
    if not weights:
        raise AdvreplError(f"{path}: holds no floating point weights; quantized ones are not played from a folder")
    files = sorted({tensor.file for tensor in tensors.values()})
    return Folder(path, config, tuple(files), sum(prod(tensor.shape) for tensor in weights))


def converts(path: Path) -> bool:
    """Tell whether `advrepl convert` could make a GGUF of it, which llama.cpp plays much faster."""
    try:
        return architecture(read_config(path)) in ARCHS
    except ConvertError:
        return False


def prompt_format(path: Path, template: str | None) -> str | None:
    """The prompt format that the folder's chat template, its names or its README tell; None: nothing does.

    A README that spells an old format out knows better than a template, which many a merge has only kept.
    """
    told = of_file(None, template, names_of(path))
    return told if told in FORMATS else recognize([], [readme_of(path)]) or told


def require(path: Path) -> None:
    """Raise AdvreplError unless torch and transformers are installed, with what to do to play the folder."""
    if find_spec("torch") and find_spec("transformers"):
        return
    if converts(path):
        raise AdvreplError(
            f"{path} is a Hugging Face folder: make a GGUF file of it with `{program.command('convert', str(path))}`"
            f" (or play it as it is, slower, after `{install_line()}`)"
        )
    raise AdvreplError(f"{path} is played with torch and transformers, which are not installed: `{install_line()}`")


def faster(path: Path) -> str | None:
    """Return what to tell a player of a folder that llama.cpp could play; None: it could not."""
    if not converts(path):
        return None
    return f"{path.name} would play several times faster as GGUF: {program.command('convert', str(path))}"


def install_line() -> str:
    """Return the command that installs torch and transformers."""
    return program.install("advrepl[hf]")
