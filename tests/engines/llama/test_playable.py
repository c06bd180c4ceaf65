"""What cannot be played is told by its header, before llama.cpp sees it; files here are harmless, and small."""

import os
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest

from advrepl import AdvreplError
from advrepl.engines import catalog, models
from advrepl.engines.base import LoadOptions
from advrepl.engines.files import fingerprint, parts, size_of
from advrepl.engines.llama.log import Log
from advrepl.engines.llama.model import LlamaModel
from advrepl.engines.llama.playable import problem
from tests import architectures
from tests.bench.caches import MODELS


def write(path: Path, arch: str, *, tensors: int = 1, **fields: Any) -> Path:
    writer = gguf.GGUFWriter(path, arch)
    for key, value in ({"tokenizer__ggml__tokens": ["a"]} | fields).items():
        add = {str: writer.add_string, bool: writer.add_bool, int: writer.add_uint32, list: writer.add_array}
        if value != []:
            add[type(value)](key.replace("__", "."), value)
    for number in range(tensors):
        writer.add_tensor(f"x{number}", np.zeros(32, np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


@pytest.mark.parametrize(
    ("arch", "fields", "words"),
    [
        ("bert", {}, "is an embedding model, which writes no text: choose another model"),
        ("qwen3", {"qwen3__pooling_type": 3}, "is an embedding model"),
        ("llama", {"llama__attention__causal": False}, "is an embedding model"),
        ("t5", {}, "is an encoder-decoder"),
        ("clip", {"general__type": "mmproj"}, "is a projector (mmproj)"),
        ("llama", {"general__type": "mmproj"}, "is a projector (mmproj)"),
        ("llama", {"general__type": "adapter", "adapter__type": "lora"}, "is an adapter (LoRA)"),
        ("llada", {}, "is a diffusion model"),
        ("flux", {"tokenizer__ggml__tokens": []}, "has no vocabulary, as models for pictures and sound have none"),
        ("controlvector", {}, "is a control vector"),
        ("llama", {"tensors": 0}, "holds a vocabulary and no weights"),
        ("llama", {"tokenizer__ggml__model": "llama", "tokenizer__ggml__token_type": [1, 1, 3]}, "without bytes"),
        ("llama", {"split__no": 1, "split__count": 3}, "is part 2 of 3 of a model: give part 1"),
        ("llama", {"split__count": 3}, "is part 1 of 3 of a model, under another name"),
        ("next-year", {}, "is of the architecture 'next-year', which this llama.cpp does not know"),
        ("gptj", {}, "is of the architecture 'gptj', which"),  # which gguf's writer has
    ],
)
def test_what_writes_no_story_is_refused_at_once(arch: str, fields: dict[str, Any], words: str, tmp_path: Path) -> None:
    path = write(tmp_path / "some.gguf", arch, **fields)
    assert problem(path).startswith("some.gguf ") and words in problem(path)
    with pytest.raises(AdvreplError, match=r"some\.gguf "):
        LlamaModel(path, LoadOptions(256, 1), Log(tmp_path / "log"))


def test_a_file_that_aria2_has_not_filled_yet_is_refused(tmp_path: Path) -> None:
    """It is as long as it will be from the beginning."""
    path = write(tmp_path / "some.gguf", "llama")
    assert not problem(path)
    (tmp_path / "some.gguf.aria2").touch()
    assert problem(path) == "some.gguf is still being fetched by aria2: let it end, or choose another"


@pytest.mark.parametrize("name", MODELS)
def test_a_model_is_no_problem(name: str, tmp_path: Path) -> None:
    assert problem(architectures.make(name, tmp_path, row=MODELS[name])) == ""


@pytest.mark.parametrize(
    ("name", "key", "value", "words"),
    [
        ("jamba", "attention.head_count_kv", 2, "gives all of the layers of jamba attention"),
        ("lfm2", "attention.head_count_kv", [2] * 4, "gives all of the layers of lfm2 attention"),
        ("granitehybrid", "attention.head_count_kv", [0] * 4, "gives none of the layers of granitehybrid attention"),
        ("qwen35moe", "full_attention_interval", 1, "gives all of the layers of qwen35moe attention"),
        ("qwen35moe", "full_attention_interval", 5, "gives none of the layers of qwen35moe attention"),
        ("qwen35moe", "attention.recurrent_layers", [True] * 4, "gives none of the layers of qwen35moe attention"),
    ],
)
def test_a_hybrid_has_layers_of_both_kinds(name: str, key: str, value: Any, words: str, tmp_path: Path) -> None:
    """Or llama.cpp ends the process at the first token."""
    header: dict[str, Any] = {key: value}
    assert words in problem(architectures.make(name, tmp_path, row=MODELS[name], **header))


def test_vocabularies_with_bytes_are_no_problem(tmp_path: Path) -> None:
    path = tmp_path / "some.gguf"
    vocabulary: dict[str, Any] = {"tokenizer__ggml__tokens": ["a", "<s>", *(f"<0x{byte:02X}>" for byte in range(256))]}
    vocabulary |= {"tokenizer__ggml__model": "llama", "tokenizer__ggml__token_type": [1, 3, *[6] * 256]}
    write(path, "llama", llama__pooling_type=0, **vocabulary)
    assert problem(path) == ""


@pytest.mark.parametrize(
    ("bytes", "words"), [(40, "is cut short or damaged"), (-200, "is cut short, 9"), (0, "is not a GGUF file")]
)
def test_half_a_download_is_told_as_that(bytes: int, words: str, tmp_path: Path) -> None:
    (tmp_path / "cut.gguf").write_bytes(architectures.make("llama", tmp_path).read_bytes()[:bytes])
    assert words in problem(tmp_path / "cut.gguf")


def test_a_split_model_is_one_and_whole(tmp_path: Path) -> None:
    first, second = (
        write(tmp_path / f"big-0000{no + 1}-of-00002.gguf", "llama", split__no=no, split__count=2) for no in (0, 1)
    )
    assert parts(first) == parts(second) == [first, second]
    assert problem(first) == "" and "give part 1, big-00001-of-00002.gguf" in problem(second)
    assert size_of(first) == first.stat().st_size + second.stat().st_size
    before = fingerprint(first)
    second.write_bytes(second.read_bytes()[:-1] + b"x")
    assert fingerprint(first) != before
    second.unlink()
    assert (
        problem(first)
        == "big-00001-of-00002.gguf is part 1 of 2 of a model, and big-00002-of-00002.gguf is not beside it"
    )


def test_the_list_of_models_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ADVREPL_HOME", str(tmp_path))
    (tmp_path / "models").mkdir()
    write(tmp_path / "models" / "embeds.gguf", "bert")
    assert "embedding model" in next(entry.problem for entry in catalog.entries() if entry.path.stem == "embeds")


def test_a_model_of_a_short_memory_is_refused(tmp_path: Path) -> None:
    path = architectures.make("llama", tmp_path, context_length=128)
    with pytest.raises(AdvreplError, match=r"llama\.gguf was trained on 128 tokens, too few for a story"):
        LlamaModel(path, LoadOptions(None, 1), Log(tmp_path / "log"))


def test_the_default_is_the_newest_that_can_be_played(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ADVREPL_HOME", str(tmp_path))
    monkeypatch.delenv("ADVREPL_MODEL", raising=False)
    folder = tmp_path / "models"
    folder.mkdir()
    playable = architectures.make("llama", folder)
    os.utime(playable, (1, 1))
    write(folder / "mmproj.gguf", "clip", general__type="mmproj")
    for bytes in (300, 3000):
        (folder / f"loading-{bytes}.gguf").write_bytes(playable.read_bytes()[:bytes])
    (folder / "empty.gguf").write_bytes(b"")
    write(folder / "short.gguf", "llama", llama__context_length=128)
    assert models.resolve(None) == models.default() == playable
