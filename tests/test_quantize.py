"""The quantiser and importance matrices, with llama.cpp itself."""

import struct
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gguf
import llama_cpp
import numpy as np
import pytest

from convert import ConvertError, quantize, run
from convert.imatrix import read_imatrix, write_imatrix
from convert.run import Request, prepare
from tests import tiny

WITH_MATRIX = [name for name, kind in quantize.TYPES.items() if kind.imatrix]
WITHOUT = [name for name, kind in quantize.TYPES.items() if not kind.imatrix and name not in quantize.PLAIN]


def quiet(title: str) -> Any:
    return lambda label, done, total: None


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As small as rows of 256 allow, which every type needs to be itself."""
    sizes = {"hidden_size": 256, "intermediate_size": 256, "num_hidden_layers": 1, "num_key_value_heads": 1}
    return tiny.write_folder(tmp_path_factory.mktemp("q") / "m", *tiny.llama(**sizes))


def convert(folder: Path, out: Path, kind: str, **options: Any) -> run.Result:
    return run.convert(prepare(Request(folder, out, kind, **options)), quiet)


def test_numbers_are_those_of_the_header() -> None:
    for name, kind in quantize.TYPES.items():
        constant = f"LLAMA_FTYPE_MOSTLY_{name}" if name != "F32" else "LLAMA_FTYPE_ALL_F32"
        assert getattr(llama_cpp, constant) == kind.number


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


@pytest.fixture(scope="module")
def matrix(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Made by running the model over the built-in text, as --imatrix auto does."""
    place = tmp_path_factory.mktemp("matrix")
    result = convert(folder, place / "full.gguf", "F32")
    plan = prepare(Request(folder, place / "o.gguf", "Q2_K_S", imatrix="auto"))
    reports: list[tuple[str, int, int]] = []
    with run.calibration(plan.request) as text:
        quantize.make_imatrix(result.out, text, place / "imatrix.gguf", lambda *report: reports.append(report))
    counts = [report[1:] for report in reports]
    assert counts == [(done, counts[0][1]) for done in range(counts[0][1] + 1)]
    yield place / "imatrix.gguf"


def test_the_matrix_is_the_mean_square_of_what_each_weight_is_fed_with(folder: Path, matrix: Path) -> None:
    """The first layer's queries see the normalised embedding of the text's tokens, which numpy can compute."""
    found = read_imatrix(matrix)
    assert set(found) == {
        f"blk.0.{n}.weight" for n in ("attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down")
    } | {"output.weight"}
    plan = prepare(Request(folder, folder / "o.gguf", "F32"))
    with run.calibration(plan.request) as file:
        text = file.read_bytes()
    result = convert(folder, matrix.with_name("again.gguf"), "F32")
    ids = [256, *tiny.token_ids(result.out, [text])[0]] if plan.fields["tokenizer.ggml.add_bos_token"] else None
    ids = ids or tiny.token_ids(result.out, [text])[0]
    ids = ids[: len(ids) // 512 * 512]
    embedding = plan.tensors["model.embed_tokens.weight"].load()[ids].astype(np.float64)
    norm = plan.tensors["model.layers.0.input_layernorm.weight"].load()
    fed = embedding / np.sqrt((embedding**2).mean(1, keepdims=True) + 1e-6) * norm
    assert np.allclose(found["blk.0.attn_q.weight"], (fed**2).mean(0), rtol=1e-4)


@pytest.mark.parametrize("kind", WITH_MATRIX)
def test_types_that_need_a_matrix_work_with_one(folder: Path, matrix: Path, tmp_path: Path, kind: str) -> None:
    result = convert(folder, tmp_path / "o.gguf", kind, imatrix=str(matrix))
    assert np.isfinite(tiny.logits(result.out, tiny.tokens_of(40, tiny.ROWS))).all()
    assert result.types == Counter(t.tensor_type.name for t in gguf.GGUFReader(result.out).tensors)


def test_auto_makes_its_own_and_leaves_no_trace(folder: Path, matrix: Path, tmp_path: Path) -> None:
    made = convert(folder, tmp_path / "auto.gguf", "Q2_K_S", imatrix="auto")
    given = convert(folder, tmp_path / "given.gguf", "Q2_K_S", imatrix=str(matrix))
    assert made.out.read_bytes() == given.out.read_bytes()
    assert set(made.seconds) == {"write", "imatrix", "quantise"}
    assert sorted(p.name for p in tmp_path.iterdir()) == ["auto.gguf", "given.gguf"]


def test_a_text_of_ones_own_changes_the_matrix(folder: Path, tmp_path: Path) -> None:
    text = tmp_path / "text.txt"
    text.write_text("numbers 1234567890 " * 60)
    own = convert(folder, tmp_path / "own.gguf", "Q2_K_S", imatrix="auto", calibration=text)
    usual = convert(folder, tmp_path / "usual.gguf", "Q2_K_S", imatrix="auto")
    assert own.out.read_bytes() != usual.out.read_bytes()
    text.write_text("too short")
    with pytest.raises(ConvertError, match="the calibration text has 9 tokens; give one of a few thousand words"):
        convert(folder, tmp_path / "short.gguf", "Q2_K_S", imatrix="auto", calibration=text)


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
    new_file = convert(folder, tmp_path / "new.gguf", "Q2_K_S", imatrix=str(matrix)).out.read_bytes()
    assert convert(folder, tmp_path / "old.gguf", "Q2_K_S", imatrix=str(old)).out.read_bytes() == new_file


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


def test_rows_that_do_not_fit_are_counted(tmp_path: Path) -> None:
    result = convert(tiny.make("llama", tmp_path / "m"), tmp_path / "o.gguf", "Q4_K_M")
    assert result.fallen_back == 15
    assert "Q4_K" not in result.types


def test_a_failing_child_is_told_with_llama_cpps_own_words(tmp_path: Path) -> None:
    (tmp_path / "broken.gguf").write_bytes(b"GGUF" + bytes(100))
    with pytest.raises(ConvertError, match=r"llama.cpp failed \(exit code 1; .*"):
        quantize.quantize(tmp_path / "broken.gguf", tmp_path / "o.gguf", "Q4_0", None, {}, lambda *report: None)
