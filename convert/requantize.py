"""Quantize a GGUF file that is there already. What a quantized one has lost does not come back."""

import shutil
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import gguf

from convert import ConvertError
from convert.quantize.process import make_imatrix, quantize
from convert.quantize.types import estimated_bytes
from convert.run import (
    AUTO,
    MARGIN,
    ConvertResult,
    Request,
    Stage,
    calibration_text,
    check_request,
    format_bytes,
    workplace,
)


def requantize(request: Request, stage: Stage) -> ConvertResult:
    """Write `request.out` from the GGUF file `request.folder`; raises ConvertError, and leaves nothing half-written."""
    source, out = request.folder, request.out
    check_request(request)
    if out.exists() and out.samefile(source):
        raise ConvertError(f"{out}: is the file to read; give another name with -o")
    tensors = _tensors(source)
    _check_room(request, tensors)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with workplace(out.parent) as made:
            return _requantize(request, made, tensors, stage)
    except OSError as error:
        raise ConvertError(f"{error.filename or out}: {error.strerror or error}") from error


def _requantize(request: Request, made: Path, tensors: Mapping[str, Any], stage: Stage) -> ConvertResult:
    source, last = request.folder, made / "last.gguf"
    result = ConvertResult(request.out, source.stat().st_size, 0, 0.0, "as in the file it was made from")
    imatrix = Path(request.imatrix) if request.imatrix else None
    if request.imatrix == AUTO:
        imatrix, start = made / "imatrix.gguf", time.perf_counter()
        with calibration_text(request) as text:
            make_imatrix(source, text, imatrix, stage("importance matrix"))
        result.seconds["imatrix"] = time.perf_counter() - start
    start, sizes = time.perf_counter(), {name: int(tensor.n_bytes) for name, tensor in tensors.items()}
    outcome = quantize(source, last, request.ftype, imatrix, sizes, stage("quantizing"))
    result.seconds["quantize"] = time.perf_counter() - start
    result.bits, result.types, result.fallbacks = outcome.bits, dict(outcome.types), outcome.fallbacks
    result.bytes = last.stat().st_size
    last.replace(request.out)
    return result


def _tensors(source: Path) -> dict[str, Any]:
    try:
        reader = gguf.GGUFReader(source)
    except (ValueError, IndexError, KeyError, OSError, OverflowError) as error:
        raise ConvertError(f"{source}: is cut short or damaged ({error}): fetch it again") from None
    found = {tensor.name: tensor for tensor in reader.tensors}
    if not found or "split.count" in reader.fields:
        raise ConvertError(f"{source}: holds no whole model: join its parts with llama.cpp's llama-gguf-split first")
    return found


def _check_room(request: Request, tensors: Mapping[str, Any]) -> None:
    shapes: Iterator[tuple[int, ...]] = (tuple(map(int, reversed(tensor.shape))) for tensor in tensors.values())
    wanted = int(sum(estimated_bytes(shape, request.ftype) for shape in shapes) * MARGIN)
    place = request.out.parent
    while not place.exists():
        place = place.parent
    if (free := shutil.disk_usage(place).free) < wanted:
        raise ConvertError(
            f"{request.out.parent}: not enough space; the result takes about {format_bytes(wanted)}, "
            f"{format_bytes(free)} are free"
        )
