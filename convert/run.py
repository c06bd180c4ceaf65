"""Convert a Hugging Face folder to a GGUF file: check everything, write, quantize, rename into place.

Decides what is done and cleans up after it; each step is a module of its own. Prints nothing.
"""

import os
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from importlib import resources
from math import prod
from pathlib import Path

import filelock

from convert import ConvertError, metadata
from convert.archs.known import architecture, model_rules
from convert.archs.rules import Model
from convert.checkpoint.folder import open_checkpoint
from convert.config import read_config
from convert.quantize.imatrix import read_imatrix
from convert.quantize.process import Checkpoint, make_imatrix, quantize
from convert.quantize.types import FTYPES, UNQUANTIZED, estimated_bytes
from convert.single import open_single
from convert.tensor import Progress, TensorRef
from convert.vocab.folder import check_vocab, read_vocab
from convert.write import (
    GGUF_TYPES,
    Field,
    replace_strings,
    stored_bytes,
    stored_type,
    tensor_bytes,
    write_gguf,
    write_header,
)

AUTO = "auto"  # --imatrix: make one

WORKPLACE, LOCK = ".converting-", "lock"
LOCKED_WITHIN = 60  # seconds
MARGIN = 1.1  # the size of a quantized file is an estimate, so the disk has to have this much more

Stage = Callable[[str], Progress]  # opens a progress bar for one step


@dataclass(frozen=True, slots=True)
class Request:
    """What is to be converted to what."""

    folder: Path  # a Hugging Face model folder
    out: Path  # the GGUF file to write
    ftype: str = "Q4_K_M"  # a key of FTYPES
    imatrix: str | None = None  # a file, or AUTO
    calibration: Path | None = None  # the text for AUTO; None: the built-in one
    format: str | None = None  # the prompt format to note, under advrepl's name for it; None: nothing is noted
    template: str | None = None  # of that format, in jinja, for other programs
    weights: Path | None = None  # the one file of weights to read; None: whichever lie in the folder


@dataclass(frozen=True, slots=True)
class ConvertPlan:
    """What will be done; when there is one, every check that needs no writing has passed."""

    request: Request
    tensors: Mapping[str, TensorRef]  # of the checkpoint, by name
    model: Model
    fields: Mapping[str, Field]  # of the GGUF header, by key
    files: tuple[Path, ...]  # what is read
    first_type: str  # the type written first: the result's own, or what the quantizer is fed with

    @property
    def weights(self) -> int:
        """Number of weights, all tensors together."""
        return sum(prod(rule.shape) for rule in self.model.rules)

    @property
    def quantized(self) -> bool:
        """Is the result made by the quantizer?"""
        return self.request.ftype not in UNQUANTIZED

    @property
    def in_one_pass(self) -> bool:
        """Is it quantized tensor by tensor, without a first file? One is needed to make an importance matrix."""
        return self.quantized and self.request.imatrix != AUTO

    @property
    def first_bytes(self) -> int:
        """Bytes of the tensors of the file written first."""
        return tensor_bytes(self.model.rules, self.first_type)

    @property
    def result_bytes(self) -> int:
        """Bytes of the tensors of the result, about; exact where nothing is quantized."""
        if not self.quantized:
            return self.first_bytes
        return int(sum(estimated_bytes(rule.shape, self.request.ftype) for rule in self.model.rules) * MARGIN)

    @property
    def disk_bytes(self) -> int:
        """Bytes that must be free on the disk, about."""
        return self.result_bytes + (self.first_bytes if self.quantized and not self.in_one_pass else 0)


@dataclass(slots=True)
class ConvertResult:
    """What was written, and what it took."""

    out: Path
    source_bytes: int  # of the files it was made from
    bytes: int
    bits: float  # per weight
    format: str | None  # the prompt format that is noted in it
    seconds: dict[str, float] = field(default_factory=dict)  # by step: "write", "imatrix", "quantize"
    types: dict[str, int] = field(default_factory=dict)  # how many tensors of each type
    fallbacks: int = 0  # tensors that took a larger type, since their rows do not fit the blocks of the one asked for


def prepare(request: Request) -> ConvertPlan:
    """Check everything that can be known before writing; the first thing that is wrong is a ConvertError."""
    check_request(request)
    config = read_config(request.folder)
    architecture(config)  # refused before the weights are even opened
    tensors = open_single(request.weights) if request.weights else open_checkpoint(request.folder)
    model = model_rules(config, tensors)
    vocab = read_vocab(request.folder, model.vocab_size)
    check_vocab(request.folder, vocab)
    first_type = request.ftype if request.ftype in UNQUANTIZED else lossless_type(model, tensors)
    files = metadata.source_files(request.folder, {tensors[rule.source].file for rule in model.rules if rule.source})
    fields = _fields(request, model, first_type, files)
    if request.template:
        fields["tokenizer.chat_template"] = request.template  # unless the folder has its own
    fields["general.name"] = metadata.told_name(str(fields["general.name"]), vocab)
    plan = ConvertPlan(request, tensors, model, {**fields, **vocab}, tuple(files), first_type)
    _check_imatrix(plan)
    _check_disk(plan)
    return plan


def check_request(request: Request) -> None:
    """Raise ConvertError for what is wrong by itself, whatever is converted."""
    if request.ftype not in FTYPES:
        raise ConvertError(f"-q {request.ftype}: unknown type; the types are {', '.join(FTYPES)}")
    if request.out.is_dir():
        raise ConvertError(f"{request.out}: is a folder; -o takes the name of the file to write")
    if request.calibration is not None and not request.calibration.is_file():
        raise ConvertError(f"{request.calibration}: no such file; --calibration takes a text")
    if FTYPES[request.ftype].imatrix and request.imatrix is None:
        raise ConvertError(
            f"{request.ftype} needs an importance matrix: --imatrix auto makes one, --imatrix FILE takes a ready one"
        )


def lossless_type(model: Model, tensors: Mapping[str, TensorRef]) -> str:
    """The type of GGUF_TYPES that holds every weight of the checkpoint exactly; F16 and BF16 together need F32."""
    found = {tensors[rule.source].dtype for rule in model.rules if rule.source and len(rule.shape) > 1}
    return found.pop() if len(found) == 1 and found <= set(GGUF_TYPES) else "F32"


def _fields(request: Request, model: Model, first_type: str, files: list[Path]) -> dict[str, Field]:
    fields: dict[str, Field] = {"general.architecture": model.arch}
    fields |= metadata.describe(request.folder, sum(prod(rule.shape) for rule in model.rules))
    fields["general.file_type"] = FTYPES[first_type].number
    if request.format:
        fields["advrepl.prompt_format"] = request.format
    fields["advrepl.source.files"] = [file.name for file in files]
    fields["advrepl.source.sha256"] = metadata.placeholders(files)
    return fields | {f"{model.arch}.{key}": value for key, value in model.keys.items()}


def _check_imatrix(plan: ConvertPlan) -> None:
    request = plan.request
    if request.imatrix in (None, AUTO) or not plan.quantized:
        return
    columns = {name: len(values) for name, values in read_imatrix(Path(str(request.imatrix))).items()}
    inner = [rule for rule in plan.model.rules if rule.name.startswith("blk.") and len(rule.shape) > 1]
    bad = [rule.name for rule in inner if columns.get(rule.name) != rule.shape[-1]]
    if bad:
        raise ConvertError(f"{request.imatrix}: of another model; no entry, or one of another width: {', '.join(bad)}")


def _check_disk(plan: ConvertPlan) -> None:
    place = plan.request.out.parent
    while not place.exists():
        place = place.parent
    free = shutil.disk_usage(place).free
    if free < plan.disk_bytes:
        temporary = f" and a temporary {format_bytes(plan.first_bytes)}" if plan.disk_bytes > plan.result_bytes else ""
        raise ConvertError(
            f"{plan.request.out.parent}: not enough space; the result takes about "
            f"{format_bytes(plan.result_bytes)}{temporary}, {format_bytes(free)} are free"
        )


def format_bytes(count: float) -> str:
    """Bytes as people read them: `format_bytes(4_080_000_000) == "4.08 GB"`."""
    for unit in ("bytes", "kB", "MB"):
        if count < 1000:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:.2f} GB"


def convert(plan: ConvertPlan, stage: Stage) -> ConvertResult:
    """Carry out the plan; whatever happens, only a complete result appears, and nothing else stays.

    `stage` opens a progress bar for each step. What goes wrong is a ConvertError, also a full disk.
    """
    try:
        return _convert(plan, plan.request.out, stage)
    except OSError as error:
        raise ConvertError(f"{error.filename or plan.request.out}: {error.strerror or error}") from error


def _convert(plan: ConvertPlan, out: Path, stage: Stage) -> ConvertResult:
    out.parent.mkdir(parents=True, exist_ok=True)
    result = ConvertResult(out, sum(f.stat().st_size for f in plan.files), 0, 0.0, plan.request.format)
    # In the same folder, so that the rename is one step and the space that was checked is the space that is used.
    with workplace(out.parent) as made:
        if plan.in_one_pass:
            _in_one_pass(plan, made / "last.gguf", result, stage("quantizing"))
            (made / "last.gguf").replace(out)
        else:
            _by_a_first_file(plan, made / "first.gguf", result, stage).replace(out)
    result.bytes = out.stat().st_size
    return result


@contextmanager
def workplace(folder: Path) -> Iterator[Path]:
    """Make a folder for what is written meanwhile, which is locked while we live; what dead runs left is removed."""
    for left in folder.glob(f"{WORKPLACE}*"):
        _sweep(left)
    with tempfile.TemporaryDirectory(prefix=WORKPLACE, dir=folder) as made, filelock.FileLock(Path(made) / LOCK):
        yield Path(made)


def _sweep(left: Path) -> None:
    if left.is_symlink() or not left.is_dir():
        return
    with suppress(OSError, filelock.Timeout):
        # Without a lock it is of a run that begins just now, or of one that was killed then.
        if (left / LOCK).is_file() or time.time() - left.stat().st_mtime > LOCKED_WITHIN:
            with filelock.FileLock(left / LOCK, timeout=0):
                for file in left.iterdir():
                    if file.name != LOCK:
                        file.unlink()
            shutil.rmtree(left)


def _by_a_first_file(plan: ConvertPlan, first: Path, result: ConvertResult, stage: Stage) -> Path:
    with _timed(result, "write"), _summed(plan, first):
        write_gguf(first, plan.fields, plan.model.rules, plan.tensors, plan.first_type, stage("writing"))
    if not plan.quantized:
        _count_types(plan, result)
        return first
    last, imatrix = first.with_name("last.gguf"), _imatrix(plan)
    if plan.request.imatrix == AUTO:
        imatrix = first.with_name("imatrix.gguf")
        with _timed(result, "imatrix"), calibration_text(plan.request) as text:
            make_imatrix(first, text, imatrix, stage("importance matrix"))
    _quantize(plan, first, last, imatrix, result, stage("quantizing"))
    return last


def _in_one_pass(plan: ConvertPlan, last: Path, result: ConvertResult, progress: Progress) -> None:
    header = last.with_name("header.gguf")
    start = write_header(header, plan.fields, plan.model.rules, plan.first_type)
    os.truncate(header, start + plan.first_bytes)  # a hole: llama.cpp wants a file of the right length
    source = Checkpoint(header, plan.model.rules, plan.tensors, plan.first_type)
    with _summed(plan, last):
        _quantize(plan, source, last, _imatrix(plan), result, progress)


@contextmanager
def _summed(plan: ConvertPlan, written: Path) -> Iterator[None]:
    """Sum the source files while a file is written; the sums are filled into its header last."""
    stop = threading.Event()
    with ThreadPoolExecutor(1) as beside:
        summed = beside.submit(metadata.sums, list(plan.files), stop)
        try:
            yield
            replace_strings(written, metadata.placeholders(list(plan.files)), summed.result())
        finally:
            stop.set()


def _imatrix(plan: ConvertPlan) -> Path | None:
    return Path(plan.request.imatrix) if plan.request.imatrix else None


def _quantize(
    plan: ConvertPlan,
    source: Path | Checkpoint,
    last: Path,
    imatrix: Path | None,
    result: ConvertResult,
    progress: Progress,
) -> None:
    sizes = {rule.name: stored_bytes(rule, plan.first_type) for rule in plan.model.rules}
    with _timed(result, "quantize"):
        outcome = quantize(source, last, plan.request.ftype, imatrix, sizes, progress)
    result.bits, result.types, result.fallbacks = outcome.bits, dict(outcome.types), outcome.fallbacks


def _count_types(plan: ConvertPlan, result: ConvertResult) -> None:
    result.bits = plan.first_bytes * 8 / plan.weights
    for rule in plan.model.rules:
        stored = stored_type(rule, plan.first_type)
        result.types[stored] = result.types.get(stored, 0) + 1


@contextmanager
def calibration_text(request: Request) -> Iterator[Path]:
    """The file with the text that makes an importance matrix: the user's, or the one that comes with this package."""
    if request.calibration is not None:
        yield request.calibration
        return
    with resources.as_file(resources.files("convert.quantize") / "calibration.txt") as file:
        yield file


@contextmanager
def _timed(result: ConvertResult, step: str) -> Iterator[None]:
    start = time.perf_counter()
    yield
    result.seconds[step] = time.perf_counter() - start
