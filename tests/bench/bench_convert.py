"""Time and peak memory of decode, write and quantize on 2.5 GB, beside llama.cpp's own tools where they are given.

Run from the checkout: python -m tests.bench.bench_convert PLACE [--llama-cpp SOURCE BIN PYTHON] [--rounds N]
SOURCE holds convert_hf_to_gguf.py, BIN llama-quantize, PYTHON is one that has torch and transformers.
Memory is the resident set of all processes of a command together, sampled 50 times a second.
"""

import argparse
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
from tests.bench.make_llama import SIZES, make

ADVREPL = [sys.executable, "-m", "advrepl"]
CHUNK = 16 << 20


@dataclass(frozen=True, slots=True)
class Measured:
    seconds: float
    megabytes: float = 0.0
    output: str = ""


def measure(command: list[str]) -> Measured:
    """Time and peak memory of a command and all its children."""
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
    return Measured(seconds, peak / 1e6, text)


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


def report(name: str, *measured: Measured) -> None:
    steps = " + ".join(f"{m.seconds:.1f} s" for m in measured)
    seconds, peak = sum(m.seconds for m in measured), max(m.megabytes for m in measured)
    print(f"{name:34} {seconds:7.1f} s   {peak:6.0f} MB   ({steps})", flush=True)


def ours(model: Path, place: Path) -> None:
    out = place / "ours.gguf"
    measured = measure([*ADVREPL, "convert", str(model), "-o", str(out)])
    report("advrepl convert", measured)
    steps = next(line for line in measured.output.splitlines() if line.startswith("time"))
    print(f"{'':34} {out.stat().st_size / 1e6:.0f} MB written; {' '.join(steps.split())}", flush=True)
    out.unlink()


def theirs(model: Path, place: Path, source: Path, binaries: Path, python: Path) -> None:
    first, last = place / "first.gguf", place / "theirs.gguf"
    script = str(source / "convert_hf_to_gguf.py")
    wrote = measure([str(python), script, str(model), "--outfile", str(first), "--outtype", "f16"])
    quantized = measure([str(binaries / "llama-quantize"), str(first), str(last), "Q4_K_M", str(usable_cores())])
    report("llama.cpp convert + quantize", wrote, quantized)
    first.unlink()
    last.unlink()


def decoding(model: Path, place: Path) -> None:
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
    report("copying the release", Measured(copied))
    command = [*ADVREPL, "decode", str(xor), str(base), str(out)]
    measured = measure(command)
    report("advrepl decode", measured)
    print(f"{'':34} {copied / measured.seconds:.2f} of the copy's speed")
    for folder in (base, xor, out):
        shutil.rmtree(folder)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("place", type=Path)
    parser.add_argument("--llama-cpp", nargs=3, type=Path, metavar=("SOURCE", "BIN", "PYTHON"))
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--layers", type=int, default=SIZES["1.1b"].layers)
    options = parser.parse_args()
    model = options.place / "llama-1.1b"
    if not model.exists():
        make(model, replace(SIZES["1.1b"], layers=options.layers))
    for _ in range(options.rounds):
        ours(model, options.place)
        if options.llama_cpp:
            theirs(model, options.place, *options.llama_cpp)
    decoding(model, options.place)
    shutil.rmtree(model)


if __name__ == "__main__":
    main()
