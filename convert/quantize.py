"""Quantise a GGUF file with llama.cpp, in a child process.

llama.cpp's quantiser can neither be cancelled nor asked how far it is, and a failed check inside it ends the process:
so it runs in a child of its own, which forwards the log, and which Ctrl-C ends at once.
llama_cpp is loaded in that child only.
"""

import ctypes
import os
import re
import signal
import subprocess
import sys
from collections import Counter, deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from math import prod
from pathlib import Path

import convert
from convert import ConvertError
from convert.tensor import Progress


@dataclass(frozen=True, slots=True)
class Type:
    number: int  # llama.h: enum llama_ftype
    bits: float  # per weight, about: as measured on a LLaMA of 8 billion weights
    imatrix: bool = False  # llama.cpp refuses it without an importance matrix
    note: str = ""


_TRAINED = "only for models trained in this type"

TYPES: Mapping[str, Type] = {
    "F32": Type(0, 32.0),
    "BF16": Type(32, 16.0),
    "F16": Type(1, 16.0),
    "Q8_0": Type(7, 8.5),
    "Q6_K": Type(18, 6.6),
    "Q5_K_M": Type(17, 5.7),
    "Q5_K_S": Type(16, 5.6),
    "Q5_1": Type(9, 6.0),
    "Q5_0": Type(8, 5.6),
    "Q4_K_M": Type(15, 4.9, note="the default"),
    "Q4_K_S": Type(14, 4.7),
    "IQ4_NL": Type(25, 4.7),
    "IQ4_XS": Type(30, 4.5),
    "Q4_1": Type(3, 5.1),
    "Q4_0": Type(2, 4.7),
    "Q3_K_L": Type(13, 4.3),
    "Q3_K_M": Type(12, 4.0),
    "Q3_K_S": Type(11, 3.7),
    "IQ3_M": Type(27, 3.8),
    "IQ3_S": Type(26, 3.7),
    "IQ3_XS": Type(22, 3.5, imatrix=True),
    "IQ3_XXS": Type(23, 3.3, imatrix=True),
    "Q2_K": Type(10, 3.2),
    "Q2_K_S": Type(21, 3.0, imatrix=True),
    "IQ2_M": Type(29, 3.0, imatrix=True),
    "IQ2_S": Type(28, 2.8, imatrix=True),
    "IQ2_XS": Type(20, 2.6, imatrix=True),
    "IQ2_XXS": Type(19, 2.4, imatrix=True),
    "IQ1_M": Type(31, 2.2, imatrix=True),
    "IQ1_S": Type(24, 2.0, imatrix=True),
    "TQ2_0": Type(37, 2.5, note=_TRAINED),
    "TQ1_0": Type(36, 2.2, note=_TRAINED),
}

PLAIN = ("F32", "F16", "BF16")  # written directly, without the quantiser

BLOCK = 256  # weights of a row that K- and IQ-types store together; other rows fall back to types of 5 to 8 bits

# Bytes of rows held at once. The result does not depend on it; the default of 8 GiB would hold whole tensors.
BUFFER = 32 << 20

LOG_KEPT = 12  # lines quoted when llama.cpp fails


def estimate(shape: tuple[int, ...], kind: str) -> float:
    """Bytes that a tensor of this shape will take, about."""
    bits = TYPES[kind].bits if shape[-1] % BLOCK == 0 else max(TYPES[kind].bits, TYPES["Q8_0"].bits)
    return prod(shape) * (32.0 if len(shape) == 1 else bits) / 8


def threads_here() -> int:
    """Cores this process may use, which in a container are fewer than the machine has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@dataclass(slots=True)
class Outcome:
    types: Counter[str] = field(default_factory=Counter)  # how many tensors became what
    bits: float = 0.0  # per weight, over all tensors
    fallen_back: int = 0  # tensors whose rows do not fit the type's blocks


def quantize(
    source: Path, out: Path, kind: str, imatrix: Path | None, sizes: Mapping[str, int], progress: Progress
) -> Outcome:
    """Write `out` from the F32, F16 or BF16 file `source`; `sizes` are the bytes of its tensors, for the progress."""
    outcome, done, total = Outcome(), 0, sum(sizes.values())
    name, types = "", dict[str, str]()
    progress("starting", 0, total)
    for line in child("quantize", source, out, TYPES[kind].number, threads_here(), imatrix or ""):
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
            outcome.fallen_back = int(match[1])
    progress("quantised", total, total)
    outcome.types = Counter(found.upper() for found in types.values())
    return outcome


def make_imatrix(model: Path, text: Path, out: Path, progress: Progress) -> None:
    """Run `model` over a text and write its importance matrix."""
    for line in child("imatrix", model, text, out, threads_here()):
        if match := re.fullmatch(r"chunk (\d+) (\d+)\s*", line):
            progress("running the model over the text", int(match[1]), int(match[2]))


def child(*args: object) -> Iterator[str]:
    """Run this module's other side, and yield its lines; it is killed if the caller stops listening."""
    # The child must find this package wherever it was started from.
    path = os.pathsep.join([str(Path(convert.__file__).parent.parent), *filter(None, sys.path)])
    process = subprocess.Popen(
        [sys.executable, "-m", "convert.quantize", *map(str, args)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        env={**os.environ, "PYTHONPATH": path},
    )
    assert process.stdout is not None
    last: deque[str] = deque(maxlen=LOG_KEPT)
    try:
        for line in process.stdout:
            last.append(line.strip())
            yield line
        code = process.wait()
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
    if code:
        raise ConvertError(f"llama.cpp failed ({_cause(code, last)})")


def _cause(code: int, lines: deque[str]) -> str:
    told = [line for line in lines if re.search(r"fail|error|require|missing|assert", line, re.IGNORECASE)]
    ended = signal.Signals(-code).name if code < 0 else f"exit code {code}"
    return "; ".join([ended, *(told or list(lines)[-1:])])


# The child's side


def _quantize(source: str, out: str, number: str, threads: str, imatrix: str) -> int:
    import llama_cpp

    params = llama_cpp.llama_model_quantize_default_params()
    params.ftype, params.nthread, params.max_buf_size = int(number), int(threads), BUFFER
    kept = _imatrix_structs(Path(imatrix)) if imatrix else None
    if kept is not None:
        params.imatrix = kept[0]
    code: int = llama_cpp.llama_model_quantize(os.fsencode(source), os.fsencode(out), ctypes.byref(params))
    return code


def _imatrix_structs(file: Path) -> tuple["ctypes.Array[ctypes.Structure]", list[object]]:
    """The array llama.cpp wants, ended by an entry without a name, and what must live as long as it does."""
    import llama_cpp
    import numpy as np

    from convert.imatrix import read_imatrix

    entries = {name: np.ascontiguousarray(v, np.float32) for name, v in read_imatrix(file).items()}
    structs = (llama_cpp.llama_model_imatrix_data * (len(entries) + 1))()
    for struct, (name, values) in zip(structs, entries.items(), strict=False):
        struct.name = name.encode()
        struct.data = values.ctypes.data_as(ctypes.POINTER(ctypes.c_float))
        struct.size = values.size
    return structs, list(entries.values())


def _collect(model: str, text: str, out: str, threads: str) -> int:
    from convert.collect import collect

    collect(Path(model), Path(text).read_text(encoding="utf-8", errors="replace"), Path(out), int(threads), _say)
    return 0


def _say(line: str) -> None:
    try:
        sys.stdout.write(line)
        sys.stdout.flush()
    except OSError:  # nobody listens any more: the parent is gone
        os._exit(1)


def main(command: str, *args: str) -> int:
    # Ctrl-C reaches the whole process group; the parent decides, and an interrupt inside a callback would be lost.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    import llama_cpp

    @llama_cpp.llama_log_callback  # type: ignore[untyped-decorator]
    def log(level: int, text: bytes, user_data: object) -> None:
        _say(text.decode("utf-8", "replace"))

    llama_cpp.llama_log_set(log, ctypes.c_void_p(0))
    try:
        return _quantize(*args) if command == "quantize" else _collect(*args)
    except ConvertError as error:
        _say(f"error: {error}\n")
        return 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
