"""Importance matrices made by running a model."""

from pathlib import Path

import numpy as np
import pytest

from convert import ConvertError, run
from convert.quantize.imatrix import read_imatrix
from convert.run import Request, prepare
from tests import tiny
from tests.convert.converted import convert


def test_the_matrix_is_the_mean_square_of_what_each_weight_is_fed_with(folder: Path, matrix: Path) -> None:
    """The first layer's queries see the normalized embedding of the text's tokens, which numpy can compute."""
    found = read_imatrix(matrix)
    assert set(found) == {
        f"blk.0.{n}.weight" for n in ("attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down")
    } | {"output.weight"}
    plan = prepare(Request(folder, folder / "o.gguf", "F32"))
    with run.calibration_text(plan.request) as file:
        text = file.read_bytes()
    result = convert(folder, matrix.with_name("again.gguf"), "F32")
    ids = [256, *tiny.token_ids(result.out, [text])[0]] if plan.fields["tokenizer.ggml.add_bos_token"] else None
    ids = ids or tiny.token_ids(result.out, [text])[0]
    ids = ids[: len(ids) // 512 * 512]
    embedding = plan.tensors["model.embed_tokens.weight"].load()[ids].astype(np.float64)
    norm = plan.tensors["model.layers.0.input_layernorm.weight"].load()
    fed = embedding / np.sqrt((embedding**2).mean(1, keepdims=True) + 1e-6) * norm
    assert np.allclose(found["blk.0.attn_q.weight"], (fed**2).mean(0), rtol=1e-4)


def test_auto_makes_its_own_and_leaves_no_trace(folder: Path, matrix: Path, tmp_path: Path) -> None:
    made = convert(folder, tmp_path / "auto.gguf", "Q2_K_S", imatrix="auto")
    given = convert(folder, tmp_path / "given.gguf", "Q2_K_S", imatrix=str(matrix))
    assert made.out.read_bytes() == given.out.read_bytes()
    assert set(made.seconds) == {"write", "imatrix", "quantize"}
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
