"""Values through the writer: types, sizes, and what must not be squeezed."""

from pathlib import Path

import gguf
import numpy as np
import pytest

from convert import ConvertError
from convert.archs.rules import Rule
from convert.checkpoint.folder import open_checkpoint
from convert.write import Field, cast, replace_strings, tensor_bytes, write_gguf
from tests import tiny


def write(folder: Path, tensors: dict[str, tiny.Floats], dtype: str, wanted: str) -> Path:
    tiny.write_safetensors(folder / "model.safetensors", tensors, dtype)
    rules = [Rule(name, values.shape, name) for name, values in tensors.items()]
    out = folder / "out.gguf"
    fields: dict[str, Field] = {
        "general.architecture": "llama", "a.number": 7, "a.list": ["x", "ü"], "a.flag": True, "a.real": 0.5,
    }  # fmt: skip
    write_gguf(out, fields, rules, open_checkpoint(folder), wanted, lambda *report: None)
    return out


def read(file: Path) -> dict[str, np.ndarray]:
    return {t.name: gguf.quants.dequantize(t.data, t.tensor_type) for t in gguf.GGUFReader(file).tensors}


@pytest.mark.parametrize("dtype", ["F32", "F16", "BF16"])
def test_the_sources_own_type_is_written_bit_for_bit(tmp_path: Path, dtype: str) -> None:
    r = tiny.Random(5)
    tensors = {"a.weight": r(48, 33), "b.weight": r(7, 64)}
    out = write(tmp_path, tensors, dtype, dtype)
    for tensor in gguf.GGUFReader(out).tensors:
        kept = {"F32": lambda v: v, "F16": lambda v: v.astype(np.float16), "BF16": tiny.bf16}[dtype](
            tensors[tensor.name]
        )
        assert tensor.tensor_type.name == dtype
        assert tensor.data.tobytes() == kept.tobytes()


def test_bf16_as_f32_is_exact_beyond_the_range_of_f16(tmp_path: Path) -> None:
    values = np.array([[1e30, -1e-30, 0.0, 3.0], [-2.0, 65536.0, 1e-8, 5.5]], np.float32)
    expected = (tiny.bf16(values).astype(np.uint32) << 16).view(np.float32)
    assert read(write(tmp_path, {"a.weight": values}, "BF16", "F32"))["a.weight"].tolist() == expected.tolist()


def test_values_f16_cannot_hold_are_refused_by_name(tmp_path: Path) -> None:
    values = np.array([[1.0, 70000.0]], np.float32)
    with pytest.raises(ConvertError, match=r"tensor 'a.weight' holds values beyond .* convert with -q BF16"):
        write(tmp_path, {"a.weight": values}, "F32", "F16")


def test_vectors_stay_f32_and_missing_sources_become_zeros(tmp_path: Path) -> None:
    tiny.write_safetensors(tmp_path / "model.safetensors", {"n": np.ones(5, np.float32)}, "F32")
    rules = [Rule("norm.weight", (5,), "n"), Rule("some.bias", (3,), None)]
    out = tmp_path / "out.gguf"
    write_gguf(out, {"general.architecture": "x"}, rules, open_checkpoint(tmp_path), "F16", lambda *report: None)
    assert {t.name: (t.tensor_type.name, t.data.tolist()) for t in gguf.GGUFReader(out).tensors} == {
        "norm.weight": ("F32", [1.0] * 5),
        "some.bias": ("F32", [0.0] * 3),
    }


def test_f32_to_bf16_rounds_to_nearest_even() -> None:
    values = np.array([0x3F808000, 0x3F818000, 0x3F808001, 0x7F7FFFFF, 0x7F800000], np.uint32).view(np.float32)
    assert [hex(b) for b in cast(values, "F32", "BF16")] == ["0x3f80", "0x3f82", "0x3f81", "0x7f80", "0x7f80"]
    assert np.isnan(cast(cast(np.array([np.nan], np.float32), "F32", "BF16"), "BF16", "F32"))[0]


def test_fields_of_every_kind_come_back(tmp_path: Path) -> None:
    reader = gguf.GGUFReader(write(tmp_path, {"a.weight": np.ones((1, 1), np.float32)}, "F32", "F32"))
    found = {name: field.contents() for name, field in reader.fields.items() if name.startswith(("a.", "general."))}
    assert found == {
        "general.architecture": "llama",
        "a.number": 7,
        "a.list": ["x", "ü"],
        "a.flag": True,
        "a.real": 0.5,
    }


def test_sizes_are_known_before_anything_is_written(tmp_path: Path) -> None:
    tensors = {"a.weight": np.ones((3, 5), np.float32), "b.weight": np.ones((64, 2), np.float32)}
    rules = [Rule(name, values.shape, name) for name, values in tensors.items()]
    assert tensor_bytes(rules, "F16") == 32 + 256  # 30 bytes are padded to 32
    reader = gguf.GGUFReader(write(tmp_path, tensors, "F16", "F16"))
    assert (tmp_path / "out.gguf").stat().st_size == reader.data_offset + 288


def test_a_header_string_is_replaced_in_place(tmp_path: Path) -> None:
    out = write(tmp_path, {"a.weight": np.ones((1, 1), np.float32)}, "F32", "F32")
    before = out.stat().st_size
    replace_strings(out, ["ü"], ["ä"])
    assert gguf.GGUFReader(out).fields["a.list"].contents() == ["x", "ä"]
    assert out.stat().st_size == before
