"""What a folder says of itself."""

import hashlib
import threading
from concurrent.futures import CancelledError
from pathlib import Path

import pytest

from convert import metadata
from convert.vocab.table import STRIPS_RIGHT
from tests import tiny

README = (
    "---\nlicense: other\nlicense_name: 'llama2'\nlanguage:\n- en\n- \"de\"\ntags: rpg\nthumbnail: null\n---\n"
    "text\n# A Model 7B \nsee https://huggingface.co/someone/base-7b and https://huggingface.co/me/a-model-7b.\n"
)


def test_a_readme_is_read_line_by_line() -> None:
    assert metadata.header(README) == {
        "license": "other", "license_name": "llama2", "language": ["en", "de"], "tags": "rpg", "thumbnail": "null",
    }  # fmt: skip
    assert metadata.header("no header\n---\na: b\n---\n") == {}
    assert metadata.title(README) == "A Model 7B"
    assert (metadata.title('<h1 align="center">B</h1>'), metadata.title("text")) == ("B", None)


def test_the_header_of_the_file_says_what_the_readme_does(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text(README)
    assert metadata.describe(tmp_path, 6_738_415_616) == {
        "general.type": "model", "general.name": "A Model 7B", "general.size_label": "6.7B",
        "general.quantization_version": 2, "general.license": "other", "general.license.name": "llama2",
        "general.source.url": "https://huggingface.co/me/a-model-7b", "general.languages": ["en", "de"],
        "general.tags": ["rpg"],
    }  # fmt: skip


def test_what_other_programs_look_for_is_written(tmp_path: Path) -> None:
    folder = tmp_path / "Pygmalion-2-13b-SuperCOT"
    folder.mkdir()
    head = "---\nlanguage: [en, 'de']\ntags: []\nbase_model:\n- meta-llama/Llama-2-13b-hf\n- me/x\n- ../y\n---\n"
    (folder / "README.md").write_text(head)
    fields = metadata.describe(folder, 13_015_864_320)
    named = ("basename", "finetune", "size_label", "languages", "base_model.count", "base_model.0.name")
    assert [fields[f"general.{name}"] for name in named] == [
        "Pygmalion-2", "SuperCOT", "13B", ["en", "de"], 2, "Llama 2 13b Hf",
    ]  # fmt: skip
    assert fields["general.base_model.0.organization"] == "Meta Llama" and "general.tags" not in fields
    assert fields["general.base_model.1.repo_url"] == "https://huggingface.co/me/x"


def test_a_model_has_the_names_of_its_folder_its_config_and_its_readme(tmp_path: Path) -> None:
    folder = tmp_path / "merged"
    folder.mkdir()
    assert metadata.names_of(folder) == ["merged", "merged"]
    (folder / "README.md").write_text(README)
    for saved, name in (("me/a-model", "a-model"), ("/home/me/checkpoint-5", "merged"), (7, "merged")):
        tiny.write_json(folder / "config.json", {"_name_or_path": saved})
        assert metadata.names_of(folder) == ["merged", name, "A Model 7B"]


def test_files_are_summed_until_told_to_stop(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_bytes(b"{}")
    (tmp_path / "w.bin").write_bytes(b"x" * (3 << 20))
    files = metadata.source_files(tmp_path, [tmp_path / "w.bin"])
    assert [file.name for file in files] == ["w.bin", "config.json"]
    stop = threading.Event()
    sums = metadata.sums(files, stop)
    assert sums == [hashlib.sha256(file.read_bytes()).hexdigest() for file in files]
    assert list(map(len, metadata.placeholders(files))) == list(map(len, sums))
    stop.set()
    with pytest.raises(CancelledError):
        metadata.sums(files, stop)


def test_the_name_makes_llama_cpp_read_no_marks_otherwise() -> None:
    marks = ["<unk>", "<s>", "</s>", "<|endoftext|>"]
    for name, told in (("My Phi-3 merge", "My Phi 3 merge"), ("phi3-mini", "phi 3-mini"), ("Phi-2", "Phi-2")):
        assert metadata.told_name(name, {"tokenizer.ggml.tokens": marks}) == told
    theirs = {"tokenizer.ggml.tokens": marks, STRIPS_RIGHT: "4"}
    assert metadata.told_name("Phi-3-mini", theirs) == "Phi-3-mini"
    assert metadata.told_name("Phi-3-mini", theirs | {"tokenizer.ggml.tokens": marks[:3]}) == "Phi 3-mini"
