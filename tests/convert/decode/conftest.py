import random
from pathlib import Path

import pytest

from convert.sums import CHUNK
from tests.convert.decode.made import Release


@pytest.fixture
def release(tmp_path: Path) -> Release:
    """Two files: weights over a chunk's end, and JSON that was XORed too."""
    made = Release(tmp_path)
    bytes_of = random.Random(1).randbytes
    made.add("w.bin", b"PK\x03\x04" + bytes_of(2 * CHUNK + 5), b"PK\x03\x04" + bytes_of(2 * CHUNK + 5))
    made.add("config.json", b'{"a": 1}\n', b'{"b": 22}\n')
    return made
