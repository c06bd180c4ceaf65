"""Judge what was decoded: is each file right, and if not, what usually made it wrong.

Pure but for reading small files and, to name the culprit of a wrong sum, the base file. Decodes nothing (run.py).
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from advrepl import regular
from convert.decode.release_texts import TRANSFORMERS
from convert.decode.releases import Release
from convert.foreign import NotJson, parse_json, read_json
from convert.sums import Sums, sum_file, sum_text
from convert.tensor import Progress

Verdict = Literal["right", "wrong", "unknown"]

MAX_JSON = 64 << 20  # bytes; tokenizer.json of the largest vocabularies has some 30 MB

USUAL_CAUSES = (
    "usual causes: the base was converted by another version of transformers or torch, git changed line endings on "
    "Windows (use WSL), or the files were decoded twice"
)


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """A JSON file's known text, to be put in the place of one that came out wrong."""

    text: str
    sums: Sums
    proved: bool  # its sum is the published one
    over_json: bool  # what came out reads as JSON all the same, so it may be another model's and right


@dataclass(frozen=True, slots=True)
class Checked:
    """What is known of a file after decoding."""

    name: str
    verdict: Verdict
    sums: Sums  # of the file in OUT
    wanted: Sums  # what they should be, as far as known
    skipped: bool  # was there before, and verified
    causes: tuple[str, ...]  # sentences; empty unless something is wrong
    rebuilt: Rebuilt | None


@dataclass(frozen=True, slots=True)
class Decoded:
    """A file in OUT with the two it was made from."""

    payload: Path
    base: Path | None  # None where the payload was plain and only copied
    out: Path
    sums: Sums  # of `out`
    skipped: bool  # it was there before, and verified


def check_file(file: Decoded, wanted: Sums, release: Release | None, progress: Progress | None = None) -> Checked:
    """Judge a file by the sums it should have, as far as they are known; `release` None: an unknown one.

    A wrong file comes with causes, and with its text if that is known. Raises OSError.
    """
    name = file.out.name
    unreadable = name.endswith(".json") and not is_json(file.out)
    agrees = file.sums.agree(wanted)
    verdict: Verdict = "wrong" if unreadable or agrees is False else "right" if agrees else "unknown"
    causes: tuple[str, ...] = ()
    if verdict == "wrong":
        causes = _causes(file, unreadable, release, progress)
    rebuilt = _rebuilt(name, wanted, release, not unreadable) if verdict == "wrong" else None
    return Checked(name, verdict, file.sums, wanted, file.skipped, causes, rebuilt)


def _rebuilt(name: str, wanted: Sums, release: Release | None, over_json: bool) -> Rebuilt | None:
    text = release.texts.get(name) if release else None
    if text is None:
        return None
    sums = sum_text(text)
    return Rebuilt(text, sums, sums.agree(wanted) is True, over_json)


def is_json(path: Path) -> bool:
    """Does a file of at most MAX_JSON bytes hold a JSON object or list?"""
    try:
        return isinstance(read_json(path, MAX_JSON), dict | list)
    except NotJson:
        return False


def is_json_text(raw: bytes) -> bool:
    """Are these bytes a JSON object or list?"""
    try:
        return isinstance(parse_json(raw), dict | list)
    except NotJson:
        return False


def _causes(file: Decoded, unreadable: bool, release: Release | None, progress: Progress | None) -> tuple[str, ...]:
    name = file.out.name
    causes = []
    if unreadable:
        causes.append(
            f"{name} came out unreadable: the base's file has other bytes than the author's, often a folder's name; "
            "the weights can be right all the same"
        )
    if _has_crlf(file.out) or _has_crlf(file.payload):
        causes.append(f"{name} has Windows line endings: fetch the release again in WSL, or with core.autocrlf off")
    if _is_weights(file.payload):
        causes.append(f"{file.payload} is no XOR file but decoded weights already: it was decoded twice")
    if file.base is not None:
        causes.extend(_blame_base(file.payload, file.base, release, progress))
    return tuple(causes or [USUAL_CAUSES])


def _blame_base(payload: Path, base: Path, release: Release | None, progress: Progress | None) -> list[str]:
    def tick(name: str, done: int, total: int) -> None:
        if progress:
            progress(f"base {name}", done, total)

    known = release.base.get(base.name) if release else None
    if known and sum_file(base, ["sha256"], tick).agree(known):
        return [f"{base} is the right base, so {payload} is damaged: fetch it again, on Windows in WSL"]
    sizes = payload.stat().st_size, base.stat().st_size
    if release and known:
        return [
            f"{base} is not the file the release was made from: convert {release.size.base} with transformers "
            f"{TRANSFORMERS} and torch 1.13.1"
        ]
    if sizes[0] != sizes[1]:
        return [f"{base} has {sizes[1]:,} bytes and {payload.name} {sizes[0]:,}: another version converted the base"]
    return []


def _has_crlf(path: Path) -> bool:
    if path.suffix != ".json" or path.stat().st_size > MAX_JSON:
        return False
    raw = regular.read(path)
    return is_json_text(raw) and b"\r\n" in raw


def _is_weights(path: Path) -> bool:
    with path.open("rb") as source:
        return path.suffix == ".bin" and source.read(4) == b"PK\x03\x04"
