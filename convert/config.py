"""Read a Hugging Face folder's config.json with suspicion.

Knows no architecture (archs/) and no tensor (checkpoint/): a value is there and of the right kind, or the
error names it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from convert import ConvertError
from convert.foreign import NotJson, is_lfs_pointer, pointer_left, read_json

# Real files of this kind stay below 35 MB (tokenizer.json of the largest vocabularies).
JSON_LIMIT = 64 << 20


def read_object(path: Path) -> dict[str, Any]:
    """Read one JSON object; a file that is missing, XORed, cut off or no object is a ConvertError."""
    try:
        refuse_pointer(path)
        value = read_json(path, JSON_LIMIT)
    except FileNotFoundError:
        raise ConvertError(f"{path}: not found; is {path.parent} a Hugging Face model folder?") from None
    except NotJson as error:
        raise ConvertError(f"{path}: {error}; if the folder is an XOR release, run advrepl decode first") from None
    if not isinstance(value, dict):
        raise ConvertError(f"{path}: holds a JSON {type(value).__name__} where an object is expected")
    return value


def refuse_pointer(path: Path) -> None:
    """Raise a ConvertError where Git LFS left only a pointer; OSError if the file cannot be read."""
    if is_lfs_pointer(path):
        raise ConvertError(pointer_left([path]))


def read_object_if_there(path: Path) -> dict[str, Any]:
    """Read one JSON object as `read_object` does; {} if there is no such file."""
    return read_object(path) if path.is_file() else {}


@dataclass(frozen=True, slots=True)
class Config:
    """The values of config.json; its methods hand out a value of the right kind, or raise a ConvertError that names it.

    A value that is null or not there is `default`; with None as default it is an error.
    """

    values: Mapping[str, Any]
    file: str = "config.json"  # for errors; with the path of the object in it

    def _get(self, name: str, default: object) -> Any:
        value = self.values.get(name)
        if value is None:
            value = default
        if value is None:
            raise ConvertError(f"{self.file}: {name!r} is missing, and the model cannot be built without it")
        return value

    def _wrong(self, name: str, value: object, kind: str) -> ConvertError:
        return ConvertError(f"{self.file}: {name!r} is {value!r}, expected {kind}")

    def integer(self, name: str, default: int | None = None) -> int:
        """A whole number above 0."""
        value = self._get(name, default)
        # bool is an int in Python; 2**31 is far beyond any real size and keeps products in range.
        if isinstance(value, bool) or not isinstance(value, int) or not 0 < value < 1 << 31:
            raise self._wrong(name, value, "a whole number above 0")
        return value

    def number(self, name: str, default: float | None = None) -> float:
        """A number above 0, whole or not."""
        value = self._get(name, default)
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1e30:
            raise self._wrong(name, value, "a number above 0")
        return float(value)

    def boolean(self, name: str, default: bool) -> bool:
        """True or false."""
        value = self._get(name, default)
        if not isinstance(value, bool):
            raise self._wrong(name, value, "true or false")
        return value

    def string(self, name: str, default: str | None = None) -> str:
        """A text, also an empty one."""
        value = self._get(name, default)
        if not isinstance(value, str):
            raise self._wrong(name, value, "a string")
        return value

    def one_of(self, name: str, allowed: tuple[str, ...]) -> str:
        """One of the texts that llama.cpp can express for the architecture; the first is the default."""
        value = self.string(name, allowed[0])
        if value not in allowed:
            raise ConvertError(f"{self.file}: {name} {value!r} cannot be expressed in GGUF, only {', '.join(allowed)}")
        return value

    def object(self, name: str) -> "Config":
        """The object under `name`; an empty one when there is none."""
        value = self.values.get(name) or {}
        if not isinstance(value, dict):
            raise self._wrong(name, value, "an object")
        return Config(value, f"{self.file}: {name}")


def read_config(folder: Path) -> Config:
    """Read the folder's config.json; raises ConvertError."""
    return Config(read_object(folder / "config.json"))
