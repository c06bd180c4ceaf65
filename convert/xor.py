"""Decode an XOR release against its base weights: `plan` says what is to be done, `run` does and verifies it.

Takes up where an earlier run stopped, and leaves the bytes to stream.py and the judging to verify.py. Prints nothing.
"""

import contextlib
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO, Literal

from convert import ConvertError
from convert.checkpoint import is_lfs_pointer, listed
from convert.records import Records, stamp
from convert.releases import Release, recognise
from convert.stream import decode, decoded, is_gzip, is_zero, open_payload, unpacked_size
from convert.sums import Algorithm, Digester, Sums, sum_file, sum_text
from convert.tensor import Progress
from convert.verify import MAX_JSON, Checked, Decoded, Rebuilt, check, is_json_text

__all__ = ["Job", "Kind", "accept", "decode", "plan", "run"]

Kind = Literal["xor", "copy"]

# Files of a repository that are text and have no counterpart in the base.
TEXT_SUFFIXES = (".md", ".txt", ".py", "")
SMALL = 8 << 20  # under this both sums cost nothing; above, MD5 only where one is given
ROOM_TO_SPARE = 64 << 20


@dataclass(frozen=True, slots=True)
class Job:
    name: str
    kind: Kind
    packed: bool  # the payload is gzipped
    payload: Path
    base: Path | None  # None for "copy"
    out: Path
    size: int  # bytes of the result; an estimate where packed


# Planning: everything that can be refused is refused before a byte is written.


def plan(xor_dir: Path, base_dir: Path, out_dir: Path) -> list[Job]:
    """List what each file of the release needs; folders or files that cannot work are a ConvertError."""
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
        raise ConvertError(f"{folder}: Git LFS left only a pointer for {listed(pointers)}; run `git lfs pull` there")


def _check_filled(paths: list[Path]) -> None:
    empty = [path.name for path in paths if not path.stat().st_size]
    if empty:
        raise ConvertError(f"{paths[0].parent}: {listed(empty)} is empty; fetch the release again")


def _job(path: Path, base_dir: Path, out_dir: Path) -> Job:
    packed = is_gzip(path)
    base = base_dir / path.name
    plain = _is_plain(path, packed, base)
    size = path.stat().st_size
    if packed:
        size = unpacked_size(path, base.stat().st_size if base.is_file() else 0)
    return Job(path.name, "copy" if plain else "xor", packed, path, None if plain else base, out_dir / path.name, size)


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


def _check_base(base_dir: Path, jobs: list[Job]) -> None:
    bases = [job.base for job in jobs if job.base]
    missing = [base.name for base in bases if not base.is_file()]
    if missing:
        shards = sorted(path.name for path in base_dir.glob("*-of-*"))
        other = f"; it has {shards[0]}, so another version of transformers converted it" if shards else ""
        raise ConvertError(f"{base_dir}: the base lacks {listed(missing)}{other}")
    if bases:
        _check_fetched(bases)


def _check_room(out_dir: Path, jobs: list[Job]) -> None:
    there = next(folder for folder in (out_dir.absolute(), *out_dir.absolute().parents) if folder.is_dir())
    absent = [job.size for job in jobs if not job.out.exists()]
    present = [job.size for job in jobs if job.out.exists()]
    # A file that is replaced needs room beside the old one while it is written.
    needed = sum(absent) + max(present, default=0) + ROOM_TO_SPARE
    free = shutil.disk_usage(there).free
    if needed > free:
        raise ConvertError(f"{out_dir}: needs {needed / 1e9:.1f} GB of disk, {free / 1e9:.1f} GB are free")


# Running.


def run(jobs: list[Job], given: Mapping[str, Sums] | None = None, progress: Progress | None = None) -> list[Checked]:
    """Do the jobs and judge the results; `given` sums go before built-in ones. Progress counts the whole run."""
    if not jobs:
        return []
    out_dir = jobs[0].out.parent
    folders, given = _folder_names(jobs[0]), given or {}
    try:
        out_dir.mkdir(parents=True, exist_ok=True)
        wanted = _wanted(given, recognise(folders, {}))
        files = list(_decode_all(jobs, wanted, given, progress))
        # Now the sums tell the release, where the folders' names did not or were wrong.
        release = recognise(folders, {file.out.name: file.sums for file in files})
        wanted = _wanted(given, release)
        return [check(file, wanted.get(file.out.name, Sums()), release, progress) for file in files]
    except OSError as error:
        raise ConvertError(f"{error.filename or out_dir}: {error.strerror}; run the command again to go on") from error


def accept(checked: Checked, out_dir: Path, rebuilt: Rebuilt) -> Checked:
    """Put the rebuilt text in the place of a JSON file that came out wrong."""
    out = out_dir / checked.name
    with _beside(out) as target:
        target.write(rebuilt.text.encode())
    sums = sum_text(rebuilt.text)
    verdict: Literal["right", "unknown"] = "right" if sums.agree(checked.wanted) else "unknown"
    return replace(checked, verdict=verdict, sums=sums, causes=(), rebuilt=None)


def _folder_names(job: Job) -> list[str]:
    xor_dir = job.payload.parent.resolve()
    # The release's own folder is usually xor_encoded_files, in one with its name.
    return [xor_dir.name, xor_dir.parent.name, job.out.parent.resolve().name]


def _wanted(given: Mapping[str, Sums], release: Release | None) -> dict[str, Sums]:
    known = dict(release.sums) if release else {}
    return {name: given.get(name, Sums()).over(known.get(name, Sums())) for name in {*given, *known}}


def _decode_all(
    jobs: list[Job], wanted: Mapping[str, Sums], given: Mapping[str, Sums], progress: Progress | None
) -> Iterator[Decoded]:
    records = Records(jobs[0].out.parent)
    total, before = sum(job.size for job in jobs), 0
    for job in jobs:

        def tick(_: str, done: int, __: int, name: str = job.name, start: int = before) -> None:
            if progress:
                progress(name, min(start + done, total), total)

        algorithms = _algorithms(job, given.get(job.name, Sums()))
        found = _verified(job, wanted.get(job.name, Sums()), algorithms, records, tick)
        skipped = found is not None
        if found is None:
            found = _decode_file(job, algorithms, tick)
            records.add(job.name, stamp(job.payload), stamp(job.base), found)
        before += job.size
        tick(job.name, 0, 0, start=before)
        yield Decoded(job.payload, job.base, job.out, found, skipped)


def _algorithms(job: Job, given: Sums) -> list[Algorithm]:
    # MD5 runs at half the speed of SHA-256, which is built in for every large file of the releases.
    return ["sha256", "md5"] if job.size <= SMALL or given.md5 else ["sha256"]


def _verified(job: Job, wanted: Sums, algorithms: list[Algorithm], records: Records, tick: Progress) -> Sums | None:
    """The sums of a file that is there already and is what it should be, or what an earlier run of ours made."""
    if job.out.is_symlink() or not job.out.is_file():
        return None
    recorded = records.find(job.name, stamp(job.payload), stamp(job.base))
    if not wanted and not recorded:
        return None
    found = sum_file(job.out, algorithms, tick)
    if found.agree(wanted) or (recorded and found.agree(recorded)):
        return found
    return None


def _decode_file(job: Job, algorithms: list[Algorithm], tick: Progress) -> Sums:
    with contextlib.ExitStack() as stack:
        payload = stack.enter_context(open_payload(job.payload, job.packed))
        base = stack.enter_context(job.base.open("rb")) if job.base else None
        digester = stack.enter_context(Digester(algorithms))
        target = stack.enter_context(_beside(job.out))
        done, zeros = 0, True
        chunks = stack.enter_context(contextlib.closing(decoded(payload, base)))
        for chunk in chunks:
            digester.update(chunk)
            target.write(chunk)
            done += len(chunk)
            zeros = zeros and is_zero(chunk)
            _check_growth(job, done)
            tick(job.name, done, job.size)
        if zeros:
            raise ConvertError(
                f"{job.name}: comes out as zeros only, so {job.payload} equals the base; was it decoded twice?"
            )
        return digester.sums()


def _check_growth(job: Job, done: int) -> None:
    # A gzip file of a few KB can unpack to terabytes.
    if job.packed and done > 2 * max(job.size, MAX_JSON):
        raise ConvertError(f"{job.payload}: unpacks to more than {done:,} bytes; it is no XOR file of this base")


@contextlib.contextmanager
def _beside(out: Path) -> Iterator[BinaryIO]:
    """A temporary file beside `out` that takes its place when all went well, and is gone when not."""
    # No fsync: after a power cut the next run finds the wrong sum and does the file again.
    temp = out.with_name(f".{out.name}.part")
    try:
        temp.unlink(missing_ok=True)  # half-written by a run that was killed
        with temp.open("xb") as target:
            yield target
        temp.replace(out)
    finally:
        temp.unlink(missing_ok=True)
