"""Model files: told apart, refused in one sentence, loaded quietly."""

from pathlib import Path
from typing import Any

import pytest

from advrepl import AdvreplError
from advrepl.engines.base import LoadOptions
from advrepl.engines.files import fingerprint
from advrepl.engines.llama.log import Log
from advrepl.engines.llama.model import LlamaModel
from advrepl.machine import physical_cores


def open_file(path: Path, tmp_path: Path, **options: Any) -> LlamaModel:
    return LlamaModel(path, LoadOptions(**options), Log(tmp_path / "log" / "llama.log"))


def test_a_file_that_is_no_gguf_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "x.gguf").write_bytes(b"PK\x03\x04 not a model")
    with pytest.raises(AdvreplError, match=r"x\.gguf is not a GGUF file: convert a model with `.*advrepl convert`"):
        open_file(tmp_path / "x.gguf", tmp_path)


def test_a_pointer_of_git_lfs_is_named(tmp_path: Path) -> None:
    (tmp_path / "x.gguf").write_bytes(b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n")
    with pytest.raises(AdvreplError, match=r"Git LFS left only a pointer for x\.gguf; run `git lfs pull` there"):
        open_file(tmp_path / "x.gguf", tmp_path)


@pytest.mark.parametrize("size", [4, 100, 1_000_000, 60_000_000])
def test_a_model_cut_short_is_one_sentence(smollm2: Path, tmp_path: Path, size: int) -> None:
    with smollm2.open("rb") as file:
        (tmp_path / "short.gguf").write_bytes(file.read(size))
    with pytest.raises(AdvreplError, match=r"short\.gguf (cannot be loaded, it may be|is) cut short"):
        open_file(tmp_path / "short.gguf", tmp_path)


def test_a_context_larger_than_trained_names_both(smollm2: Path, tmp_path: Path) -> None:
    with pytest.raises(AdvreplError, match="--ctx 9000 is more than the 8192 tokens"):
        open_file(smollm2, tmp_path, ctx=9000)


def test_a_model_larger_than_the_memory_names_both(tmp_path: Path) -> None:
    path = tmp_path / "huge.gguf"
    with path.open("wb") as file:
        file.write(b"GGUF")
        file.truncate(1 << 43)  # a hole: 8 TiB that take no disk
    with pytest.raises(AdvreplError, match=r"huge\.gguf takes 8192\.0 GB and this machine has [\d.]+ GB of memory"):
        open_file(path, tmp_path)


def test_llama_cpp_speaks_to_its_log_only(smollm2: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    open_file(smollm2, tmp_path, ctx=256).close()
    assert capfd.readouterr() == ("", "")
    assert "llama" in (tmp_path / "log" / "llama.log").read_text()


def test_the_fingerprint_tells_files_apart(smollm2: Path, tmp_path: Path) -> None:
    data = bytearray(smollm2.read_bytes())
    data[len(data) // 2] ^= 1
    (tmp_path / "other.gguf").write_bytes(data)
    assert fingerprint(smollm2) == fingerprint(smollm2)
    assert fingerprint(smollm2) != fingerprint(tmp_path / "other.gguf")


def test_threads_are_physical_cores_within_what_is_allowed() -> None:
    assert 1 <= physical_cores() <= 1024
