"""Safetensors files as their specification has them, and against it."""

import json
import struct
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from convert import ConvertError
from convert.checkpoint.folder import open_checkpoint
from convert.checkpoint.safetensors import read_safetensors
from tests.convert.checkpoint.safetensors_file import entry, safetensors


def test_bfloat16_comes_as_its_bits(tmp_path: Path) -> None:
    raw = safetensors({"w": entry([2], 0, 4, "BF16")}, b"\x80\x3f\xc0\xbf")
    (tmp_path / "model.safetensors").write_bytes(raw)
    assert open_checkpoint(tmp_path)["w"].load().tolist() == [0x3F80, 0xBFC0]


GOOD = entry([2], 0, 8)


@pytest.mark.parametrize(
    ("raw", "sentence"),
    [
        (b"", "its header does not fit"),
        (b"\x02\0\0", "its header does not fit"),
        (struct.pack("<Q", 1 << 40) + b"{}", "its header does not fit"),
        (struct.pack("<Q", 1 << 63) + b"{}", "its header does not fit"),
        (safetensors(b" {}"), "no JSON object"),
        (safetensors(b"{"), "its header is not readable as JSON"),
        (safetensors(b'{"a":' * 100_000), "its header is not readable as JSON"),
        (
            safetensors(b'{"w": %s, "w": %s}' % ((json.dumps(GOOD).encode(),) * 2), bytes(8)),
            "its header holds the name 'w' twice",
        ),
        pytest.param(safetensors(b'{"data_offsets":0,' * 131_073), "names more than 131,072 tensors", id="many"),
        (safetensors({"w": []}), "lacks its dtype"),
        (safetensors({"w": {**GOOD, "more": 1}}, bytes(8)), "lacks its dtype"),
        (safetensors({"w": entry([2], 0, 8, "F8_E4M3")}, bytes(8)), "of type 'F8_E4M3'"),
        (safetensors({"w": entry([-2], 0, 8)}, bytes(8)), "no proper shape"),
        (safetensors({"w": {**GOOD, "shape": [2.0]}}, bytes(8)), "no proper shape"),
        (safetensors({"w": {**GOOD, "shape": [True]}}, bytes(8)), "no proper shape"),
        (safetensors({"w": entry([1 << 32, 1 << 32], 0, 8)}, bytes(8)), "no proper shape"),
        (safetensors({"w": entry([1] * 40, 0, 4)}, bytes(4)), "no proper shape"),
        (safetensors({"w": {**GOOD, "data_offsets": [0]}}, bytes(8)), "no proper data_offsets"),
        (safetensors({"w": entry([2], 8, 0)}, bytes(8)), "claims -8 bytes"),
        (safetensors({"w": entry([3], 0, 8)}, bytes(8)), "claims 8 bytes, its shape needs 12"),
        (safetensors({"v": GOOD, "w": entry([2], 4, 12)}, bytes(12)), "'w' overlaps"),
        (safetensors({"v": GOOD, "w": GOOD}, bytes(8)), "'w' overlaps"),
        (safetensors({"v": GOOD, "w": entry([2], 12, 20)}, bytes(20)), "'w' leaves a hole"),
        (safetensors({"w": entry([2], 4, 12)}, bytes(12)), "'w' leaves a hole"),
        (safetensors({"w": GOOD}, bytes(7)), "is cut off: "),
        (safetensors({"w": GOOD}, bytes(9)), "goes on behind its last tensor"),
    ],
)
def test_safetensors_against_the_specification_are_refused(tmp_path: Path, raw: bytes, sentence: str) -> None:
    path = tmp_path / "bad.safetensors"
    path.write_bytes(raw)
    with pytest.raises(ConvertError) as caught:
        read_safetensors(path)
    assert str(caught.value).startswith("bad.safetensors: ")
    assert sentence in str(caught.value)


SEED = safetensors({"__metadata__": {"a": "b"}, "v": entry([2, 1], 0, 4, "BF16"), "w": entry([2], 4, 12)}, bytes(12))


@settings(max_examples=500, deadline=500)
@given(st.integers(0, len(SEED) - 1), st.integers(0, 3), st.binary(max_size=3))
def test_damaged_safetensors_are_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, at: int, cut: int, patch: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "mutated.safetensors"
    path.write_bytes(SEED[:at] + patch + SEED[at + cut :])
    try:
        found = read_safetensors(path)
    except ConvertError:
        return
    for ref in found:
        assert len(ref.load().tobytes()) == ref.nbytes
