"""Hugging Face folders as models: what can be said of them without torch, which `make test` does without."""

import json
import sys
from pathlib import Path

import pytest

from advrepl import AdvreplError
from advrepl.engines import catalog
from advrepl.engines.files import check_file
from advrepl.engines.hf import folder as hf_folder
from advrepl.play import session
from advrepl.play.session import Settings
from tests import real, tiny

NEO = {"architectures": ["GPTNeoForCausalLM"], "model_type": "gpt_neo", "max_position_embeddings": 2048}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tiny.make("llama", tmp_path / "pygmalion-mini")


@pytest.fixture
def neo(folder: Path) -> Path:
    """Neither its numbers nor its names are GPT-Neo's, but who looks at them needs torch."""
    tiny.write_json(folder / "config.json", NEO)
    return folder


@pytest.fixture
def _no_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)  # as if it were not installed


def test_a_folder_is_known_by_its_headers(folder: Path) -> None:
    found = hf_folder.open_folder(folder)
    assert found.name == "pygmalion-mini" and found.safetensors
    _, tensors = tiny.llama()
    assert found.parameters == sum(values.size for values in tensors.values())
    assert hf_folder.converts(folder) and hf_folder.is_model(folder)


def test_bin_files_are_known_too(folder: Path) -> None:
    _, tensors = tiny.llama()
    (folder / "model.safetensors").unlink()
    real.write_bin_shards(folder, tensors, 2)
    found = hf_folder.open_folder(folder)
    assert [file.name for file in found.files] == [f"pytorch_model-0000{n}-of-00002.bin" for n in (1, 2)]
    assert found.parameters == sum(values.size for values in tensors.values()) and not found.safetensors


def test_the_fingerprint_tells_weights_apart(folder: Path, tmp_path: Path) -> None:
    before = hf_folder.open_folder(folder).fingerprint
    assert before == hf_folder.open_folder(folder).fingerprint
    other = hf_folder.open_folder(tiny.write_folder(tmp_path / "other", *tiny.llama(seed=1)))
    assert before != other.fingerprint
    config = json.loads((folder / "config.json").read_text()) | {"rms_norm_eps": 1e-3}
    tiny.write_json(folder / "config.json", config)
    assert before != hf_folder.open_folder(folder).fingerprint


def test_what_takes_a_gguf_file_says_so(folder: Path) -> None:
    with pytest.raises(AdvreplError, match=r"is a folder: this takes a GGUF file, which `.*advrepl convert"):
        check_file(folder)


def cut(folder: Path) -> None:
    file = folder / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-100])


def forget_a_shard(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    real.write_bin_shards(folder, tiny.llama()[1], 2)
    (folder / "pytorch_model-00002-of-00002.bin").unlink()


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (lambda folder: (folder / "model.safetensors").unlink(), "holds no weights; looked for model.safetensors"),
        (cut, r"model\.safetensors: is cut off"),
        (forget_a_shard, r"pytorch_model-00002-of-00002\.bin missing; download the whole folder"),
        (lambda folder: (folder / "config.json").write_bytes(b"\x93\x01"), r"config\.json: is not readable as JSON"),
    ],
)
def test_what_is_missing_or_damaged_is_one_sentence(folder: Path, harm: object, message: str) -> None:
    harm(folder)  # type: ignore[operator]
    with pytest.raises(AdvreplError, match=message) as caught:
        hf_folder.open_folder(folder)
    assert "\n" not in str(caught.value)


@pytest.mark.usefixtures("_no_torch")
def test_without_torch_a_folder_that_converts_is_pointed_to_convert(folder: Path) -> None:
    with pytest.raises(
        AdvreplError, match=r"make a GGUF file of it with `.*advrepl convert .* install 'advrepl\[hf\]'"
    ):
        hf_folder.require(folder)


@pytest.mark.usefixtures("_no_torch")
def test_without_torch_playing_gpt_neo_names_the_command_to_install_it(neo: Path, tmp_path: Path) -> None:
    settings = Settings(model=str(neo), saves=tmp_path / "saves")
    for _ in range(2):  # the second time, too: no story, no lock was left behind
        with pytest.raises(AdvreplError, match=r"torch and transformers, which are not installed: `.*pip install") as e:
            session.new_game("start", settings)
        assert "advrepl convert" not in str(e.value)
    assert not list((tmp_path / "saves").glob("*.json"))


def test_the_list_of_models_has_folders_with_advice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, neo: Path) -> None:
    monkeypatch.setenv("ADVREPL_HOME", str(tmp_path / "home"))
    (tmp_path / "home" / "models").mkdir(parents=True)
    neo.rename(tmp_path / "home" / "models" / "pygmalion-2.7b")
    monkeypatch.setitem(sys.modules, "torch", None)
    (entry,) = [entry for entry in catalog.entries() if entry.path.is_dir()]
    assert (entry.architecture, entry.context, entry.format) == ("GPTNeoForCausalLM", 2048, "pygmalion")
    assert "pip install" in entry.problem
