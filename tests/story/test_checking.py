"""A story that the disk, or somebody, has changed: it is said, what can be had is had, and the damaged file stays."""

import hashlib
import random
from pathlib import Path

import msgspec
import pytest
from typer.testing import CliRunner

from advrepl import AdvreplError
from advrepl.cli.saves import app
from advrepl.story import checking, saves
from advrepl.story.save_file import SaveFile
from advrepl.story.seal import closing, is_altered
from advrepl.story.tree import Turn
from tests.story.test_saves import a_save


def written(folder: Path, *texts: str, name: str = "a") -> bytes:
    with SaveFile(folder / f"{name}.json") as file:
        file.write(a_save(*texts[:-1]))
        file.write(a_save(*texts))
    return (folder / f"{name}.json").read_bytes()


def sealed(data: bytes) -> bytes:
    """The JSON of a save with its sum."""
    begun = data.removesuffix(b"\n}")
    return begun + closing(hashlib.sha256(begun))


def test_the_sum_is_the_last_field_and_that_of_the_file_without_it() -> None:
    data = b'{\n "a": 1\n}'
    assert sealed(data) == b'{\n "a": 1,\n "sum": "4c7b92d70b8f46817ada0eac124a2164"\n}'
    assert is_altered(sealed(data).replace(b"1", b"2", 1)) and not is_altered(data)


def test_every_flipped_bit_is_noticed(tmp_path: Path) -> None:
    good, chance = written(tmp_path, "one", "two", "three"), random.Random(21)
    path, kept = tmp_path / "a.json", (tmp_path / "a.json.bak").read_bytes()
    for _ in range(40):
        data = bytearray(good)
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
        path.write_bytes(data)
        found = checking.check(path)
        assert found.trouble and found.found and len(found.found.turns) == 2, bytes(data)
    for at in range(8 * (len(good) - 50), 8 * len(good)):  # in the sum itself
        data = bytearray(good)
        data[at // 8] ^= 1 << at % 8
        path.write_bytes(data)
        assert checking.check(path).trouble, bytes(data)
    assert path.read_bytes() == data and (tmp_path / "a.json.bak").read_bytes() == kept


def test_a_story_that_was_cut_anywhere_is_had_up_to_its_last_whole_turn(tmp_path: Path) -> None:
    good = written(tmp_path, "one", "two", "three")
    (tmp_path / "a.json.bak").unlink()
    for cut in range(0, len(good), 11):  # every byte: `make faults`
        (tmp_path / "a.json").write_bytes(good[:cut])
        found, whole = checking.check(tmp_path / "a.json"), good[:cut].count(b'"text": ')
        had = len(found.found.turns) if found.found else 0
        assert found.trouble and whole - 1 <= had <= whole


def test_a_turn_that_is_wrong_ends_what_can_be_had(tmp_path: Path) -> None:
    data = written(tmp_path, "one", "two", "three")
    (tmp_path / "a.json.bak").unlink()
    (tmp_path / "a.json").write_bytes(data.replace(b'"parent": 1', b'"parent": 7'))
    found = checking.check(tmp_path / "a.json")
    assert "turns[2].parent" in found.trouble and found.found and len(found.found.turns) == 2


def test_a_changed_story_goes_on_and_the_version_before_it_is_kept(tmp_path: Path) -> None:
    data, before = written(tmp_path, "one", "two"), (tmp_path / "a.json.bak").read_bytes()
    (tmp_path / "a.json").write_bytes(data.replace(b"two", b"twa"))
    with SaveFile(tmp_path / "a.json") as file:
        save, notice = file.load()
        file.write(save)
    assert "not what was written" in notice and notice.endswith("kept as a-before.json")
    assert [turn.text for turn in save.turns] == ["one", "twa"]
    assert (tmp_path / "a-before.json").read_bytes() == before
    with SaveFile(tmp_path / "a.json") as file:
        assert file.load()[1] == ""


def test_who_edits_by_hand_takes_the_sum_out(tmp_path: Path) -> None:
    data = written(tmp_path, "one", "two").replace(b"two", b"three")
    (tmp_path / "a.json").write_bytes(data[: data.rindex(b",")] + b"\n}\n")
    assert checking.check(tmp_path / "a.json") == checking.Finding(tmp_path / "a.json", "2 turns")


def test_a_story_has_the_turns_that_are_read_and_says_how_many_others_it_has() -> None:
    turns = [Turn(None, "user", "a"), Turn(0, "model", "b"), Turn(0, "model", "c")]
    save = msgspec.structs.replace(a_save(), turns=turns, head=2)
    assert saves.length(save) == "2 turns (3 with all takes)"
    assert saves.length(msgspec.structs.replace(save, turns=turns[:1], head=0)) == "1 turn"


def test_a_newer_story_is_no_damage_but_a_flipped_schema_is(tmp_path: Path) -> None:
    data = written(tmp_path, "one", "two")
    flipped = data.replace(f'"schema": {saves.SCHEMA}'.encode(), b'"schema": 9')
    (tmp_path / "a.json").write_bytes(flipped)
    with SaveFile(tmp_path / "a.json") as file:
        save, notice = file.load()
    assert len(save.turns) == 1 and "the version before it goes on" in notice
    assert (tmp_path / "a-damaged.json.txt").read_bytes() == flipped
    (tmp_path / "b.json").write_bytes(flipped[: flipped.rindex(b",")] + b"\n}")
    with SaveFile(tmp_path / "b.json") as file, pytest.raises(AdvreplError, match="newer advrepl"):
        file.load()


def test_check_says_what_is_wrong_and_repairs_beside_it(tmp_path: Path) -> None:
    written(tmp_path, "one", "two", name="good")
    data = written(tmp_path, "one", "two")[:-200]
    (tmp_path / "a.json").write_bytes(data)
    told = CliRunner().invoke(app, ["check", "--saves", str(tmp_path)])
    assert told.exit_code == 1 and "good.json: whole, 2 turns" in told.output
    assert "a.json is damaged" in told.output and "the version before it can be had, 1 turn:" in told.output
    told = CliRunner().invoke(app, ["check", "a", "--saves", str(tmp_path), "--repair"])
    assert "is kept as a-recovered.json" in told.output and (tmp_path / "a.json").read_bytes() == data
    recovered = saves.load(tmp_path / "a-recovered.json")
    assert recovered == msgspec.structs.replace(a_save("one"), created=recovered.created, updated=recovered.updated)
    assert CliRunner().invoke(app, ["check", "good", "--saves", str(tmp_path)]).exit_code == 0
