"""A model as small as the types allow, and an importance matrix of it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from convert import run
from convert.quantize.process import make_imatrix
from convert.run import Request, prepare
from tests import tiny
from tests.convert.converted import convert


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As small as rows of 256 allow, which every type needs to be itself."""
    sizes = {"hidden_size": 256, "intermediate_size": 256, "num_hidden_layers": 1, "num_key_value_heads": 1}
    return tiny.write_folder(tmp_path_factory.mktemp("q") / "m", *tiny.llama(**sizes))


@pytest.fixture(scope="module")
def matrix(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Made by running the model over the built-in text, as --imatrix auto does."""
    place = tmp_path_factory.mktemp("matrix")
    result = convert(folder, place / "full.gguf", "F32")
    plan = prepare(Request(folder, place / "o.gguf", "Q2_K_S", imatrix="auto"))
    reports: list[tuple[str, int, int]] = []
    with run.calibration_text(plan.request) as text:
        make_imatrix(result.out, text, place / "imatrix.gguf", lambda *report: reports.append(report))
    counts = [report[1:] for report in reports]
    assert counts == [(done, counts[0][1]) for done in range(counts[0][1] + 1)]
    yield place / "imatrix.gguf"
