"""Decode an XOR release as planned (plan.py), and verify it.

Takes up where an earlier run stopped, and leaves the bytes to stream.py and the judging to verify.py. Prints nothing.
"""

import contextlib
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import BinaryIO, Literal

from advrepl.atomic import replacing
from convert import ConvertError
from convert.decode.plan import DecodeJob
from convert.decode.records import Records, file_stamp
from convert.decode.releases import Release, recognize_release
from convert.decode.stream import is_zero, open_payload, xor_chunks
from convert.decode.verify import MAX_JSON, Checked, Decoded, Rebuilt, check_file
from convert.sums import Algorithm, Digester, Sums, sum_file, sum_text
from convert.tensor import Progress

SMALL = 8 << 20  # bytes; under this both sums cost nothing; above, MD5 only where one is given


def run_jobs(
    jobs: list[DecodeJob], given: Mapping[str, Sums] | None = None, progress: Progress | None = None
) -> list[Checked]:
    """Do the jobs and judge the results, in the same order; what cannot be read or written is a ConvertError.

    `given`: sums by file name, which go before the built-in ones. Progress counts the bytes of the whole run.
    """
    if not jobs:
        return []
    out_dir = jobs[0].out.parent
    folders, given = _folder_names(jobs[0]), given or {}
    try:
        out_dir.mkdir(parents=True, exist_ok=True)
        wanted = _wanted(given, recognize_release(folders, {}))
        files = list(_decode_all(jobs, wanted, given, progress))
        # Now the sums tell the release, where the folders' names did not or were wrong.
        release = recognize_release(folders, {file.out.name: file.sums for file in files})
        wanted = _wanted(given, release)
        return [check_file(file, wanted.get(file.out.name, Sums()), release, progress) for file in files]
    except OSError as error:
        raise ConvertError(f"{error.filename or out_dir}: {error.strerror}; run the command again to go on") from error


def accept_rebuilt(checked: Checked, out_dir: Path, rebuilt: Rebuilt) -> Checked:
    """Put the rebuilt text in the place of a JSON file that came out wrong; what is known of it then.

    What came out is kept beside it, as NAME.orig; raises OSError.
    """
    out = out_dir / checked.name
    kept = original_name(out)
    with _replacing(kept) as target:
        target.write(out.read_bytes())
    with _replacing(out) as target:
        target.write(rebuilt.text.encode())
    sums = sum_text(rebuilt.text)
    verdict: Literal["right", "unknown"] = "right" if sums.agree(checked.wanted) else "unknown"
    return replace(checked, verdict=verdict, sums=sums, causes=(), rebuilt=None)


def original_name(out: Path) -> Path:
    """Where the file at `out` is kept when another takes its place: a name that is free."""
    names = (out.with_name(f"{out.name}.orig{number or ''}") for number in count())
    return next(name for name in names if not name.exists() and not name.is_symlink())


def _folder_names(job: DecodeJob) -> list[str]:
    xor_dir = job.payload.parent.resolve()
    # The release's own folder is usually xor_encoded_files, in one with its name.
    return [xor_dir.name, xor_dir.parent.name, job.out.parent.resolve().name]


def _wanted(given: Mapping[str, Sums], release: Release | None) -> dict[str, Sums]:
    known = dict(release.sums) if release else {}
    return {name: given.get(name, Sums()).filled_from(known.get(name, Sums())) for name in {*given, *known}}


def _decode_all(
    jobs: list[DecodeJob], wanted: Mapping[str, Sums], given: Mapping[str, Sums], progress: Progress | None
) -> Iterator[Decoded]:
    records = Records(jobs[0].out.parent)
    try:
        yield from _each(jobs, wanted, given, records, progress)
    finally:
        records.write()


def _each(
    jobs: list[DecodeJob],
    wanted: Mapping[str, Sums],
    given: Mapping[str, Sums],
    records: Records,
    progress: Progress | None,
) -> Iterator[Decoded]:
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
            records.add(job.name, file_stamp(job.payload), file_stamp(job.base), found)
        before += job.size
        tick(job.name, 0, 0, start=before)
        yield Decoded(job.payload, job.base, job.out, found, skipped)


def _algorithms(job: DecodeJob, given: Sums) -> list[Algorithm]:
    # MD5 runs at half the speed of SHA-256, which is built in for every large file of the releases.
    return ["sha256", "md5"] if job.size <= SMALL or given.md5 else ["sha256"]


def _verified(
    job: DecodeJob, wanted: Sums, algorithms: list[Algorithm], records: Records, tick: Progress
) -> Sums | None:
    """The sums of a file that is there already and is what it should be, or what an earlier run of ours made."""
    if job.out.is_symlink() or not job.out.is_file():
        return None
    recorded = records.find(job.name, file_stamp(job.payload), file_stamp(job.base))
    if not wanted and not recorded:
        return None
    found = sum_file(job.out, algorithms, tick)
    if found.agree(wanted) or (recorded and found.agree(recorded)):
        return found
    return None


def _decode_file(job: DecodeJob, algorithms: list[Algorithm], tick: Progress) -> Sums:
    with contextlib.ExitStack() as stack:
        payload = stack.enter_context(open_payload(job.payload, job.packed))
        base = stack.enter_context(job.base.open("rb")) if job.base else None
        digester = stack.enter_context(Digester(algorithms))
        target = stack.enter_context(_replacing(job.out))
        done, zeros = 0, True
        chunks = stack.enter_context(contextlib.closing(xor_chunks(payload, base)))
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


def _check_growth(job: DecodeJob, done: int) -> None:
    # A gzip file of a few KB can unpack to terabytes.
    if job.packed and done > 2 * max(job.size, MAX_JSON):
        raise ConvertError(f"{job.payload}: unpacks to more than {done:,} bytes; it is no XOR file of this base")


def _replacing(out: Path) -> AbstractContextManager[BinaryIO]:
    # Not durable: after a power failure the next run finds the wrong sum and does the file again. One name, so that
    # it also writes over what a killed run left half-written, which can be gigabytes.
    return replacing(out, temporary=f".{out.name}.part")
