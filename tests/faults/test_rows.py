"""The quick part of `make faults`."""

import random
import shutil
import sys
from pathlib import Path

import pytest

from tests.faults.rows import ROWS


@pytest.mark.skipif(sys.platform == "win32", reason="needs the signals of POSIX")
@pytest.mark.parametrize("name", [name for name, (_, _, quick) in ROWS.items() if quick])
def test_nothing_is_lost(name: str, tmp_path: Path) -> None:
    if name == "quotas" and not (sys.platform == "linux" and shutil.which("cc")):
        pytest.skip("needs Linux and a C compiler")
    do, _, quick = ROWS[name]
    assert list(do(tmp_path, quick, random.Random(7))) == []
