"""The quantizer, with llama.cpp itself."""

from collections import Counter
from pathlib import Path

import gguf
import numpy as np
import pytest

from convert import ConvertError
from convert.quantize.process import quantize
from convert.quantize.types import FTYPES, UNQUANTIZED
from tests import tiny
from tests.convert.converted import convert

WITH_MATRIX = [name for name, kind in FTYPES.items() if kind.imatrix]
WITHOUT = [name for name, kind in FTYPES.items() if not kind.imatrix and name not in UNQUANTIZED]


@pytest.mark.parametrize("kind", WITHOUT)
def test_every_type_loads_and_gives_numbers(folder: Path, tmp_path: Path, kind: str) -> None:
    result = convert(folder, tmp_path / "o.gguf", kind)
    assert np.isfinite(tiny.logits(result.out, tiny.tokens_of(40, tiny.ROWS))).all()
    found = {t.name: t.tensor_type.name for t in gguf.GGUFReader(result.out).tensors}
    # What is counted from the log is what the file holds, and the inner weights are of the family asked for.
    assert result.types == Counter(found.values())
    assert found["blk.0.ffn_up.weight"] == kind.removesuffix("_S").removesuffix("_M").removesuffix("_L") or kind in (
        "IQ3_M", "IQ3_S",
    )  # fmt: skip


@pytest.mark.parametrize("kind", WITH_MATRIX)
def test_types_that_need_a_matrix_work_with_one(folder: Path, matrix: Path, tmp_path: Path, kind: str) -> None:
    result = convert(folder, tmp_path / "o.gguf", kind, imatrix=str(matrix))
    assert np.isfinite(tiny.logits(result.out, tiny.tokens_of(40, tiny.ROWS))).all()
    reader = gguf.GGUFReader(result.out)
    assert result.types == Counter(t.tensor_type.name for t in reader.tensors)
    told = {name: f.contents() for name, f in reader.fields.items() if name.startswith("quantize.imatrix.")}
    assert told["quantize.imatrix.file"] == matrix.name and told["quantize.imatrix.entries_count"] == 8
    assert told["quantize.imatrix.dataset"] == "calibration text" and told["quantize.imatrix.chunks_count"] > 0


def test_rows_that_do_not_fit_are_counted(tmp_path: Path) -> None:
    result = convert(tiny.make("llama", tmp_path / "m"), tmp_path / "o.gguf", "Q4_K_M")
    assert result.fallbacks == 15
    assert "Q4_K" not in result.types


def test_a_failing_child_is_told_with_llama_cpps_own_words(tmp_path: Path) -> None:
    (tmp_path / "broken.gguf").write_bytes(b"GGUF" + bytes(100))
    with pytest.raises(ConvertError, match=r"llama.cpp failed \(exit code 1; .*"):
        quantize(tmp_path / "broken.gguf", tmp_path / "o.gguf", "Q4_0", None, {}, lambda *report: None)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a disk that is always full")
def test_a_disk_that_is_full_is_told_in_our_words(folder: Path, tmp_path: Path) -> None:
    whole = convert(folder, tmp_path / "o.gguf", "F16").out
    with pytest.raises(ConvertError, match="the disk is full, or a quota is used up"):
        quantize(whole, Path("/dev/full"), "Q8_0", None, {}, lambda *report: None)
