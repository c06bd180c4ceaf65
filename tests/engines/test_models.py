"""Which model is played where none is named: the newest that can be, whatever else lies beside it."""

import os
import shutil
from pathlib import Path

import gguf
import numpy as np
import pytest

from advrepl import AdvreplError, paths
from advrepl.cli import models as shown
from advrepl.engines import known, models


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ADVREPL_HOME", str(tmp_path))
    monkeypatch.delenv("ADVREPL_MODEL", raising=False)


def write(name: str, arch: str = "llama", text: str = "", number: str = "", values: tuple[int, ...] = ()) -> Path:
    """A GGUF of one small tensor with one field of text, and fields of numbers."""
    path = paths.models_folder() / name
    path.parent.mkdir(exist_ok=True)
    writer = gguf.GGUFWriter(path, arch)
    if text:
        writer.add_string("general.type", text)
    for key, value in zip(number.split(), values, strict=True):
        writer.add_uint16(key, value)
    writer.add_token_list(["a"])
    writer.add_tensor("x", np.zeros(32, np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def test_what_lies_beside_a_model_is_not_played(smollm2: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write("vision.gguf", "clip", "mmproj")
    write("style.gguf", text="adapter")
    write("embeds.gguf", "bert")
    write("newer.gguf", "next-year")
    whole = smollm2.read_bytes()
    for size in (4, 3000, len(whole) - 1):
        (paths.models_folder() / f"loading-{size}.gguf").write_bytes(whole[:size])
    assert models.default() == models.resolve(None) == smollm2
    older = paths.models_folder() / "mine.gguf"
    shutil.copy(smollm2, older)
    os.utime(older, (1, 1))
    assert models.resolve(None) == older
    shown.show()
    lines = capsys.readouterr().out.splitlines()
    assert next(line.split()[:2] for line in lines if line.lstrip().startswith("*")) == ["*", "mine"]
    assert any(line.startswith("vision.gguf is a projector") for line in lines)
    assert any(line.startswith("newer.gguf is of the architecture 'next-year', which this") for line in lines)
    assert any(line.startswith(f"loading-{len(whole) - 1}.gguf is cut short, 99%") for line in lines)


def test_part_1_stands_for_a_split_model(smollm2: Path) -> None:
    parts = [write(f"big-0000{n + 1}-of-00002.gguf", number="split.no split.count", values=(n, 2)) for n in (0, 1)]
    assert models.installed() == [parts[0], smollm2] and models.resolve(None) == parts[0]
    os.utime(parts[0], (1, 1))
    assert models.installed()[0] == parts[0] == models.resolve("big-00001-of-00002")
    parts[0].unlink()  # still on its way: the other part is listed, and says what it is
    assert models.installed() == [parts[1], smollm2] and models.resolve(None) == smollm2


@pytest.mark.parametrize("name", [model.name for model in known.KNOWN])
def test_a_known_model_that_is_not_here_says_how_to_fetch_it(smollm2: Path, name: str) -> None:
    with pytest.raises(AdvreplError, match=rf"there is no model {name}, .*: `.*advrepl pull {name}` fetches it"):
        models.resolve(name)
    here = write(f"{name}.Q5_K_M.gguf")
    assert models.resolve(name) == here
