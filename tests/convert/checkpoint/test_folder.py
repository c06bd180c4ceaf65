"""Which files of a folder are its checkpoint."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import psutil
import pytest
from safetensors.numpy import save_file

from convert import ConvertError
from convert.checkpoint.folder import open_checkpoint
from tests import torch_files as t
from tests.convert.checkpoint.safetensors_file import entry, safetensors

POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 12345\n"


def torch_file(**tensors: bytes) -> bytes:
    return t.zipped(t.dict_(tensors or {"w": t.tensor()}))


def write_index(folder: Path, name: str, weight_map: Any) -> None:
    (folder / name).write_text(json.dumps({"metadata": {"total_size": 1}, "weight_map": weight_map}))


def refusal(folder: Path) -> str:
    with pytest.raises(ConvertError) as caught:
        open_checkpoint(folder)
    return str(caught.value)


def test_what_the_safetensors_package_writes_is_read(tmp_path: Path) -> None:
    arrays: dict[str, npt.NDArray[Any]] = {
        "a": np.arange(12, dtype=np.float32).reshape(3, 4),
        "b": np.array(7, dtype=np.int64),
        "c": np.arange(6, dtype=np.float16).reshape(1, 2, 3),
        "d": np.array([True, False]),
        "e": np.zeros((0, 4), dtype=np.uint8),
    }
    save_file(arrays, tmp_path / "model.safetensors", metadata={"format": "pt"})
    found = open_checkpoint(tmp_path)
    assert {name: ref.dtype for name, ref in found.items()} == {
        "a": "F32",
        "b": "I64",
        "c": "F16",
        "d": "BOOL",
        "e": "U8",
    }
    for name, array in arrays.items():
        assert found[name].shape == array.shape
        np.testing.assert_array_equal(found[name].load(), array)


def test_shards_of_both_kinds_are_put_together(tmp_path: Path) -> None:
    for number, name in enumerate("ab", 1):
        (tmp_path / f"pytorch_model-{number:05}-of-00002.bin").write_bytes(torch_file(**{name: t.tensor()}))
    shards = {name: f"pytorch_model-{number:05}-of-00002.bin" for number, name in enumerate("ab", 1)}
    write_index(tmp_path, "pytorch_model.bin.index.json", shards)
    assert {name: ref.file.name for name, ref in open_checkpoint(tmp_path).items()} == shards
    for name in "ab":
        save_file({name: np.zeros(2, np.float32)}, tmp_path / f"{name}.safetensors")
    write_index(tmp_path, "model.safetensors.index.json", {name: f"{name}.safetensors" for name in "ab"})
    assert {ref.file.suffix for ref in open_checkpoint(tmp_path).values()} == {".safetensors"}


def test_a_bin_is_taken_where_safetensors_are_not_complete(tmp_path: Path) -> None:
    (tmp_path / "pytorch_model.bin").write_bytes(torch_file())
    (tmp_path / "model.safetensors").write_bytes(POINTER)
    assert open_checkpoint(tmp_path)["w"].file.name == "pytorch_model.bin"
    (tmp_path / "model.safetensors").unlink()
    write_index(tmp_path, "model.safetensors.index.json", {"w": "model-00001-of-00002.safetensors"})
    assert open_checkpoint(tmp_path)["w"].file.name == "pytorch_model.bin"


def test_a_damaged_safetensors_is_not_passed_over_in_silence(tmp_path: Path) -> None:
    (tmp_path / "pytorch_model.bin").write_bytes(torch_file())
    (tmp_path / "model.safetensors").write_bytes(safetensors({"w": entry([2], 0, 8)}, b"1234"))
    assert "model.safetensors: is cut off" in refusal(tmp_path)


@pytest.mark.parametrize("name", ["model.safetensors", "pytorch_model.bin", "pytorch_model.bin.index.json"])
def test_git_lfs_pointers_say_how_to_fetch_the_file(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(POINTER)
    assert f"only a pointer for {name}; run `git lfs pull`" in refusal(tmp_path)


def test_a_missing_shard_is_named(tmp_path: Path) -> None:
    (tmp_path / "one.bin").write_bytes(torch_file())
    write_index(tmp_path, "pytorch_model.bin.index.json", {"w": "one.bin", "v": "two.bin"})
    assert "two.bin missing" in refusal(tmp_path)


def test_tensors_that_are_not_where_the_index_says_are_named(tmp_path: Path) -> None:
    (tmp_path / "one.bin").write_bytes(torch_file(a=t.tensor()))
    (tmp_path / "two.bin").write_bytes(torch_file(b=t.tensor()))
    write_index(tmp_path, "pytorch_model.bin.index.json", {"a": "one.bin", "b": "one.bin", "c": "two.bin"})
    assert "not where it says: 'b' (one.bin), 'c' (two.bin)" in refusal(tmp_path)


def test_a_tensor_in_two_shards_is_named(tmp_path: Path) -> None:
    for name in ("one.bin", "two.bin"):
        (tmp_path / name).write_bytes(torch_file())
    write_index(tmp_path, "pytorch_model.bin.index.json", {"w": "one.bin", "v": "two.bin"})
    assert refusal(tmp_path) == "two.bin: tensor 'w' is also in one.bin"


@pytest.mark.parametrize(
    "name", ["../one.bin", "sub/one.bin", "/etc/passwd", "..", "", "a\\one.bin", "c:one.bin", 5, None]
)
def test_shard_names_that_leave_the_folder_are_refused(tmp_path: Path, name: Any) -> None:
    (tmp_path / "one.bin").write_bytes(torch_file())
    write_index(tmp_path, "pytorch_model.bin.index.json", {"w": name})
    assert "not in its own folder" in refusal(tmp_path)


@pytest.mark.parametrize(
    ("index", "sentence"),
    [
        (b'{"weight_map": {"w": "a.bin", "w": "b.bin"}}', "holds the name 'w' twice; fetch it again"),
        (b'{"weight_map": {}}', "has no weight_map"),
        (b'{"weight_map": ["a.bin"]}', "has no weight_map"),
        (b"[]", "has no weight_map"),
        (b"\xff\xfe", "is not readable as JSON"),
        (b"[" * 100_000, "is not readable as JSON"),
    ],
)
def test_a_bad_index_is_refused(tmp_path: Path, index: bytes, sentence: str) -> None:
    (tmp_path / "pytorch_model.bin.index.json").write_bytes(index)
    assert f"pytorch_model.bin.index.json: {sentence}" in refusal(tmp_path)


def test_an_index_of_absurd_size_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "pytorch_model.bin.index.json").open("wb") as file:
        file.truncate(1 << 40)  # sparse
    assert "has 1,099,511,627,776 bytes, more than the 67,108,864 allowed" in refusal(tmp_path)


def test_folders_without_weights_say_what_was_looked_for(tmp_path: Path) -> None:
    assert "holds no weights; looked for model.safetensors, pytorch_model.bin" in refusal(tmp_path)
    (tmp_path / "pytorch_model-00001-of-00002.bin").write_bytes(torch_file())
    assert "but no pytorch_model.bin.index.json" in refusal(tmp_path)
    assert "no such folder" in refusal(tmp_path / "none")


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("stem", ["model", "pytorch_model"])
def test_shards_without_an_index_are_read_where_none_is_missing(tmp_path: Path, stem: str, count: int) -> None:
    for number in range(count):
        name = f"w{number}"
        whole = (
            safetensors({name: entry([1], 0, 4)}) + bytes(4) if stem == "model" else torch_file(**{name: t.tensor()})
        )
        ending = "safetensors" if stem == "model" else "bin"
        (tmp_path / f"{stem}-{number + 1:05d}-of-{count:05d}.{ending}").write_bytes(whole)
    assert sorted(open_checkpoint(tmp_path)) == [f"w{n}" for n in range(count)]


def test_memory_grows_with_one_tensor_only(tmp_path: Path) -> None:
    """Eight tensors of 16 MiB, each read to its end: only one may be resident at a time."""
    size = 4 << 20
    with (tmp_path / "model.safetensors").open("wb") as file:
        header = {f"w{n}": entry([size], n * size * 4, (n + 1) * size * 4) for n in range(8)}
        file.write(safetensors(header))
        file.truncate(file.tell() + 8 * size * 4)
    tensors = open_checkpoint(tmp_path)
    process = psutil.Process()
    before = process.memory_info().rss
    most = 0
    for ref in tensors.values():
        array = ref.load()
        assert not array.any()
        most = max(most, process.memory_info().rss - before)
        del array
    assert 12 << 20 < most < 28 << 20
    assert process.memory_info().rss - before < 8 << 20
