"""What can be told of a model file without loading it: is it a GGUF, and which.

Does not need llama.cpp.
"""

import hashlib
import re
from pathlib import Path

from advrepl import AdvreplError, program, regular
from convert.foreign import is_lfs_pointer, pointer_left


def check_file(path: Path) -> None:
    """Raise AdvreplError unless this is a GGUF file that can be read."""
    if path.is_dir():
        convert = program.command("convert", str(path))
        raise AdvreplError(f"{path} is a folder: this takes a GGUF file, which `{convert}` may make of it")
    try:
        with regular.opened(path) as file:
            magic = file.read(4)
    except OSError as error:
        raise AdvreplError(f"model {path} cannot be read: {error.strerror}") from error
    if magic != b"GGUF":
        if is_lfs_pointer(path):
            raise AdvreplError(pointer_left([path]))
        raise AdvreplError(
            f"{path} is not a GGUF file: convert a model with `{program.command('convert')}`, or choose another"
        )


def parts(path: Path) -> list[Path]:
    """Return all files of a split model, the first first, by the names that llama.cpp gives them; else this one."""
    found = re.fullmatch(r"(.+)-(\d{5})-of-(\d{5})\.gguf", path.name)
    if not found or not 0 < int(found[2]) <= int(found[3]):
        return [path]
    return [path.with_name(f"{found[1]}-{number:05d}-of-{found[3]}.gguf") for number in range(1, int(found[3]) + 1)]


def size_of(path: Path) -> int:
    """Return the bytes of a model file, or of all its parts that are there."""
    return sum(part.stat().st_size for part in parts(path) if part.exists())


def fingerprint(path: Path) -> str:
    """A name for the contents of a model file from its size and samples of it, in a few milliseconds."""
    files = [part for part in parts(path) if part.exists()]
    if len(files) < 2:
        return _fingerprint(path)
    return hashlib.sha256("".join(map(_fingerprint, files)).encode()).hexdigest()[:32]


def _fingerprint(path: Path) -> str:
    size = path.stat().st_size
    digest = hashlib.sha256(str(size).encode())
    with regular.opened(path) as file:
        for part in range(65):
            file.seek(max(0, (size - (1 << 16)) * part // 64))
            digest.update(file.read(1 << 16))
    return digest.hexdigest()[:32]
