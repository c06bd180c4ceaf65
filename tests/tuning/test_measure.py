"""What `advrepl bench` measures on a model of each kind of cache."""

from pathlib import Path

import pytest

from advrepl.cli.bench import rows
from advrepl.engines.base import LoadOptions
from advrepl.tuning.bench import BenchPlan, measure
from tests import architectures

KINDS = (("llama", True), ("gemma3", True), ("llama-yarn", False), ("lfm2", False), ("mamba", False))


@pytest.mark.parametrize(("kind", "moves"), KINDS)
def test_it_tells_whether_what_stays_is_moved_or_read_again(
    kind: str, moves: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With hybrids it ended, as llama.cpp takes nothing out of their middle."""
    monkeypatch.setenv("ADVREPL_HOME", str(tmp_path))
    path = architectures.make(kind, tmp_path)
    result = measure(BenchPlan(path, LoadOptions(768, 1), turns=16, runs=1), lambda *_: None)
    assert result.shift.slid >= 2 and result.no_shift.slid >= 2
    assert result.shift.moved == moves and not result.no_shift.moved
    # Random bytes are no text: a reply's tokens are others when it is told.
    assert (result.shift.prefilled_beyond_turn < 100) == moves and result.no_shift.prefilled_beyond_turn > 200
    told = [cell for row in rows(result) for cell in row]
    assert any(cell.endswith("what stays is moved") for cell in told) == moves
