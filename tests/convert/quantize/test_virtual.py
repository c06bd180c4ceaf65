"""A file that is there one tensor at a time: what is made from it is byte for byte what is made from a whole one."""

import os
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest

from convert import ConvertError, run
from convert.quantize import virtual
from convert.quantize.virtual import VirtualGguf
from convert.run import Request, prepare
from convert.write import write_gguf
from tests import tiny
from tests.convert.converted import convert, quiet

pytestmark = pytest.mark.skipif(not virtual.AVAILABLE, reason="only Linux has such files")


def in_both_ways(folder: Path, place: Path, kind: str, monkeypatch: pytest.MonkeyPatch, **more: Any) -> list[bytes]:
    results = [convert(folder, place / "one.gguf", kind, **more)]
    monkeypatch.setattr(virtual, "AVAILABLE", False)
    results.append(convert(folder, place / "two.gguf", kind, **more))
    assert results[0].types == results[1].types and results[0].bits == results[1].bits
    assert results[0].fallbacks == results[1].fallbacks
    assert (set(results[0].seconds), set(results[1].seconds)) == ({"quantize"}, {"write", "quantize"})
    return [result.out.read_bytes() for result in results]


# Rows of 64 and 176, for which many types fall back.
@pytest.mark.parametrize(("name", "kind"), [("llama", "Q4_K_M"), ("gptj", "Q8_0"), ("gptneox", "IQ4_NL")])
def test_one_pass_makes_the_same_bytes(tmp_path: Path, name: str, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    one, two = in_both_ways(tiny.make(name, tmp_path / "m"), tmp_path, kind, monkeypatch)
    assert one == two


def test_one_pass_makes_the_same_bytes_with_an_importance_matrix(
    folder: Path, matrix: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = in_both_ways(folder, tmp_path, "IQ2_XXS", monkeypatch, imatrix=str(matrix))
    assert one == two


def test_nothing_but_the_result_is_written_to_the_disk(folder: Path, tmp_path: Path) -> None:
    out, seen = tmp_path / "o.gguf", dict[str, int]()

    def stage(title: str) -> Any:
        def look(label: str, done: int, total: int) -> None:
            for file in tmp_path.rglob("*"):
                if file.is_file():
                    seen[file.name] = max(seen.get(file.name, 0), file.stat().st_size)

        return look

    plan = prepare(Request(folder, out, "Q4_0"))
    assert plan.in_one_pass and plan.disk_bytes == plan.result_bytes
    run.convert(plan, stage)
    assert "first.gguf" not in seen
    assert sum(size for name, size in seen.items() if name != "o.gguf") <= 1.05 * out.stat().st_size
    assert [path.name for path in tmp_path.iterdir()] == ["o.gguf"]


def test_a_tensor_is_there_when_it_was_asked_for_and_gone_with_the_next(folder: Path, tmp_path: Path) -> None:
    plan = prepare(Request(folder, tmp_path / "o.gguf", "Q4_0"))
    parts = plan.fields, plan.model.rules, plan.tensors, plan.first_type
    write_gguf(tmp_path / "whole.gguf", *parts, lambda *report: None)
    tensors = {tensor.name: tensor for tensor in gguf.GGUFReader(tmp_path / "whole.gguf").tensors}
    whole = (tmp_path / "whole.gguf").read_bytes()
    with VirtualGguf(*parts) as file:
        assert os.fstat(file.fd).st_size == len(whole)
        assert os.pread(file.fd, 4096, 0) == whole[:4096]
        for name, tensor in reversed(tensors.items()):
            file.bring(name)
            data = os.pread(file.fd, len(whole), 0)
            start, end = int(tensor.data_offset), int(tensor.data_offset + tensor.n_bytes)
            assert data[start:end] == whole[start:end]
            others = np.frombuffer(data[int(min(t.data_offset for t in tensors.values())) : start] + data[end:], "u1")
            assert not others.any()


def test_a_tensor_that_cannot_be_had_ends_the_conversion(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = prepare(Request(folder, tmp_path / "o.gguf", "Q4_0"))
    bring = VirtualGguf.bring

    def failing(file: VirtualGguf, name: str) -> None:
        if name.startswith("blk.0.ffn"):
            raise ConvertError("the file has gone")
        bring(file, name)

    monkeypatch.setattr(VirtualGguf, "bring", failing)
    with pytest.raises(ConvertError, match="the file has gone"):
        run.convert(plan, quiet)
    assert list(tmp_path.iterdir()) == []


def test_where_there_are_no_such_files_a_first_one_is_written(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not prepare(Request(folder, Path("o.gguf"), "Q4_0", imatrix="auto")).in_one_pass  # it has to be run
    assert not prepare(Request(folder, Path("o.gguf"), "F16")).in_one_pass
    monkeypatch.setattr(virtual, "AVAILABLE", False)
    plan = prepare(Request(folder, Path("o.gguf"), "Q4_0"))
    assert not plan.in_one_pass and plan.disk_bytes == plan.result_bytes + plan.first_bytes
