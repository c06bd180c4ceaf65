"""Open a Hugging Face folder: `open_checkpoint(folder)` gives its tensors by name, with nothing loaded.

Knows which files there can be: one or shards with an index, safetensors before .bin. The files themselves are
safetensors.py's and torch_file.py's.
"""

from dataclasses import dataclass
from pathlib import Path

from convert import ConvertError
from convert.checkpoint.safetensors import read_safetensors
from convert.checkpoint.torch_file import read_torch
from convert.foreign import NotJson, first_few, is_lfs_pointer, pointer_left, quote, read_json
from convert.tensor import TensorRef

MAX_INDEX = 64 << 20  # a 7B model's index has 27 kB


@dataclass(frozen=True, slots=True)
class _Layout:
    whole: str  # name of the only file
    index: str  # name of the index of several


SAFETENSORS = _Layout("model.safetensors", "model.safetensors.index.json")
PYTORCH = _Layout("pytorch_model.bin", "pytorch_model.bin.index.json")


def open_checkpoint(folder: Path) -> dict[str, TensorRef]:
    """Find every tensor of a model's folder, by name; files that are missing, cut off or hostile are a ConvertError."""
    if not folder.is_dir():
        raise ConvertError(f"{folder}: no such folder")
    try:
        return _choose(folder)
    except OSError as error:
        raise ConvertError(f"{folder}: cannot be read: {error.strerror}") from error


def _choose(folder: Path) -> dict[str, TensorRef]:
    problems: list[str] = []
    for layout in (SAFETENSORS, PYTORCH):
        files = _files(folder, layout)
        problem = _incomplete(folder, files)
        if files and not problem:
            return _open(folder, layout, files)
        if problem:
            problems.append(problem)
    raise ConvertError(problems[0] if problems else _nothing(folder))


def _files(folder: Path, layout: _Layout) -> list[str]:
    """Every file the layout needs here, shards in order; nothing where the layout is not in use."""
    if (folder / layout.whole).exists():
        return [layout.whole]
    if not (folder / layout.index).exists():
        return _all_shards(folder, layout)
    if is_lfs_pointer(folder / layout.index):
        return [layout.index]
    return sorted(set(_weight_map(folder / layout.index).values()))


def _all_shards(folder: Path, layout: _Layout) -> list[str]:
    """The shards of a folder without an index, where their names tell that none is missing; else nothing."""
    stem, ending = layout.whole.split(".")
    shards = sorted(path.name for path in folder.glob(f"{stem}-*-of-*.{ending}"))
    count = len(shards)
    return shards if shards == [f"{stem}-{i + 1:05d}-of-{count:05d}.{ending}" for i in range(count)] else []


def _incomplete(folder: Path, files: list[str]) -> str | None:
    missing = [name for name in files if not (folder / name).is_file()]
    if missing:
        return f"{folder}: {first_few(missing)} missing; download the whole folder"
    pointers = [name for name in files if is_lfs_pointer(folder / name)]
    if pointers:
        return pointer_left([folder / name for name in pointers])
    return None


def _nothing(folder: Path) -> str:
    shards = sorted(path.name for path in folder.glob("*-of-*") if path.suffix in (".safetensors", ".bin"))
    if shards:
        index = SAFETENSORS.index if shards[0].endswith(".safetensors") else PYTORCH.index
        return f"{folder}: holds {shards[0]} but no {index}, which says what is in which file; download it too"
    return f"{folder}: holds no weights; looked for {SAFETENSORS.whole}, {PYTORCH.whole} and their indexes"


def _open(folder: Path, layout: _Layout, files: list[str]) -> dict[str, TensorRef]:
    read = read_safetensors if layout is SAFETENSORS else read_torch
    tensors: dict[str, TensorRef] = {}
    for file in files:
        for tensor in read(folder / file):
            other = tensors.setdefault(tensor.name, tensor)
            if other is not tensor:
                raise ConvertError(f"{file}: tensor {quote(tensor.name)} is also in {other.file.name}")
    if (folder / layout.index).exists() and files != [layout.whole]:
        _check_promises(folder / layout.index, tensors)
    return tensors


def _check_promises(index: Path, tensors: dict[str, TensorRef]) -> None:
    missing = [
        f"{quote(name)} ({file})"
        for name, file in _weight_map(index).items()
        if name not in tensors or tensors[name].file.name != file
    ]
    if missing:
        raise ConvertError(f"{index.name}: promises tensors that are not where it says: {first_few(missing)}")


def _weight_map(index: Path) -> dict[str, str]:
    """Tensor name -> shard, from an index whose file names cannot lead out of the folder."""
    try:
        value = read_json(index, MAX_INDEX, unique=True)
    except NotJson as error:
        raise ConvertError(f"{index.name}: {error}; fetch it again") from error
    shards = value.get("weight_map") if isinstance(value, dict) else None
    if not isinstance(shards, dict) or not shards:
        raise ConvertError(f"{index.name}: has no weight_map")
    for shard in shards.values():
        if not isinstance(shard, str) or not _is_plain_name(shard):
            raise ConvertError(f"{index.name}: names the file {quote(str(shard))}, which is not in its own folder")
    return shards


def _is_plain_name(name: str) -> bool:
    return name not in ("", ".", "..") and name.isprintable() and not any(mark in name for mark in "/\\:\0")
