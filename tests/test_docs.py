"""The docs say what the program says."""

import pytest

from tests import ROOT, docs_tables


@pytest.mark.parametrize("file", docs_tables.FILES)
def test_the_tables_of_the_docs_are_those_of_the_program(file: str) -> None:
    """Where this fails, `make docs` writes them anew."""
    text = (ROOT / file).read_text()
    assert docs_tables.renewed(text) == text
    assert "<!-- commands -->" in text or "<!-- options -->" in text
