"""What can be told of a model file without loading it: is it a GGUF, and which.

Does not need llama.cpp.
"""

import hashlib
from pathlib import Path

from advrepl import AdvreplError


def check_file(path: Path) -> None:
    """Raise AdvreplError unless this is a GGUF file that can be read."""
    if path.is_dir():
        raise AdvreplError(f"{path} is a folder: this takes a GGUF file, which `advrepl convert {path}` may make of it")
    try:
        with path.open("rb") as file:
            magic = file.read(4)
    except OSError as error:
        raise AdvreplError(f"model {path} cannot be read: {error.strerror}") from error
    if magic != b"GGUF":
        raise AdvreplError(f"{path} is not a GGUF file: convert a model with `advrepl convert`, or choose another")


def fingerprint(path: Path) -> str:
    """A name for the contents of a model file from its size and samples of it, in a few milliseconds."""
    size = path.stat().st_size
    digest = hashlib.sha256(str(size).encode())
    with path.open("rb") as file:
        for part in range(65):
            file.seek(max(0, (size - (1 << 16)) * part // 64))
            digest.update(file.read(1 << 16))
    return digest.hexdigest()[:32]
