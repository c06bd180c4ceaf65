"""One pass over a checkpoint: its result is byte for byte what llama_model_quantize makes from a whole first file."""

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy

from convert import ConvertError, metadata, run
from convert.quantize.process import quantize
from convert.quantize.stream import Target, _wide, targets
from convert.quantize.types import FTYPES, UNQUANTIZED
from convert.run import Request, prepare
from convert.write import replace_strings, stored_bytes, write_gguf
from tests import tiny
from tests.convert.converted import convert, quiet

KINDS = [name for name in FTYPES if name not in UNQUANTIZED]
WITH_MATRIX = [*(name for name in KINDS if FTYPES[name].imatrix), "Q4_K_M", "Q5_1", "IQ4_XS"]


def by_llama_cpp(folder: Path, place: Path, kind: str, imatrix: Path | None = None) -> tuple[bytes, Any]:
    """Quantize a whole file with llama_model_quantize."""
    plan = prepare(Request(folder, place / "o.gguf", kind, imatrix=str(imatrix) if imatrix else None))
    first, last = place / "first.gguf", place / "last.gguf"
    write_gguf(first, plan.fields, plan.model.rules, plan.tensors, plan.first_type, lambda *report: None)
    sizes = {rule.name: stored_bytes(rule, plan.first_type) for rule in plan.model.rules}
    outcome = quantize(first, last, kind, imatrix, sizes, lambda *report: None)
    files = list(plan.files)
    replace_strings(last, metadata.placeholders(files), metadata.sums(files, threading.Event()))
    return last.read_bytes(), outcome


def same(folder: Path, place: Path, kind: str, imatrix: Path | None = None) -> None:
    result = convert(folder, place / "one.gguf", kind, imatrix=str(imatrix) if imatrix else None)
    theirs, outcome = by_llama_cpp(folder, place, kind, imatrix)
    assert result.out.read_bytes() == theirs
    assert (result.types, result.bits, result.fallbacks) == (outcome.types, outcome.bits, outcome.fallbacks)
    assert set(result.seconds) == {"quantize"}


@pytest.mark.parametrize("kind", [kind for kind in KINDS if not FTYPES[kind].imatrix])
def test_every_type_has_the_same_bytes(folder: Path, tmp_path: Path, kind: str) -> None:
    same(folder, tmp_path, kind)


# Rows of 64 and 176, for which many types fall back.
@pytest.mark.parametrize("kind", ["Q4_K_M", "Q8_0", "IQ3_S"])
@pytest.mark.parametrize("name", ["llama", "gptj", "gptneox"])
def test_odd_shapes_have_the_same_bytes(tmp_path: Path, name: str, kind: str) -> None:
    same(tiny.make(name, tmp_path / "m"), tmp_path, kind)


@pytest.mark.parametrize("dtype", ["F32", "BF16"])
def test_every_type_of_weights_has_the_same_bytes(tmp_path: Path, dtype: str) -> None:
    same(tiny.make("llama", tmp_path / "m", dtype=dtype), tmp_path, "Q4_K_M")


@pytest.mark.parametrize("kind", WITH_MATRIX)
def test_an_importance_matrix_gives_the_same_bytes(folder: Path, matrix: Path, tmp_path: Path, kind: str) -> None:
    same(folder, tmp_path, kind, matrix)


def test_tensors_of_many_blocks_have_the_same_bytes(tmp_path: Path) -> None:
    sizes = {"hidden_size": 1024, "intermediate_size": 1792, "num_hidden_layers": 1}
    same(tiny.write_folder(tmp_path / "m", *tiny.llama(**sizes)), tmp_path, "Q4_K_M")


def test_nothing_but_the_result_is_written_to_the_disk(folder: Path, tmp_path: Path) -> None:
    out, seen = tmp_path / "o.gguf", dict[str, int]()

    def stage(title: str) -> Any:
        def look(label: str, done: int, total: int) -> None:
            for file in tmp_path.rglob("*"):
                if file.is_file():
                    seen[file.name] = max(seen.get(file.name, 0), file.stat().st_blocks * 512)

        return look

    plan = prepare(Request(folder, out, "Q4_0"))
    assert plan.in_one_pass and plan.disk_bytes == plan.result_bytes
    run.convert(plan, stage)
    assert "first.gguf" not in seen
    assert seen["header.gguf"] < plan.first_bytes / 4
    assert [path.name for path in tmp_path.iterdir()] == ["o.gguf"]


def test_a_first_file_is_written_only_where_the_model_has_to_be_run(folder: Path) -> None:
    plan = prepare(Request(folder, Path("o.gguf"), "Q4_0", imatrix="auto"))
    assert not plan.in_one_pass and plan.disk_bytes == plan.result_bytes + plan.first_bytes
    assert not prepare(Request(folder, Path("o.gguf"), "F16")).in_one_pass


def test_a_file_that_goes_meanwhile_ends_the_conversion(folder: Path, tmp_path: Path) -> None:
    plan = prepare(Request(folder, tmp_path / "o.gguf", "Q4_0"))
    for file in plan.files:
        if file.suffix == ".safetensors":
            kept = file.read_bytes()
            file.write_bytes(kept[: len(kept) // 2])
    try:
        with pytest.raises(ConvertError, match=r"^model.safetensors: tensor '.*' cannot be mapped"):
            run.convert(plan, quiet)
    finally:
        (folder / "model.safetensors").write_bytes(kept)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["model.layers.0.mlp.up_proj.weight", "model.norm.weight"])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_values_that_are_no_numbers_are_named(tmp_path: Path, name: str, value: float) -> None:
    file = tiny.make("llama", tmp_path / "m", dtype="F32") / "model.safetensors"
    tensors = {key: np.array(values) for key, values in safetensors.numpy.load_file(file).items()}
    tensors[name].flat[-1] = value
    safetensors.numpy.save_file(tensors, file)
    with pytest.raises(ConvertError, match=r"^tensor '(blk.0.ffn_up|output_norm).weight' holds values"):
        convert(file.parent, tmp_path / "o.gguf", "Q4_0")
    assert [path.name for path in tmp_path.iterdir()] == ["m"]


def test_what_becomes_what_is_read_from_the_log() -> None:
    log = (
        "llama_model_loader: - type  f32:    3 tensors\n"
        "[   1/   3] output.weight   - [  256,   64,     1,     1], type =    f16, size =     0.03 MiB ->"
        "     0.01 MiB (q6_K)\n"
        "[   2/   3] output_norm.weight - [  256,     1,     1,     1], type =    f32, size =    0.001 MiB\n"
        "llama_model_quantize_impl: quant size  =     0.30 MiB (8.71 BPW)\n"
    )
    assert targets(log) == [Target("output.weight", "f16", "q6_K"), Target("output_norm.weight", "f32", "f32")]


def test_every_number_of_f16_is_widened_exactly() -> None:
    bits = np.arange(1 << 16, dtype=np.uint16)
    numbers = bits[np.isfinite(bits.view(np.float16))].view(np.float16)
    for values in (numbers, numbers[:13]):
        assert np.array_equal(_wide(values, "F16").view(np.uint32), values.astype(np.float32).view(np.uint32))
