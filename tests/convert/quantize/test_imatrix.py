"""Importance matrices as files."""

import struct
from pathlib import Path

import gguf
import numpy as np
import pytest

from convert import ConvertError
from convert.quantize.imatrix import read_imatrix, write_imatrix
from convert.run import Request, prepare
from tests.convert.converted import convert


def legacy(entries: dict[str, list[float]], calls: int) -> bytes:
    """The form before GGUF, byte by byte."""
    data = struct.pack("<i", len(entries))
    for name, values in entries.items():
        data += struct.pack("<i", len(name)) + name.encode() + struct.pack("<ii", calls, len(values))
        data += struct.pack(f"<{len(values)}f", *(v * calls for v in values))
    return data + struct.pack("<ii", calls, 4) + b"text"


def test_the_legacy_form_means_the_same(matrix: Path, tmp_path: Path, folder: Path) -> None:
    values = {name: v.tolist() for name, v in read_imatrix(matrix).items()}
    old = tmp_path / "imatrix.dat"
    old.write_bytes(legacy(values, calls=4))
    for name, found in read_imatrix(old).items():
        assert found.tolist() == values[name]
    made = [
        convert(folder, tmp_path / f"{each.suffix}.gguf", "Q2_K_S", imatrix=str(each)).out for each in (matrix, old)
    ]
    of_new, of_old = ([(t.name, t.data.tobytes()) for t in gguf.GGUFReader(file).tensors] for file in made)
    assert of_new == of_old  # the files' own names differ, which the header tells


def test_counts_are_divided_by_and_columns_never_seen_count_as_one(tmp_path: Path) -> None:
    file = tmp_path / "i.gguf"
    write_imatrix(file, {"a": np.array([8.0, 2.0]), "b": np.array([5.0])}, {"a": 4, "b": 0}, chunks=1)
    assert {name: v.tolist() for name, v in read_imatrix(file).items()} == {"a": [2.0, 0.5], "b": [1.0]}


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"", "not an importance matrix of llama.cpp"),
        (b"GGUF" + bytes(20), "not an importance matrix of llama.cpp"),
        (legacy({"a": [1.0, 2.0]}, 3)[:20], "not an importance matrix of llama.cpp"),
        (struct.pack("<iii", 1, 2**30, 7), "not an importance matrix of llama.cpp"),
        (struct.pack("<iii", 1, -8, 7), "not an importance matrix of llama.cpp"),
        (struct.pack("<i", 0), "holds no entries"),
        (legacy({"a": [1.0, float("nan")]}, 1), "entries that are not numbers: a"),
    ],
)
def test_a_broken_matrix_is_a_sentence(tmp_path: Path, data: bytes, sentence: str) -> None:
    file = tmp_path / "imatrix.dat"
    file.write_bytes(data)
    with pytest.raises(ConvertError, match=sentence):
        read_imatrix(file)


def test_a_matrix_of_another_model_is_refused_by_name(folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "imatrix.dat"
    file.write_bytes(legacy({"blk.0.attn_q.weight": [1.0] * 8}, 1))
    with pytest.raises(
        ConvertError, match=r"of another model; no entry, or one of another width: blk.0.attn_q.weight, "
    ):
        prepare(Request(folder, tmp_path / "o.gguf", "Q4_K_M", imatrix=str(file)))
