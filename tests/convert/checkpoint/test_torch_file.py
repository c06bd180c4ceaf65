"""PyTorch files: the values torch had, or a sentence."""

import json
import os
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from convert import ConvertError
from convert.checkpoint.torch_file import read_torch
from tests import torch_files as t
from tests.convert.checkpoint.bin_file import GOOD, refusal
from tests.torch_files import Record

GOLDEN = Path(__file__).parents[2] / "golden" / "torch"
EXPECTED = json.loads((GOLDEN / "expected.json").read_text())


@pytest.mark.parametrize("file", EXPECTED)
def test_files_of_torch_give_the_values_torch_had(file: str) -> None:
    found = read_torch(GOLDEN / file)
    assert {ref.name: [ref.dtype, list(ref.shape), ref.load().flatten().tolist()] for ref in found} == EXPECTED[file]


def test_bfloat16_comes_as_its_bits() -> None:
    array = next(ref for ref in read_torch(GOLDEN / "bf16-zip.bin") if ref.name == "scalar").load()
    assert array.dtype == np.uint16
    assert array.item() == 0xBFC0  # -1.5


def test_arrays_are_read_only_views_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "w.bin"
    path.write_bytes(t.zipped(GOOD))
    array = read_torch(path)[0].load()
    with pytest.raises(ValueError, match="read-only"):
        array[0] = 1
    # Not a copy: what is written into the file shows.
    at = path.read_bytes().index(t.FLOATS)
    with path.open("r+b") as file:
        file.seek(at)
        file.write(struct.pack("<f", 9.0))
    assert array[0, 0] == 9.0


def test_crafted_zip_and_legacy_files_are_read(tmp_path: Path) -> None:
    for raw in (t.zipped(GOOD), t.zip_end64(t.zipped(GOOD)), t.legacy(t.legacy_state())):
        (tmp_path / "w.bin").write_bytes(raw)
        [ref] = read_torch(tmp_path / "w.bin")
        assert ref.load().tolist() == [[1, 2, 3], [4, 5, 6]]


def test_whole_modules_are_refused_with_the_way_out(tmp_path: Path) -> None:
    for layout in ("zip", "legacy"):
        with pytest.raises(ConvertError, match=r"whole model was pickled.*save_pretrained"):
            read_torch(GOLDEN / f"refused-module-{layout}.bin")
    old = t.tuple_(t.string("module"), t.string("Net"), t.string("net.py"), t.string("class Net")) + b"Q"
    assert "whole pickled model" in refusal(tmp_path, t.legacy(old))


@pytest.mark.parametrize("extra", [b"\0", t.pickle(b"N"), t.pickle(t.global_("os", "system"))])
def test_bytes_behind_the_pickle_are_refused(tmp_path: Path, extra: bytes) -> None:
    raw = t.zip_file([Record("m/data.pkl", t.pickle(GOOD) + extra), Record("m/data/0", t.FLOATS)])
    assert f"goes on for {len(extra)} bytes behind its end" in refusal(tmp_path, raw)


def test_a_missing_storage_is_named(tmp_path: Path) -> None:
    raw = t.zipped(t.dict_({"w": t.tensor(t.storage("7"))}))
    assert refusal(tmp_path, raw) == "the storage data/7 is missing"


def test_a_storage_described_in_two_ways_is_refused(tmp_path: Path) -> None:
    halves = t.tensor(t.storage(numel=12, kind="HalfStorage"))
    assert "described in two ways" in refusal(tmp_path, t.zipped(t.dict_({"a": t.tensor(), "b": halves})))


def test_a_storage_of_another_size_is_refused(tmp_path: Path) -> None:
    assert refusal(tmp_path, t.zipped(GOOD, data=t.FLOATS[:-4])) == "the storage data/0 has 20 bytes instead of 24"
    assert "28 bytes instead of 24" in refusal(tmp_path, t.zipped(GOOD, data=t.FLOATS + b"1234"))


@pytest.mark.parametrize(
    ("offset", "shape", "strides"),
    [(1, (2, 3), (3, 1)), (0, (2, 3), (4, 1)), (6, (1,), (1,)), (7, (), ()), (0, (7,), (1,)), (0, (2,), (1 << 62,))],
)
def test_views_beyond_their_storage_are_refused(
    tmp_path: Path, offset: int, shape: tuple[int, ...], strides: tuple[int, ...]
) -> None:
    raw = t.zipped(t.dict_({"w": t.tensor(None, offset, shape, strides)}))
    assert "tensor 'w' reaches to element" in refusal(tmp_path, raw)


def test_huge_element_counts_are_refused(tmp_path: Path) -> None:
    # With strides of 0 it would lie within its storage, and overflow 64 bits.
    raw = t.zipped(t.dict_({"w": t.tensor(None, 0, (1 << 33, 1 << 33), (0, 0))}))
    assert "claims more than 1,099,511,627,776 elements" in refusal(tmp_path, raw)


def test_big_endian_files_are_refused(tmp_path: Path) -> None:
    assert "big-endian" in refusal(tmp_path, t.zipped(GOOD, Record("m/byteorder", b"big")))
    assert "big-endian" in refusal(tmp_path, t.legacy(t.legacy_state(), little=False))


def test_tensor_names_must_be_text_and_unique(tmp_path: Path) -> None:
    assert "named by the number '5'" in refusal(tmp_path, t.zipped(b"}(" + t.number(5) + t.tensor() + b"u"))
    twice = b"}(" + (t.string("w") + t.tensor()) * 2 + b"u"
    assert refusal(tmp_path, t.zipped(twice)) == "the name 'w' occurs twice"


def test_entries_that_are_no_tensors_are_refused(tmp_path: Path) -> None:
    nested = t.dict_({"state_dict": GOOD, "epoch": t.number(3)})
    assert "'state_dict' is no tensor" in refusal(tmp_path, t.zipped(nested))
    assert refusal(tmp_path, t.zipped(t.tensor())) == "holds no dict of tensors"


def test_control_characters_never_reach_the_sentence(tmp_path: Path) -> None:
    raw = t.zipped(t.dict_({"\x1b[31mred" + "x" * 500: b"N"}))
    sentence = refusal(tmp_path, raw)
    assert "\x1b" not in sentence
    assert len(sentence) < 200


@pytest.mark.parametrize("layout", ["zip", "legacy"])
def test_bytes_behind_the_end_are_refused(tmp_path: Path, layout: str) -> None:
    raw = t.zipped(GOOD) if layout == "zip" else t.legacy(t.legacy_state())
    assert "behind its" in refusal(tmp_path, raw + b"more")


@pytest.mark.parametrize("file", ["views-zip.bin", "views-legacy.bin"])
def test_a_file_cut_anywhere_is_refused(tmp_path: Path, file: str) -> None:
    whole = (GOLDEN / file).read_bytes()
    for length in range(0, len(whole), 13):
        assert refusal(tmp_path, whole[:length])


def test_another_legacy_protocol_is_refused(tmp_path: Path) -> None:
    raw = t.legacy(t.legacy_state()).replace(t.PROTOCOL, t.pickle(t.number(1002)))
    assert "torch format that is not known" in refusal(tmp_path, raw)


def test_legacy_counts_must_agree(tmp_path: Path) -> None:
    state = t.legacy_state()
    assert refusal(tmp_path, t.legacy(state, count=5)) == "storage 0 has 5 elements instead of 6"
    assert "the list of storages" in refusal(tmp_path, t.legacy(state, names=("0", "1")))
    assert "the list of storages" in refusal(tmp_path, t.legacy(state, names=()))
    assert "the list of storages" in refusal(tmp_path, t.legacy(state, names=("0", "0")))


@pytest.mark.parametrize(
    ("raw", "sentence"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n", "git lfs pull"),
        (b"\0" * 257 + b"ustar\x0000" + b"\0" * 300, "tar archive"),
        (t.pickle(t.global_("os", "system")), "bare pickle"),
        (b"\0" * 4096, "zeros only"),
        (b"", "is empty"),
        (b"GGUF\x03\0\0\0", "no PyTorch file"),
    ],
)
def test_other_files_are_told_by_their_start(tmp_path: Path, raw: bytes, sentence: str) -> None:
    assert sentence in refusal(tmp_path, raw)


def test_a_missing_file_is_an_error_of_ours(tmp_path: Path) -> None:
    with pytest.raises(ConvertError, match="cannot be read: No such file"):
        read_torch(tmp_path / "none.bin")


def test_a_file_that_shrank_since_is_an_error_of_ours(tmp_path: Path) -> None:
    path = tmp_path / "w.bin"
    path.write_bytes(t.zipped(GOOD))
    [ref] = read_torch(path)
    os.truncate(path, 10)
    with pytest.raises(ConvertError, match="'w' cannot be mapped"):
        ref.load()


SEEDS = [(GOLDEN / f"{name}-{layout}.bin").read_bytes() for name in ("views", "module") for layout in ("zip", "legacy")]
CHANGES = st.lists(
    st.tuples(
        st.sampled_from(["set", "insert", "delete", "copy"]),
        st.integers(0, 4000),
        st.integers(0, 4000),
        st.sampled_from([b"\0", b"\xff", b"\xff" * 4, b"R", b"(", b".", b"q\x01", b"PK\x01\x02"])
        | st.binary(max_size=6),
    ),
    min_size=1,
    max_size=6,
)


def mutate(raw: bytes, changes: list[tuple[str, int, int, bytes]]) -> bytes:
    for kind, first, second, patch in changes:
        at, other = first % (len(raw) + 1), second % (len(raw) + 1)
        if kind == "set":
            raw = raw[:at] + patch + raw[at + len(patch) :]
        elif kind == "insert":
            raw = raw[:at] + patch + raw[at:]
        elif kind == "delete":
            raw = raw[:at] + raw[at + second % 40 :]
        else:
            raw = raw[:at] + raw[other : other + 60] + raw[at:]
    return raw


@settings(max_examples=1500, deadline=1000)
@given(st.sampled_from(SEEDS), CHANGES)
def test_damaged_files_are_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, seed: bytes, changes: list[tuple[str, int, int, bytes]]
) -> None:
    """Whatever was changed: tensors that can be touched to the last element, or a ConvertError."""
    path = tmp_path_factory.getbasetemp() / "mutated.bin"
    path.write_bytes(mutate(seed, changes))
    try:
        found = read_torch(path)
    except ConvertError:
        return
    for ref in found:
        array = ref.load()
        assert array.shape == ref.shape
        if array.size:
            array[(-1,) * array.ndim].tobytes()
