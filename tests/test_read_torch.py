import json
import os
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from convert import ConvertError, unpickle
from convert.read_torch import MAX_DIRECTORY, read_torch
from tests import torch_files as t
from tests.torch_files import Record

GOLDEN = Path(__file__).parent / "golden" / "torch"
EXPECTED = json.loads((GOLDEN / "expected.json").read_text())
GOOD = t.dict_({"w": t.tensor()})


def refusal(tmp_path: Path, raw: bytes) -> str:
    path = tmp_path / "bad.bin"
    path.write_bytes(raw)
    with pytest.raises(ConvertError) as caught:
        read_torch(path)
    sentence = str(caught.value)
    assert sentence.startswith("bad.bin: ")
    return sentence.removeprefix("bad.bin: ")


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


def test_zip64_entries_are_read(tmp_path: Path) -> None:
    records = [Record("m/data.pkl", t.pickle(GOOD), wide=True), Record("m/data/0", t.FLOATS, wide=True)]
    (tmp_path / "w.bin").write_bytes(t.zip_file(records))
    assert read_torch(tmp_path / "w.bin")[0].load()[1].tolist() == [4, 5, 6]


def test_a_storage_behind_four_gigabytes_is_found(tmp_path: Path) -> None:
    """A sparse file with the storage at 5 GB: offsets must not be cut to 32 bits."""
    far = 5 << 30
    head = t.zip_file([Record("m/data.pkl", t.pickle(GOOD))])
    length, start = struct.unpack("<II", head[-10:-2])
    tail = Record("m/data/0", t.FLOATS, wide=True)
    directory = head[start : start + length] + t._central(tail, far)
    local = t._local(tail, far, 64)
    end = far + len(local) + len(t.FLOATS)
    record = b"PK\x06\x06" + struct.pack("<QHHIIQQQQ", 44, 45, 45, 0, 0, 2, 2, len(directory), end)
    locator = b"PK\x06\x07" + struct.pack("<IQI", 0, end + len(directory), 1)
    with (tmp_path / "w.bin").open("wb") as file:
        file.write(head[:start])
        file.seek(far)
        file.write(local + t.FLOATS + directory + record + locator)
        file.write(b"PK\x05\x06" + struct.pack("<4HIIH", 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0))
    [ref] = read_torch(tmp_path / "w.bin")
    assert ref.offset > far
    assert ref.load().tolist() == [[1, 2, 3], [4, 5, 6]]


def test_a_pickle_that_would_run_a_command_is_refused_and_runs_nothing(tmp_path: Path) -> None:
    flag = tmp_path / "flag"
    call = t.global_("os", "system") + t.tuple_(t.string(f"touch {flag}")) + b"R"
    for raw in (t.zipped(call), t.zipped(t.dict_({"w": call})), t.legacy(call)):
        assert "'os.system', which no file of weights needs" in refusal(tmp_path, raw)
    assert not flag.exists()


@pytest.mark.parametrize("name", ["builtins eval", "builtins getattr", "numpy load", "pip main", "collections deque"])
def test_unknown_globals_are_refused(tmp_path: Path, name: str) -> None:
    assert "could run a command and is not read" in refusal(tmp_path, t.zipped(t.global_(*name.split())))


@pytest.mark.parametrize(
    ("opcode", "what"),
    [
        (b"\x93", "STACK_GLOBAL"),
        (b"ios\nsystem\n", "INST"),
        (b"o", "OBJ"),
        (b"\x81", "NEWOBJ"),
        (b"\x92", "NEWOBJ_EX"),
        (b"\x82\x01", "EXT1"),
        (b"\x83\x01\x00", "EXT2"),
        (b"\x84\x01\x00\x00\x00", "EXT4"),
        (b"P0\n", "PERSID"),
        (b"\x8e" + b"\xff" * 8, "BINBYTES8"),
    ],
)
def test_opcodes_that_make_objects_are_refused(tmp_path: Path, opcode: bytes, what: str) -> None:
    value = t.string("os") + t.string("system") + opcode
    assert refusal(tmp_path, t.zipped(value)) == f"pickle opcode 0x{opcode[0]:02x} has no place in a file of weights"


@pytest.mark.parametrize("target", [t.string("print"), t.global_("torch", "FloatStorage"), t.storage()])
def test_only_the_three_functions_can_be_called(tmp_path: Path, target: bytes) -> None:
    assert "no function of torch's" in refusal(tmp_path, t.zipped(target + b")R"))


def test_whole_modules_are_refused_with_the_way_out(tmp_path: Path) -> None:
    for layout in ("zip", "legacy"):
        with pytest.raises(ConvertError, match=r"whole model was pickled.*save_pretrained"):
            read_torch(GOLDEN / f"refused-module-{layout}.bin")
    old = t.tuple_(t.string("module"), t.string("Net"), t.string("net.py"), t.string("class Net")) + b"Q"
    assert "whole pickled model" in refusal(tmp_path, t.legacy(old))


def test_newer_kinds_of_tensors_are_told_apart_from_modules(tmp_path: Path) -> None:
    raw = t.zipped(t.global_("torch._utils", "_rebuild_qtensor"))
    assert "a kind of tensor that is not read here" in refusal(tmp_path, raw)


@pytest.mark.parametrize("extra", [b"\0", t.pickle(b"N"), t.pickle(t.global_("os", "system"))])
def test_bytes_behind_the_pickle_are_refused(tmp_path: Path, extra: bytes) -> None:
    raw = t.zip_file([Record("m/data.pkl", t.pickle(GOOD) + extra), Record("m/data/0", t.FLOATS)])
    assert f"goes on for {len(extra)} bytes behind its end" in refusal(tmp_path, raw)


def test_stack_memo_and_pickle_have_limits(tmp_path: Path) -> None:
    assert "stacks more than 20,000" in refusal(tmp_path, t.zipped(b"N" * (unpickle.MAX_STACK + 1)))
    memo = b"N" + b"".join(b"r" + struct.pack("<I", index) for index in range(unpickle.MAX_MEMO + 1))
    assert "remembers more than 500,000" in refusal(tmp_path, t.zipped(memo))
    assert "more than the 4,194,304 allowed" in refusal(tmp_path, t.zipped(t.string("x" * unpickle.MAX_PICKLE)))


def test_tuples_that_double_at_every_step_cost_nothing(tmp_path: Path) -> None:
    """Hashing or comparing this value would take 2^2000 steps."""
    bomb = b")" + b"".join(b"q\x00h\x00\x86" for _ in range(2000))
    assert "neither text nor a number" in refusal(tmp_path, t.zipped(b"}" + bomb + b"Ns"))
    assert "holds no dict" in refusal(tmp_path, t.zipped(bomb))


@pytest.mark.parametrize(
    "identity",
    [
        t.string("storage"),
        t.tuple_(t.string("storage"), t.global_("torch", "FloatStorage"), t.string("0"), t.string("cpu")),
        t.tuple_(t.string("store"), t.global_("torch", "FloatStorage"), t.string("0"), t.string("cpu"), t.number(6)),
        t.tuple_(t.string("storage"), t.string("FloatStorage"), t.string("0"), t.string("cpu"), t.number(6)),
        t.tuple_(t.string("storage"), t.global_("torch", "FloatStorage"), t.string("0"), t.string("cpu"), t.number(-6)),
        t.tuple_(t.string("storage"), t.global_("torch", "FloatStorage"), t.string("0"), t.string("cpu"), b"\x88"),
    ],
)
def test_persistent_ids_of_another_form_are_refused(tmp_path: Path, identity: bytes) -> None:
    assert "not named in torch's way" in refusal(tmp_path, t.zipped(identity + b"Q"))


def test_views_of_storages_are_refused(tmp_path: Path) -> None:
    items = [t.string("storage"), t.global_("torch", "FloatStorage"), t.string("0"), t.string("cpu"), t.number(6)]
    assert "before 0.4" in refusal(tmp_path, t.legacy(t.tuple_(*items, t.tuple_(t.string("1"))) + b"Q"))


@pytest.mark.parametrize("key", ["../0", "0/1", "..", "", "\\0", "٣", "9" * 21])
def test_storage_keys_that_are_paths_are_refused(tmp_path: Path, key: str) -> None:
    assert "is not a number" in refusal(tmp_path, t.zipped(t.dict_({"w": t.tensor(t.storage(key))})))


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


@pytest.mark.parametrize(
    ("offset", "shape", "strides"), [(-1, (1,), (1,)), (0, (-1,), (1,)), (0, (2,), (-1,)), (0, (-2, -3), (3, 1))]
)
def test_negative_numbers_are_refused(
    tmp_path: Path, offset: int, shape: tuple[int, ...], strides: tuple[int, ...]
) -> None:
    assert "negative" in refusal(tmp_path, t.zipped(t.dict_({"w": t.tensor(None, offset, shape, strides)})))


def test_sizes_and_strides_must_match(tmp_path: Path) -> None:
    raw = t.zipped(t.dict_({"w": t.tensor(None, 0, (2, 3), (1,))}))
    assert refusal(tmp_path, raw) == "a tensor has 2 sizes and 1 strides"
    deep = t.tensor(None, 0, (1,) * 33, (1,) * 33)
    assert refusal(tmp_path, t.zipped(t.dict_({"w": deep}))) == "a tensor has 33 sizes and 33 strides"


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


@pytest.mark.parametrize(
    ("opcodes", "sentence"),
    [
        (b"c" + b"x" * 300 + b"\nname\n", "longer than 255 characters"),
        (b"c\xff\nname\n", "not UTF-8"),
        (b"0x", "has no place"),
        (b"R", "takes a value that is not there"),
        (b"(R", "takes a value that is not there"),
        (b"h\x07", "recalls a value it never stored"),
        (b"NN", "leaves values behind"),
        (b"t", "ends a group that never began"),
        (b"Nu", "ends a group that never began"),
        (b"](NNu", "sets items on something that is no dict"),
        (b"}(Nu", "sets items on something that is no dict"),
        (b"]NNs", "sets items on something that is no dict"),
        (b"}Na", "appends to something that is no list"),
        (b"}(Ne", "appends to something that is no list"),
        (b"ccollections\nOrderedDict\n(NtR", "made from arguments"),
        (b"ctorch._utils\n_rebuild_parameter\n(NNNtR", "a parameter is not described"),
        (b"ctorch._utils\n_rebuild_tensor_v2\n(NNNtR", "a tensor is not described"),
        (b"ctorch._utils\n_rebuild_tensor_v2\n(NNNNNNtR", "no storage or a negative offset"),
    ],
)
def test_malformed_pickles_are_refused(tmp_path: Path, opcodes: bytes, sentence: str) -> None:
    assert sentence in refusal(tmp_path, t.zipped(opcodes))


def test_control_characters_never_reach_the_sentence(tmp_path: Path) -> None:
    raw = t.zipped(t.dict_({"\x1b[31mred" + "x" * 500: b"N"}))
    sentence = refusal(tmp_path, raw)
    assert "\x1b" not in sentence
    assert len(sentence) < 200


def test_attributes_are_only_taken_from_state_dicts(tmp_path: Path) -> None:
    assert "sets attributes" in refusal(tmp_path, t.zipped(t.tensor() + t.dict_({"_metadata": b"N"}) + b"b"))
    assert "sets attributes" in refusal(tmp_path, t.zipped(t.ORDERED_DICT + t.dict_({"__class__": b"N"}) + b"b"))


def test_other_pickle_protocols_are_refused(tmp_path: Path) -> None:
    raw = t.zip_file([Record("m/data.pkl", b"\x80\x04N.")])
    assert refusal(tmp_path, raw) == "pickle protocol 4 is not the 2 that torch.save writes"


@pytest.mark.parametrize(
    ("record", "sentence"),
    [
        (Record("m/data/0", t.FLOATS), "holds 'm/data/0' twice"),
        (Record("n/data.pkl", b""), "holds 2 files named data.pkl"),
        (Record("m/version", b"3\n", local_name="m/verzion"), "disagree on a name"),
        (Record("m/version", b"3\n", flags=1), "'m/version' is encrypted"),
        (Record("m/version", b"3\n", method=8), "'m/version' is compressed"),
        (Record("m/version", b"3\n", size=1 << 20), "reaches out of the zip archive"),
        (Record("m/version", b"3\n", local_offset=1 << 31), "is cut off"),
        (Record("m/version", b"3\n", local_offset=1 << 63, wide=True), "is cut off"),
        (Record("m/version", b"3\n", local_offset=0), "disagree on a name"),
        (Record("m/../../etc/x", b"3\n"), "a path that leads elsewhere"),
        (Record("/etc/x", b"3\n"), "a path that leads elsewhere"),
    ],
)
def test_tricks_of_zip_archives_are_refused(tmp_path: Path, record: Record, sentence: str) -> None:
    assert sentence in refusal(tmp_path, t.zipped(GOOD, record))


def test_overlapping_entries_are_refused(tmp_path: Path) -> None:
    # The second entry's header and data lie inside the first one's data.
    inner = t._local(Record("m/data/0", t.FLOATS), 0, 1) + t.FLOATS
    outer = Record("m/x", inner)
    at = len(t._local(outer, 0, 64))
    records = [outer, Record("m/data/0", t.FLOATS, local_offset=at), Record("m/data.pkl", t.pickle(GOOD))]
    assert "'m/data/0' overlaps the file before it" in refusal(tmp_path, t.zip_file(records))


def test_local_and_central_flags_must_agree(tmp_path: Path) -> None:
    raw = bytearray(t.zipped(GOOD))
    raw[6] = 1  # encrypted, says the first local header alone
    assert "disagree on how a file is stored" in refusal(tmp_path, bytes(raw))


@pytest.mark.parametrize("layout", ["zip", "legacy"])
def test_bytes_behind_the_end_are_refused(tmp_path: Path, layout: str) -> None:
    raw = t.zipped(GOOD) if layout == "zip" else t.legacy(t.legacy_state())
    assert "behind its" in refusal(tmp_path, raw + b"more")


@pytest.mark.parametrize("file", ["views-zip.bin", "views-legacy.bin"])
def test_a_file_cut_anywhere_is_refused(tmp_path: Path, file: str) -> None:
    whole = (GOLDEN / file).read_bytes()
    for length in range(0, len(whole), 13):
        assert refusal(tmp_path, whole[:length])


def test_bytes_between_directory_and_end_are_refused(tmp_path: Path) -> None:
    raw = t.zipped(GOOD)
    assert "not where the archive says" in refusal(tmp_path, raw[:-22] + b"hidden" + raw[-22:])


def patched(raw: bytes, at: int, patch: bytes) -> bytes:
    at %= len(raw)
    return raw[:at] + patch + raw[at + len(patch) :]


@pytest.mark.parametrize(
    ("at", "patch", "sentence"),
    [
        (-2, b"\x01\0", "comment or several parts"),
        (-18, b"\x01\0", "comment or several parts"),
        (-14, b"\x01\0", "comment or several parts"),
        (-14, b"\x01\0\x01\0", "bytes left over"),
        (-14, b"\x03\0\x03\0", "directory is damaged"),
        (-14, b"\xff\xff\xff\xff", "lacks its zip64 record"),
    ],
)
def test_a_damaged_end_of_the_archive_is_refused(tmp_path: Path, at: int, patch: bytes, sentence: str) -> None:
    assert sentence in refusal(tmp_path, patched(t.zipped(GOOD), at, patch))


@pytest.mark.parametrize(
    ("at", "patch", "sentence"),
    [
        (-42, b"XX", "lacks its zip64 record"),
        (-34, b"\xff" * 8, "zip64 record lies outside"),
        (-34, b"\0" * 8, "lacks its zip64 record"),
    ],
)
def test_a_damaged_zip64_end_is_refused(tmp_path: Path, at: int, patch: bytes, sentence: str) -> None:
    assert sentence in refusal(tmp_path, patched(t.zip_end64(t.zipped(GOOD)), at, patch))


def test_a_damaged_directory_is_refused(tmp_path: Path) -> None:
    raw = t.zipped(GOOD)
    last = raw.rindex(b"PK\x01\x02")
    assert "directory is damaged" in refusal(tmp_path, patched(raw, last, b"XX"))
    # The last entry's comment would reach out of the directory.
    assert "directory is damaged" in refusal(tmp_path, patched(raw, last + 32, b"\x05"))


def test_another_legacy_protocol_is_refused(tmp_path: Path) -> None:
    raw = t.legacy(t.legacy_state()).replace(t.PROTOCOL, t.pickle(t.number(1002)))
    assert "torch format that is not known" in refusal(tmp_path, raw)


def test_a_zip_directory_over_the_limit_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "bad.bin"
    length = MAX_DIRECTORY + 1
    with path.open("wb") as file:
        file.write(b"PK\x03\x04")
        file.seek(length)
        file.write(b"PK\x05\x06" + struct.pack("<4HIIH", 0, 0, 1, 1, length, 0, 0))
    with pytest.raises(ConvertError, match="more than the 4,194,304 allowed"):
        read_torch(path)


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
    tmp_path_factory: pytest.TempPathFactory, seed: bytes, changes: list
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
