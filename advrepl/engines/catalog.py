"""What can be played on this machine: the GGUF files and Hugging Face folders there are, described from their headers.

Loads no weights and does not choose a model (models.py does).
"""

from math import prod
from pathlib import Path

import llama_cpp.llama_cpp as lib
from msgspec import Struct

from advrepl import AdvreplError
from advrepl.engines import models
from advrepl.engines.files import parts, size_of
from advrepl.engines.hf import folder as hf_folder
from advrepl.engines.llama.header import read_header
from advrepl.engines.llama.playable import problem
from advrepl.prompt.formats import recognize
from convert import ConvertError
from convert.config import read_object

LAST_TYPE = 1 << 10  # llama_ftype: far below it


class CatalogEntry(Struct, frozen=True):
    """One model, as far as its header tells."""

    path: Path
    architecture: str = ""
    parameters: int | None = None
    bytes: int = 0
    kind: str = ""  # of quantization, in llama.cpp's words
    format: str = ""
    context: int | None = None
    problem: str = ""  # why it cannot be played, or not well, and what to do


def entries() -> list[CatalogEntry]:
    """The GGUF files, the newest first, then the Hugging Face folders."""
    return [*map(_gguf, models.installed()), *map(_folder, models.folders())]


def _gguf(path: Path) -> CatalogEntry:
    """From the header alone, without llama.cpp: one bad file would end the program."""
    if reason := problem(path):
        return CatalogEntry(path, bytes=size_of(path), problem=reason)
    header = read_header(path)
    architecture, kind = header.text("general.architecture") or "", header.number("general.file_type")
    return CatalogEntry(
        path,
        architecture,
        sum(prod(tensor.shape) for part in parts(path) for tensor in read_header(part).tensors),
        size_of(path),
        lib.llama_ftype_name(kind).decode() if kind is not None and 0 <= kind < LAST_TYPE else "",
        models.format_of(header, path),
        header.number(f"{architecture}.context_length"),
    )


def _folder(path: Path) -> CatalogEntry:
    """A Hugging Face folder that lies in the models folder."""
    try:
        config = read_object(path / "config.json")
        architecture = str(config["architectures"][0])
        context = config.get("max_position_embeddings") or config.get("n_positions")  # GPT-J's name for it
    except (OSError, ConvertError, KeyError, IndexError, TypeError):
        return CatalogEntry(path, problem="config.json cannot be read")
    return CatalogEntry(
        path,
        architecture,
        None,
        models.bytes_of(path),
        "Hugging Face",
        recognize([path.name]) or "",
        context if isinstance(context, int) else None,
        _advice(path),
    )


def _advice(path: Path) -> str:
    try:
        hf_folder.require(path)
    except AdvreplError as error:
        return str(error)
    return hf_folder.faster(path) or ""
