"""Folders that are wrong in one file: one sentence of a readable length, and nothing left behind."""

import json
import os
import time
from collections.abc import Callable
from pathlib import Path

import filelock
import pytest

from convert import LONGEST_SENTENCE, ConvertError, metadata
from convert.decode.records import FILE, Records
from convert.foreign import NotJson, parse_json
from convert.run import LOCK, Request, prepare
from convert.sums import Sums
from tests import tiny
from tests.convert import converted


def template(folder: Path) -> None:
    (folder / "chat_template.jinja").write_bytes(b"{{ \xff }}")


def merges(folder: Path) -> None:
    vocab = json.loads((folder / "tokenizer.json").read_text())["model"]["vocab"]
    (folder / "tokenizer.json").unlink()
    tiny.write_json(folder / "vocab.json", vocab)
    (folder / "merges.txt").write_bytes(b"\xff\xfe x")


def half_a_character(folder: Path) -> None:
    (folder / "tokenizer_config.json").write_text('{"eos_token": "</s>", "chat_template": "\\ud800"}')


def giant_value(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    tiny.write_json(folder / "config.json", config | {"hidden_size": "9" * (1 << 20)})


def piece(folder: Path) -> None:
    (folder / "tokenizer.model").write_bytes(b"\n\x0b\n\x02\xff\xfe\x15\0\0\0\0\x18\x01")


@pytest.mark.parametrize("spoil", [template, merges, half_a_character, giant_value, piece])
def test_a_file_that_is_wrong_is_a_short_sentence(spoil: Callable[[Path], None], tmp_path: Path) -> None:
    folder = tiny.make("llama", tmp_path / "model")
    spoil(folder)
    with pytest.raises(ConvertError) as told:
        prepare(Request(folder, tmp_path / "out.gguf", "F32"))
    assert len(str(told.value)) <= LONGEST_SENTENCE + 3 and sorted(tmp_path.iterdir()) == [folder]


def test_a_title_without_end_is_cut(tmp_path: Path) -> None:
    folder = tiny.make("llama", tmp_path / "model")
    (folder / "README.md").write_text("# " + "x" * (1 << 20))
    assert len(metadata.describe(folder, 1)["general.name"]) == metadata.LONGEST_TITLE


def test_half_a_character_is_no_json_and_a_whole_one_is() -> None:
    with pytest.raises(NotJson):
        parse_json(b'{"a": "\\ud83d"}')
    assert parse_json(b'{"a": "\\ud83d\\ude00"}') == {"a": "\U0001f600"}


def test_what_killed_runs_left_is_removed_and_what_living_ones_hold_is_not(tmp_path: Path) -> None:
    dead, living, young, old = (tmp_path / f".converting-{name}" for name in ("dead", "living", "young", "old"))
    for folder in (dead, living, young, old):
        folder.mkdir()
        (folder / "first.gguf").write_bytes(b"half")
    (dead / LOCK).touch()
    os.utime(old, (1, time.time() - 3600))
    with filelock.FileLock(living / LOCK):
        converted.convert(tiny.make("llama", tmp_path / "model"), tmp_path / "out.gguf", "F32")
        assert sorted(tmp_path.glob(".converting-*")) == [living, young]


def test_records_of_many_files_are_not_written_anew_for_each(tmp_path: Path) -> None:
    records = Records(tmp_path)
    for number in range(50):
        records.add(f"{number}", [1], [1], Sums(sha256="a"))
    assert not (tmp_path / FILE).exists()
    records.write()
    assert Records(tmp_path).find("49", [1], [1]) == Sums(sha256="a")
