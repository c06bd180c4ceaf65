"""`advrepl models`: what the headers tell, also of files that cannot be played."""

import os
import shutil
from pathlib import Path

import pytest

from advrepl import paths
from advrepl.cli import models as shown
from advrepl.engines import catalog


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ADVREPL_HOME", str(tmp_path))
    monkeypatch.delenv("ADVREPL_MODEL", raising=False)


def test_the_starter_model_is_described_from_its_header(smollm2: Path) -> None:
    (entry,) = catalog.entries()
    assert entry == catalog.CatalogEntry(smollm2, "llama", 134515008, 98362432, "Q4_1", "chat", 8192)


def test_files_and_folders_of_the_models_folder(smollm2: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = paths.models_folder()
    (folder / "metharme-7b").mkdir(parents=True)
    (folder / "metharme-7b" / "config.json").write_text(
        '{"architectures": ["LlamaForCausalLM"], "max_position_embeddings": 2048}'
    )
    deep, pipe = '{"a":' * 100_000, folder / "pipe" / "config.json"
    for name, said in {"odd": "[]", "deep": deep, "types": '{"architectures": {"a": 1}}'}.items():
        (folder / name).mkdir()
        (folder / name / "config.json").write_text(said)
    if hasattr(os, "mkfifo"):
        pipe.parent.mkdir()
        os.mkfifo(pipe)
    shutil.copy(smollm2, folder / "pygmalion-mini.gguf")
    (folder / "broken.gguf").write_bytes(b"GGUF")
    (folder / "not.gguf").write_bytes(b"nothing")
    found = {entry.path.name: entry for entry in catalog.entries()}
    assert found["metharme-7b"].architecture == "LlamaForCausalLM" and found["metharme-7b"].format == "metharme"
    assert found["pygmalion-mini.gguf"].format == "chat"
    assert "is cut short or damaged" in found["broken.gguf"].problem and "not a GGUF file" in found["not.gguf"].problem
    assert {found[name].problem for name in ("odd", "deep", "types")} == {"config.json cannot be read"}
    shown.show()
    out = capsys.readouterr().out
    assert "advrepl convert" in out and "* is the default" in out
