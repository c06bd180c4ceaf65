"""Quantize a GGUF file with llama.cpp, in a child process.

llama.cpp's quantizer can neither be cancelled nor asked how far it is, and a failed check inside it ends the process:
so it runs in a child of its own (__main__.py), which forwards the log, and which Ctrl-C ends at once.
llama_cpp is loaded in that child only.
"""

import os
import pickle
import re
import signal
import subprocess
import sys
from collections import Counter, deque
from collections.abc import Generator, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path

import convert
from advrepl.machine import usable_cores
from convert import ConvertError
from convert.archs.rules import Rule
from convert.quantize.types import FTYPES
from convert.tensor import Progress, TensorRef

CANNOT_WRITE = "basic_ios::clear"  # what C++ says of any write that fails
LOG_KEPT = 12  # lines quoted when llama.cpp fails
ERROR = "error: "  # what the child says before a sentence of our own


@dataclass(slots=True)
class Outcome:
    """What llama.cpp's quantizer said of its work."""

    types: Counter[str] = field(default_factory=Counter)  # how many tensors became what
    bits: float = 0.0  # per weight, over all tensors
    fallbacks: int = 0  # tensors whose rows do not fit the type's blocks


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What the child quantizes without a first file."""

    header: Path  # a GGUF file of type `dtype` with a hole where its tensors would be
    rules: Sequence[Rule]
    tensors: Mapping[str, TensorRef]  # by name
    dtype: str  # a key of write.GGUF_TYPES


def quantize(
    source: Path | Checkpoint,
    out: Path,
    ftype: str,
    imatrix: Path | None,
    sizes: Mapping[str, int],
    progress: Progress,
) -> Outcome:
    """Write `out` in a type of FTYPES from the F32, F16 or BF16 file `source`, or from a checkpoint.

    `imatrix`: a file with an importance matrix; None: without one. `sizes`: the bytes of the source's tensors, by
    name, for the progress. Raises ConvertError if llama.cpp fails.
    """
    outcome, done, total = Outcome(), 0, sum(sizes.values())
    name, types = "", dict[str, str]()
    progress("starting", 0, total)
    args = out, FTYPES[ftype].number, usable_cores(), imatrix or ""
    if isinstance(source, Checkpoint):
        lines = run_child("stream", source.header, *args, given=pickle.dumps(source))
    else:
        lines = run_child("quantize", source, *args)
    with closing(lines):  # an interrupt in `progress` ends the child, too
        for line in lines:
            if match := re.match(r"\[ *\d+/ *\d+\] (\S+) .*?type = +(\S+),", line):
                name = match[1]
                types[name] = match[2]
                done += sizes.get(name, 0)
                progress(name, done, total)
            # On the same line, or below a remark about the importance matrix.
            if match := re.search(r"converting to (\S+)", line):
                types[name] = match[1]
            elif match := re.search(r"quant size .*\((\S+) BPW\)", line):
                outcome.bits = float(match[1])
            elif match := re.search(r"WARNING: (\d+) of \d+ tensor\(s\) required fallback", line):
                outcome.fallbacks = int(match[1])
    progress("quantized", total, total)
    outcome.types = Counter(found.upper() for found in types.values())
    return outcome


def make_imatrix(model: Path, text: Path, out: Path, progress: Progress) -> None:
    """Run the model, a GGUF file, over a text and write its importance matrix; raises ConvertError if that fails."""
    for line in run_child("imatrix", model, text, out, usable_cores()):
        if match := re.fullmatch(r"chunk (\d+) (\d+)\s*", line):
            progress("running the model over the text", int(match[1]), int(match[2]))


def run_child(*args: object, given: bytes = b"") -> Generator[str, None, None]:
    """Run __main__.py with these arguments and yield the lines it prints; raises ConvertError if it fails.

    It is killed if the caller stops listening. `given`: what it reads on stdin.
    """
    # The child must find this package wherever it was started from.
    path = os.pathsep.join([str(Path(convert.__file__).parent.parent), *filter(None, sys.path)])
    process = subprocess.Popen(
        [sys.executable, "-m", "convert.quantize", *map(str, args)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={**os.environ, "PYTHONPATH": path},
    )
    assert process.stdin is not None and process.stdout is not None
    last: deque[str] = deque(maxlen=LOG_KEPT)
    try:
        with suppress(OSError):  # it is gone; why is in what it said
            process.stdin.write(given)
            process.stdin.close()
        for raw in process.stdout:
            line = raw.decode("utf-8", "replace")
            last.append(line.strip())
            yield line
        code = process.wait()
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
        with suppress(OSError):
            process.stdin.close()
    if code and last and last[-1].startswith(ERROR):
        raise ConvertError(last[-1].removeprefix(ERROR))
    if code and any(CANNOT_WRITE in line for line in last):
        raise ConvertError("the file could not be written: the disk is full, or a quota is used up")
    if code:
        raise ConvertError(f"llama.cpp failed ({_cause(code, last)})")


def _cause(code: int, lines: deque[str]) -> str:
    told = [line for line in lines if re.search(r"fail|error|require|missing|assert", line, re.IGNORECASE)]
    ended = signal.Signals(-code).name if code < 0 else f"exit code {code}"
    return "; ".join([ended, *(told or list(lines)[-1:])])
