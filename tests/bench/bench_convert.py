"""Time, memory and disk of converting and decoding 2.5 GB, in turn with llama.cpp's own tools where they are given.

Run from the checkout: python -m tests.bench.bench_convert PLACE [--llama-cpp SOURCE BIN PYTHON] [--rounds N]
SOURCE holds convert_hf_to_gguf.py, BIN llama-quantize, PYTHON is one that has torch and transformers.
Memory is the resident set of all processes of a command together, sampled 50 times a second; what is written is what
the system counts for a command and its children (getrusage(2), not on Windows).
"""

import argparse
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import psutil

from advrepl.machine import usable_cores
from tests.bench import results
from tests.bench.make_llama import SIZES, make
from tests.bench.results import Row, missing, row

ADVREPL = [sys.executable, "-m", "advrepl"]
CHUNK = 16 << 20
BLOCK = 512  # bytes, of ru_oublock
TIME, MEMORY_MB, WRITTEN = 0.85, 350.0, 1.05  # goals


@dataclass(frozen=True, slots=True)
class Measured:
    seconds: float
    megabytes: float  # of memory, at its peak
    written: float  # bytes

    def __add__(self, other: "Measured") -> "Measured":
        peak = max(self.megabytes, other.megabytes)
        return Measured(self.seconds + other.seconds, peak, self.written + other.written)


def measure(command: list[str]) -> Measured:
    """Time and peak memory of a command and all its children."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_oublock
    start, peak = time.perf_counter(), 0
    # A file, not a pipe: nobody reads a pipe while the command runs, and a full one would stop it.
    with tempfile.TemporaryFile() as output:
        process = psutil.Popen(command, stdout=output, stderr=subprocess.STDOUT)
        while process.poll() is None:
            peak = max(peak, resident(process))
            time.sleep(0.02)
        seconds = time.perf_counter() - start
        output.seek(0)
        text = output.read().decode("utf-8", "replace")
    if process.returncode:
        sys.exit(f"{command}: {text[-2000:]}")
    blocks = resource.getrusage(resource.RUSAGE_CHILDREN).ru_oublock - before
    return Measured(seconds, peak / 1e6, blocks * BLOCK)


def resident(process: psutil.Process) -> int:
    total = 0
    for one in (process, *children(process)):
        try:
            total += one.memory_info().rss
        except psutil.NoSuchProcess:
            continue
    return total


def children(process: psutil.Process) -> list[psutil.Process]:
    try:
        return process.children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def ours(model: Path, place: Path) -> tuple[Measured, int]:
    """Convert with advrepl: what it took, and the bytes of the finished file."""
    out = place / "ours.gguf"
    measured, size = measure([*ADVREPL, "convert", str(model), "-o", str(out)]), out.stat().st_size
    out.unlink()
    return measured, size


def theirs(model: Path, place: Path, source: Path, binaries: Path, python: Path) -> Measured:
    """Convert with llama.cpp's two tools."""
    first, last = place / "first.gguf", place / "theirs.gguf"
    script = str(source / "convert_hf_to_gguf.py")
    wrote = measure([str(python), script, str(model), "--outfile", str(first), "--outtype", "f16"])
    quantized = measure([str(binaries / "llama-quantize"), str(first), str(last), "Q4_K_M", str(usable_cores())])
    first.unlink()
    last.unlink()
    return wrote + quantized


def converting(model: Path, place: Path, tools: list[Path] | None, rounds: int) -> list[Row]:
    """Both in turn."""
    own, peer, sizes = list[Measured](), list[Measured](), list[int]()
    for number in range(rounds):
        measured, size = ours(model, place)
        own.append(measured)
        sizes.append(size)
        peer += [theirs(model, place, *tools)] if tools else []
        print(f"\rround {number + 1} of {rounds} ", end="", flush=True)
    name, their = "advrepl convert", "convert_hf_to_gguf.py + llama-quantize"
    rows = [
        row(f"{name}: time", [each.seconds for each in own], "s"),
        row(f"{name}: peak memory", [each.megabytes for each in own], "MB", at_most=MEMORY_MB),
        Row(f"{name}: written, by the finished file", own[-1].written / sizes[-1], at_most=WRITTEN),
    ]
    if not peer:
        return [*rows, missing(f"{their}: time", "its tools were not given")]
    ratios = [mine.seconds / other.seconds for mine, other in zip(own, peer, strict=True)]
    return [
        *rows,
        row(f"{their}: time", [each.seconds for each in peer], "s"),
        row(f"{their}: peak memory", [each.megabytes for each in peer], "MB"),
        Row(f"{their}: written, by the finished file", peer[-1].written / sizes[-1]),
        row(f"{name} / {their}: time", ratios, "", at_most=TIME),
    ]


def decoding(model: Path, place: Path) -> list[Row]:
    """Decode a release of the weights file, and copy it, for the ratio to the disk's own speed."""
    file, base, xor, out = model / "model.safetensors", place / "base", place / "xor", place / "out"
    for folder in (base, xor):
        folder.mkdir()
    noise = np.random.PCG64(3).random_raw(CHUNK // 8).view(np.uint8)
    with file.open("rb") as read, (base / file.name).open("wb") as first, (xor / file.name).open("wb") as second:
        while chunk := read.read(CHUNK):
            first.write(noise[: len(chunk)].tobytes())
            second.write((np.frombuffer(chunk, np.uint8) ^ noise[: len(chunk)]).tobytes())
    start = time.perf_counter()
    with (xor / file.name).open("rb") as read, (place / "copy").open("wb") as write:
        shutil.copyfileobj(read, write, CHUNK)
    copied = time.perf_counter() - start
    (place / "copy").unlink()
    command = [*ADVREPL, "decode", str(xor), str(base), str(out)]
    measured = measure(command)
    for folder in (base, xor, out):
        shutil.rmtree(folder)
    return [
        Row("advrepl decode: time", measured.seconds, "s"),
        Row("advrepl decode: peak memory", measured.megabytes, "MB"),
        Row("a plain copy of the release: time", copied, "s"),
    ]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("place", type=Path)
    parser.add_argument("--llama-cpp", nargs=3, type=Path, metavar=("SOURCE", "BIN", "PYTHON"))
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--layers", type=int, default=SIZES["1.1b"].layers)
    parser.add_argument("--results", type=Path)
    options = parser.parse_args()
    model = options.place / "llama-1.1b"
    if not model.exists():
        make(model, replace(SIZES["1.1b"], layers=options.layers))
    table = converting(model, options.place, options.llama_cpp, options.rounds) + decoding(model, options.place)
    shutil.rmtree(model)
    text = "A seeded LLaMA of 1.1 billion weights (2.5 GB of F16) to Q4_K_M, and a release of 2.5 GB decoded"
    results.keep(results.section("convert", "Converting", text, table, ""), options.results)


if __name__ == "__main__":
    main()
