"""JSON of other people, and their names in our sentences."""

import json
from pathlib import Path
from typing import Any

import pytest

from convert.foreign import MOST_VALUES, NotJson, first_few, is_lfs_pointer, parse_json, quote, read_json


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\xff\xfe",
        b"[" * 100_000,
        b"1" * 10_000,  # Python reads no number of so many digits
        b'{"a": 1} more',
    ],
)
def test_what_is_no_json_is_told(raw: bytes) -> None:
    with pytest.raises(NotJson, match="is not readable as JSON"):
        parse_json(raw)


def test_more_values_than_a_file_needs_are_refused_before_they_take_memory() -> None:
    with pytest.raises(NotJson, match=f"more than {MOST_VALUES:,} values"):
        parse_json(b"[" + b"[]," * (MOST_VALUES + 1) + b"[]]")


@pytest.mark.parametrize("raw", [b'{"w": 1, "w": 2}', b'[{"x": {"w": 1, "w": 1}}]'])
def test_a_name_may_be_there_twice_unless_that_matters(raw: bytes) -> None:
    parse_json(raw)
    with pytest.raises(NotJson, match="holds the name 'w' twice"):
        parse_json(raw, unique=True)


@pytest.mark.parametrize("value", [{"w": {"w": 1}}, [], "text", None])
def test_a_file_is_read_up_to_its_limit(tmp_path: Path, value: Any) -> None:
    path = tmp_path / "a.json"
    path.write_text(json.dumps(value))
    size = path.stat().st_size
    assert read_json(path, size, unique=True) == value
    with pytest.raises(NotJson, match=f"has {size} bytes, more than the {size - 1} allowed"):
        read_json(path, size - 1)


def test_foreign_names_are_told_without_control_characters_and_not_at_length() -> None:
    assert quote("a\x1b[31mb") == r"'a\x1b[31mb'"
    assert len(quote("x" * 1000)) == 82
    assert first_few(["a"]) == "a" and first_few(list("abcdefg")) == "a, b, c, d, e and 2 more"


def test_a_pointer_of_git_lfs_is_known(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"version https://git-lfs.github.com/spec/v1\n")
    (tmp_path / "b").write_bytes(b"version 1")
    assert is_lfs_pointer(tmp_path / "a") and not is_lfs_pointer(tmp_path / "b")
