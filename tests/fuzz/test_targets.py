"""The quick part of `make fuzz`: the seeds, and some inputs by chance."""

import pytest

from tests.fuzz.__main__ import by_chance
from tests.fuzz.targets import PARSERS


@pytest.mark.parametrize("name", PARSERS)
def test_what_is_wrong_is_told(name: str) -> None:
    assert by_chance(name, 0.05)
