"""Plan the decoding of an XOR release: `plan_jobs` says what is to be done with each of its files.

Everything that can be refused is refused here, before a byte is written (run.py).
"""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from convert import ConvertError
from convert.decode.stream import is_gzip, open_payload, unpacked_size
from convert.decode.verify import MAX_JSON, is_json_text
from convert.foreign import first_few, is_lfs_pointer

Kind = Literal["xor", "copy"]

# Files of a repository that are text and have no counterpart in the base.
TEXT_SUFFIXES = (".md", ".txt", ".py", "")
ROOM_TO_SPARE = 64 << 20


@dataclass(frozen=True, slots=True)
class DecodeJob:
    """One file of the release, and what is to be done with it."""

    name: str
    kind: Kind  # "copy": the payload is plain
    packed: bool  # the payload is gzipped
    payload: Path  # the file of the release
    base: Path | None  # None for "copy"
    out: Path
    size: int  # bytes of the result; an estimate where packed


def plan_jobs(xor_dir: Path, base_dir: Path, out_dir: Path) -> list[DecodeJob]:
    """List what each file of the release needs; folders or files that cannot work are a ConvertError.

    `xor_dir`: the release; `base_dir`: the base model's folder; `out_dir`: where the result goes, if need be a new one.
    """
    _check_folders(xor_dir, base_dir, out_dir)
    try:
        payloads = _payloads(xor_dir)
        _check_fetched(payloads)
        _check_filled(payloads)
        jobs = [_job(path, base_dir, out_dir) for path in payloads]
        _check_base(base_dir, jobs)
    except OSError as error:
        raise ConvertError(f"{error.filename}: cannot be read: {error.strerror}") from error
    _check_room(out_dir, jobs)
    return jobs


def _check_folders(xor_dir: Path, base_dir: Path, out_dir: Path) -> None:
    for folder in (xor_dir, base_dir):
        if not folder.is_dir():
            raise ConvertError(f"{folder}: no such folder")
    xor, base, out = (folder.resolve() for folder in (xor_dir, base_dir, out_dir))
    if xor == base:
        raise ConvertError(f"{xor_dir}: is given as XOR and as BASE; the base is LLaMA's own converted folder")
    if out in (xor, base) or xor in out.parents:
        raise ConvertError(f"{out_dir}: OUT must be a folder of its own, not XOR, BASE or a folder within XOR")
    if out_dir.exists() and not out_dir.is_dir():
        raise ConvertError(f"{out_dir}: is a file; OUT must be a folder")


def _payloads(xor_dir: Path) -> list[Path]:
    visible = sorted(path for path in xor_dir.iterdir() if not path.name.startswith("."))
    folders = [path for path in visible if path.is_dir()]
    if folders:
        hint = f"give {folders[0]} instead" if folders[0].name == "xor_encoded_files" else "a release is a flat folder"
        raise ConvertError(f"{xor_dir}: holds the folder {folders[0].name}; {hint}")
    if not visible:
        raise ConvertError(f"{xor_dir}: is empty; give the folder with the XOR files")
    for path in visible:
        _check_place(path, xor_dir)
    return visible


def _check_place(path: Path, folder: Path) -> None:
    """A release may be a Hugging Face cache of links into its blobs; a link to anywhere else is not followed."""
    if not path.is_file():
        raise ConvertError(f"{path}: is no ordinary file, or a link that leads nowhere")
    allowed = [folder.resolve()]
    allowed += [parent.parent / "blobs" for parent in folder.resolve().parents if parent.name == "snapshots"]
    if not any(place in path.resolve().parents for place in allowed):
        raise ConvertError(f"{path}: is a link that leads out of the release; put the file itself there")


def _check_fetched(paths: list[Path]) -> None:
    pointers = [path.name for path in paths if is_lfs_pointer(path)]
    if pointers:
        folder = paths[0].parent
        raise ConvertError(f"{folder}: Git LFS left only a pointer for {first_few(pointers)}; run `git lfs pull` there")


def _check_filled(paths: list[Path]) -> None:
    empty = [path.name for path in paths if not path.stat().st_size]
    if empty:
        raise ConvertError(f"{paths[0].parent}: {first_few(empty)} is empty; fetch the release again")


def _job(path: Path, base_dir: Path, out_dir: Path) -> DecodeJob:
    packed = is_gzip(path)
    base = base_dir / path.name
    plain = _is_plain(path, packed, base)
    size = path.stat().st_size
    if packed:
        size = unpacked_size(path, base.stat().st_size if base.is_file() else 0)
    return DecodeJob(
        path.name, "copy" if plain else "xor", packed, path, None if plain else base, out_dir / path.name, size
    )


def _is_plain(path: Path, packed: bool, base: Path) -> bool:
    """JSON that reads as it is, as later releases have it, or a text that the base has no counterpart of."""
    if path.suffix == ".json":
        raw = _head(path, packed, MAX_JSON + 1)
        return len(raw) <= MAX_JSON and is_json_text(raw)
    if path.suffix not in TEXT_SUFFIXES or base.exists():
        return False
    # Cut at 4,096 bytes the last character can be torn, which `ignore` forgives; XOR gives control characters.
    raw = _head(path, packed, 4096)
    text = raw.decode("utf-8", "ignore")
    return len(text.encode()) > len(raw) - 4 and all(char.isprintable() or char in "\r\n\t" for char in text)


def _head(path: Path, packed: bool, count: int) -> bytes:
    with open_payload(path, packed) as source:
        return source.read(count)


def _check_base(base_dir: Path, jobs: list[DecodeJob]) -> None:
    bases = [job.base for job in jobs if job.base]
    missing = [base.name for base in bases if not base.is_file()]
    if missing:
        shards = sorted(path.name for path in base_dir.glob("*-of-*"))
        other = f"; it has {shards[0]}, so another version of transformers converted it" if shards else ""
        raise ConvertError(f"{base_dir}: the base lacks {first_few(missing)}{other}")
    if bases:
        _check_fetched(bases)


def _check_room(out_dir: Path, jobs: list[DecodeJob]) -> None:
    there = next(folder for folder in (out_dir.absolute(), *out_dir.absolute().parents) if folder.is_dir())
    absent = [job.size for job in jobs if not job.out.exists()]
    present = [job.size for job in jobs if job.out.exists()]
    # A file that is replaced needs room beside the old one while it is written.
    needed = sum(absent) + max(present, default=0) + ROOM_TO_SPARE
    free = shutil.disk_usage(there).free
    if needed > free:
        raise ConvertError(f"{out_dir}: needs {needed / 1e9:.1f} GB of disk, {free / 1e9:.1f} GB are free")
