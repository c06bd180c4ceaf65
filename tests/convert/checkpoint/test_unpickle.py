"""Pickles: what torch writes is read, and nothing else is; nothing that a file names is called."""

import struct
from pathlib import Path

import pytest

from convert.checkpoint import unpickle
from tests import torch_files as t
from tests.convert.checkpoint.bin_file import refusal
from tests.torch_files import Record


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


def test_newer_kinds_of_tensors_are_told_apart_from_modules(tmp_path: Path) -> None:
    raw = t.zipped(t.global_("torch._utils", "_rebuild_qtensor"))
    assert "a kind of tensor that is not read here" in refusal(tmp_path, raw)


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


def test_attributes_are_only_taken_from_state_dicts(tmp_path: Path) -> None:
    assert "sets attributes" in refusal(tmp_path, t.zipped(t.tensor() + t.dict_({"_metadata": b"N"}) + b"b"))
    assert "sets attributes" in refusal(tmp_path, t.zipped(t.ORDERED_DICT + t.dict_({"__class__": b"N"}) + b"b"))


def test_other_pickle_protocols_are_refused(tmp_path: Path) -> None:
    raw = t.zip_file([Record("m/data.pkl", b"\x80\x04N.")])
    assert refusal(tmp_path, raw) == "pickle protocol 4 is not the 2 that torch.save writes"
