"""Conversions without progress bars."""

from pathlib import Path
from typing import Any

from convert import run
from convert.run import Request, prepare


def quiet(title: str) -> Any:
    return lambda label, done, total: None


def convert(folder: Path, out: Path, kind: str, **options: Any) -> run.ConvertResult:
    return run.convert(prepare(Request(folder, out, kind, **options)), quiet)
