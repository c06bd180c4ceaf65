"""Convert a Hugging Face folder to a GGUF file: check everything, write, quantise, rename into place.

Decides what is done and cleans up after it; each step is a module of its own. Prints nothing.
"""

import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import resources
from math import prod
from pathlib import Path

from convert import ConvertError, metadata
from convert.archs.known import architecture, model_of
from convert.archs.rules import Model
from convert.checkpoint.folder import open_checkpoint
from convert.config import read_config
from convert.quantize import process, types
from convert.quantize.imatrix import read_imatrix
from convert.tensor import Progress, TensorRef
from convert.vocab.folder import read_vocab
from convert.write import FILE_TYPES, TYPES, Field, kept_type, replace_text, tensor_bytes, write_gguf

AUTO = "auto"  # --imatrix: make one

ROOM = 1.1  # the size of a quantised file is an estimate, so the disk has to have this much more

Stage = Callable[[str], Progress]  # opens a progress bar for one step


@dataclass(frozen=True, slots=True)
class Request:
    folder: Path
    out: Path
    kind: str = "Q4_K_M"
    imatrix: str | None = None  # a file, or AUTO
    calibration: Path | None = None  # the text for AUTO; None: the built-in one
    format: str | None = None  # the prompt format to note, under advrepl's name for it; None: nothing is noted


@dataclass(frozen=True, slots=True)
class Plan:
    """What will be done; when there is one, every check that needs no writing has passed."""

    request: Request
    tensors: Mapping[str, TensorRef]
    model: Model
    fields: Mapping[str, Field]
    files: tuple[Path, ...]  # what is read
    written: str  # the type written first: the result's own, or what the quantiser is fed with

    @property
    def weights(self) -> int:
        return sum(prod(rule.shape) for rule in self.model.rules)

    @property
    def quantised(self) -> bool:
        return self.request.kind not in types.PLAIN

    @property
    def written_bytes(self) -> int:
        return tensor_bytes(self.model.rules, self.written)

    @property
    def result_bytes(self) -> int:
        """About; exact where nothing is quantised."""
        if not self.quantised:
            return self.written_bytes
        return int(sum(types.estimate(rule.shape, self.request.kind) for rule in self.model.rules) * ROOM)

    @property
    def disk_bytes(self) -> int:
        return self.result_bytes + (self.written_bytes if self.quantised else 0)


@dataclass(slots=True)
class Result:
    out: Path
    source_bytes: int
    bytes: int
    bits: float  # per weight
    format: str | None
    seconds: dict[str, float] = field(default_factory=dict)  # by step
    types: dict[str, int] = field(default_factory=dict)  # how many tensors of each
    fallen_back: int = 0


def prepare(request: Request) -> Plan:
    """Check everything that can be known before writing; the first sentence that fails is raised."""
    if request.kind not in types.TYPES:
        raise ConvertError(f"-q {request.kind}: unknown type; the types are {', '.join(types.TYPES)}")
    if request.out.is_dir():
        raise ConvertError(f"{request.out}: is a folder; -o takes the name of the file to write")
    if request.calibration is not None and not request.calibration.is_file():
        raise ConvertError(f"{request.calibration}: no such file; --calibration takes a text")
    config = read_config(request.folder)
    architecture(config)  # refused before the weights are even opened
    tensors = open_checkpoint(request.folder)
    model = model_of(config, tensors)
    vocab = read_vocab(request.folder, model.rows)
    written = request.kind if request.kind in types.PLAIN else source_type(model, tensors)
    files = metadata.source_files(request.folder, {tensors[r.source].file for r in model.rules if r.source})
    fields = _fields(request, model, written, files)
    plan = Plan(request, tensors, model, {**fields, **vocab}, tuple(files), written)
    _check_imatrix(plan)
    _check_disk(plan)
    return plan


def source_type(model: Model, tensors: Mapping[str, TensorRef]) -> str:
    """The type that holds every weight of the checkpoint exactly; F16 and BF16 together need F32."""
    found = {tensors[r.source].dtype for r in model.rules if r.source and len(r.shape) > 1}
    return found.pop() if len(found) == 1 and found <= set(TYPES) else "F32"


def _fields(request: Request, model: Model, written: str, files: list[Path]) -> dict[str, Field]:
    fields: dict[str, Field] = {"general.architecture": model.arch}
    fields |= metadata.describe(request.folder, sum(prod(rule.shape) for rule in model.rules))
    fields["general.file_type"] = FILE_TYPES[written]
    if request.format:
        fields["advrepl.prompt_format"] = request.format
    fields["advrepl.source.files"] = [file.name for file in files]
    fields["advrepl.source.sha256"] = metadata.placeholders(files)
    return fields | {f"{model.arch}.{key}": value for key, value in model.keys.items()}


def _check_imatrix(plan: Plan) -> None:
    request = plan.request
    if types.TYPES[request.kind].imatrix and request.imatrix is None:
        raise ConvertError(
            f"{request.kind} needs an importance matrix: --imatrix auto makes one, --imatrix FILE takes a ready one"
        )
    if request.imatrix in (None, AUTO) or not plan.quantised:
        return
    widths = {name: len(values) for name, values in read_imatrix(Path(str(request.imatrix))).items()}
    inner = [r for r in plan.model.rules if r.out.startswith("blk.") and len(r.shape) > 1]
    bad = [r.out for r in inner if widths.get(r.out) != r.shape[-1]]
    if bad:
        raise ConvertError(f"{request.imatrix}: of another model; no entry, or one of another width: {', '.join(bad)}")


def _check_disk(plan: Plan) -> None:
    place = plan.request.out.parent
    while not place.exists():
        place = place.parent
    free = shutil.disk_usage(place).free
    if free < plan.disk_bytes:
        temporary = f" and a temporary {size(plan.written_bytes)}" if plan.quantised else ""
        raise ConvertError(
            f"{plan.request.out.parent}: not enough space; the result takes about "
            f"{size(plan.result_bytes)}{temporary}, {size(free)} are free"
        )


def size(count: float) -> str:
    """Bytes as people read them: `size(4_080_000_000) == "4.08 GB"`."""
    for unit in ("bytes", "kB", "MB"):
        if count < 1000:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:.2f} GB"


def convert(plan: Plan, stage: Stage) -> Result:
    """Carry out the plan; whatever happens, only a complete result appears, and nothing else stays."""
    try:
        return _convert(plan, plan.request.out, stage)
    except OSError as error:
        raise ConvertError(f"{error.filename or plan.request.out}: {error.strerror or error}") from error


def _convert(plan: Plan, out: Path, stage: Stage) -> Result:
    out.parent.mkdir(parents=True, exist_ok=True)
    result = Result(out, sum(f.stat().st_size for f in plan.files), 0, 0.0, plan.request.format)
    # In the same folder, so that the rename is one step and the space that was checked is the space that is used.
    with tempfile.TemporaryDirectory(prefix=".converting-", dir=out.parent) as made:
        first = Path(made) / "first.gguf"
        with _timed(result, "write"):
            _write(plan, first, stage("writing"))
        if plan.quantised:
            _quantise(plan, first, result, stage).replace(out)
        else:
            _count_types(plan, result)
            first.replace(out)
    result.bytes = out.stat().st_size
    return result


def _write(plan: Plan, first: Path, progress: Progress) -> None:
    """Write the tensors and sum the source files at the same time; the sums are filled into the header last."""
    stop = threading.Event()
    with ThreadPoolExecutor(1) as beside:
        summed = beside.submit(metadata.sums, list(plan.files), stop)
        try:
            write_gguf(first, plan.fields, plan.model.rules, plan.tensors, plan.written, progress)
            replace_text(first, metadata.placeholders(list(plan.files)), summed.result())
        finally:
            stop.set()


def _quantise(plan: Plan, first: Path, result: Result, stage: Stage) -> Path:
    last, imatrix = first.with_name("last.gguf"), plan.request.imatrix
    matrix = Path(imatrix) if imatrix else None
    if imatrix == AUTO:
        matrix = first.with_name("imatrix.gguf")
        with _timed(result, "imatrix"), calibration(plan.request) as text:
            process.make_imatrix(first, text, matrix, stage("importance matrix"))
    sizes = {r.out: prod(r.shape) * TYPES[kept_type(r, plan.written)][1] for r in plan.model.rules}
    with _timed(result, "quantise"):
        outcome = process.quantize(first, last, plan.request.kind, matrix, sizes, stage("quantising"))
    result.bits, result.types, result.fallen_back = outcome.bits, dict(outcome.types), outcome.fallen_back
    return last


def _count_types(plan: Plan, result: Result) -> None:
    result.bits = plan.written_bytes * 8 / plan.weights
    for rule in plan.model.rules:
        kept = kept_type(rule, plan.written)
        result.types[kept] = result.types.get(kept, 0) + 1


@contextmanager
def calibration(request: Request) -> Iterator[Path]:
    """The text that makes an importance matrix: the user's, or the one that comes with this package."""
    if request.calibration is not None:
        yield request.calibration
        return
    with resources.as_file(resources.files("convert.quantize") / "calibration.txt") as file:
        yield file


@contextmanager
def _timed(result: Result, step: str) -> Iterator[None]:
    start = time.perf_counter()
    yield
    result.seconds[step] = time.perf_counter() - start
