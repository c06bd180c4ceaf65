"""The tests, in the same rooms as the code; what they share lies at the top."""

from pathlib import Path

ROOT = Path(__file__).parents[1]  # of the checkout
SOURCES = sorted(path for package in ("advrepl", "convert") for path in (ROOT / package).rglob("*.py"))
