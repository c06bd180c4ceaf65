"""A good state dict as a pickle, and what is said of a bad .bin file."""

from pathlib import Path

import pytest

from convert import ConvertError
from convert.checkpoint.torch_file import read_torch
from tests import torch_files as t

GOOD = t.dict_({"w": t.tensor()})


def refusal(tmp_path: Path, raw: bytes) -> str:
    path = tmp_path / "bad.bin"
    path.write_bytes(raw)
    with pytest.raises(ConvertError) as caught:
        read_torch(path)
    sentence = str(caught.value)
    assert sentence.startswith("bad.bin: ")
    return sentence.removeprefix("bad.bin: ")
