"""What can be played on this machine: the GGUF files and Hugging Face folders there are, described from their headers.

Loads no weights and does not choose a model (models.py does).
"""

import json
from dataclasses import dataclass
from pathlib import Path

import llama_cpp.llama_cpp as lib

from advrepl import AdvreplError, paths
from advrepl.engines import models
from advrepl.engines.files import size_of
from advrepl.engines.hf import folder as hf_folder
from advrepl.engines.llama.log import Log
from advrepl.engines.llama.playable import problem
from advrepl.engines.llama.vocab import metadata
from advrepl.prompt.formats import of_file, recognize


@dataclass(frozen=True, slots=True)
class CatalogEntry:
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
    log = Log(paths.llama_log())
    return [*(_gguf(path, log) for path in models.installed()), *map(_folder, models.folders())]


def _gguf(path: Path, log: Log) -> CatalogEntry:
    log.attach()
    if reason := problem(path):
        return CatalogEntry(path, bytes=size_of(path), problem=reason)
    params = lib.llama_model_default_params()
    params.vocab_only = True
    model = lib.llama_model_load_from_file(str(path).encode(), params)
    if not model:
        return CatalogEntry(path, bytes=size_of(path), problem=f"cannot be read: {log.last_error}")
    try:
        architecture = metadata(model, "general.architecture") or ""
        context = metadata(model, f"{architecture}.context_length")
        kind = metadata(model, "general.file_type")
        template = (lib.llama_model_chat_template(model, None) or b"").decode("utf-8", "replace")
        names = (metadata(model, "general.name") or "", path.stem)
        return CatalogEntry(
            path,
            architecture,
            int(lib.llama_model_n_params(model)),
            size_of(path),
            lib.llama_ftype_name(int(kind)).decode() if kind and kind.isdecimal() else "",
            of_file(metadata(model, "advrepl.prompt_format"), template, names) or "pygmalion",
            int(context) if context and context.isdecimal() else None,
        )
    finally:
        lib.llama_model_free(model)


def _folder(path: Path) -> CatalogEntry:
    """A Hugging Face folder that lies in the models folder."""
    try:
        config = json.loads((path / "config.json").read_bytes())
        architecture = str(config["architectures"][0])
        context = config.get("max_position_embeddings") or config.get("n_positions")  # GPT-J's name for it
    except (OSError, ValueError, KeyError, IndexError, TypeError):
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
