"""Verdicts, and the causes that are named."""

import json
from pathlib import Path

from convert.decode.release_texts import SEVEN
from convert.decode.releases import METHARME_7B, PYGMALION_7B
from convert.decode.run import accept_rebuilt, run_jobs
from convert.sums import Sums, sum_text
from tests.convert.decode.made import Release, sums_of


def test_given_sums_judge_the_files(release: Release) -> None:
    right = {name: sums_of(raw) for name, raw in release.expected.items()}
    assert {checked.verdict for checked in release.run(right).values()} == {"right"}
    wrong = release.run({"w.bin": Sums(md5="0" * 32)})["w.bin"]
    assert wrong.verdict == "wrong"
    assert "another version of transformers" in wrong.causes[0]
    assert release.results() == release.expected


def test_both_given_sums_must_be_right(release: Release) -> None:
    half = Sums("0" * 32, sums_of(release.expected["w.bin"]).sha256)
    assert release.run({"w.bin": half})["w.bin"].verdict == "wrong"


def test_a_base_of_another_size_is_named_as_the_cause(release: Release) -> None:
    (release.base / "w.bin").write_bytes(bytes(100))
    [cause] = release.run({"w.bin": Sums(md5="0" * 32)})["w.bin"].causes
    assert cause.startswith(f"{release.base / 'w.bin'} has 100 bytes and w.bin 2,097,161: another version")


def test_weights_that_were_decoded_already_are_named_as_the_cause(release: Release) -> None:
    (release.xor / "w.bin").write_bytes(release.expected["w.bin"])
    causes = release.run({"w.bin": Sums(md5="0" * 32)})["w.bin"].causes
    assert "was decoded twice" in causes[0]


def test_windows_line_endings_are_named_as_the_cause(release: Release) -> None:
    (release.xor / "config.json").write_bytes(b'{"a":\r\n1}\r\n')
    causes = release.run({"config.json": sum_text('{"a":\n1}\n')})["config.json"].causes
    assert "Windows line endings" in causes[0]


def pygmalion(folder: Path, name: str = "pygmalion-7b") -> Release:
    """The release's JSON files, XORed as version 1 had them, over a base that says something else."""
    made = Release(folder, name)
    for file, text in PYGMALION_7B.texts.items():
        made.add(file, text.encode(), text.encode().replace(b"e", b"E"))
    return made


def test_a_release_is_known_by_its_folder_and_found_right(tmp_path: Path) -> None:
    checked = pygmalion(tmp_path).run()
    assert {found.verdict for found in checked.values()} == {"right"}
    assert checked["config.json"].wanted.md5 == "4608facb4910118f8dfa80f090cbc4dc"


def test_a_release_is_known_by_its_sums_under_any_name(tmp_path: Path) -> None:
    assert {found.verdict for found in pygmalion(tmp_path, "downloads").run().values()} == {"right"}
    assert {found.verdict for found in pygmalion(tmp_path / "b", "metharme-7b").run().values()} == {"right"}


def test_metharme_keeps_its_config_beside_llamas_tokenizer(tmp_path: Path) -> None:
    made = pygmalion(tmp_path, "downloads")
    right = METHARME_7B.texts["config.json"].encode()
    made.add("config.json", right, right.upper())
    checked = made.run()
    assert (checked["config.json"].verdict, checked["config.json"].rebuilt) == ("right", None)
    assert checked["special_tokens_map.json"].verdict == "unknown"


def test_a_release_that_is_not_known_is_not_taken_for_one_that_is(tmp_path: Path) -> None:
    made = pygmalion(tmp_path, "pygmalion-30b")
    right = PYGMALION_7B.texts["config.json"].replace("4096", "6656").encode()
    made.add("config.json", right, right.upper())
    checked = made.run()
    assert {found.verdict for found in checked.values()} == {"unknown"}
    assert json.loads(made.results()["config.json"])["hidden_size"] == 6656


def test_unreadable_json_is_offered_rebuilt(tmp_path: Path) -> None:
    made = pygmalion(tmp_path)
    (made.base / "config.json").write_bytes(b'{"_name_or_path": "/home/someone/llama"}')
    found = made.run()["config.json"]
    assert found.verdict == "wrong"
    assert "came out unreadable" in found.causes[0]
    assert found.rebuilt is not None
    assert found.rebuilt.proved
    assert found.rebuilt.sums.md5 == "4608facb4910118f8dfa80f090cbc4dc"
    accepted = accept_rebuilt(found, made.out, found.rebuilt)
    assert accepted.verdict == "right"
    assert json.loads((made.out / "config.json").read_text())["_name_or_path"] == "pygmalion-7b"
    assert sums_of((made.out / "config.json.orig").read_bytes()) == found.sums
    assert {found.verdict for found in made.run().values()} == {"right"}


def test_unreadable_json_of_an_unknown_release_is_wrong(release: Release) -> None:
    (release.base / "config.json").write_bytes(b"other bytes")
    found = release.run()["config.json"]
    assert (found.verdict, found.rebuilt) == ("wrong", None)


def test_a_right_base_puts_the_blame_on_the_payload(tmp_path: Path) -> None:
    made = Release(tmp_path, "metharme-7b")
    text = METHARME_7B.texts["generation_config.json"]  # the base's own file is the same
    made.add("generation_config.json", text.encode(), text.encode())
    (made.xor / "generation_config.json").write_bytes(bytes(100) + b"\1" + bytes(36))
    [cause] = [cause for cause in made.run()["generation_config.json"].causes if "damaged" in cause]
    assert "is the right base" in cause


def test_another_base_is_told_by_its_sum(tmp_path: Path) -> None:
    made = Release(tmp_path, "metharme-7b")
    made.add(SEVEN.shards[0], b"some weights", b"some base...")
    seen: list[str] = []
    [found] = run_jobs(made.plan(), None, lambda name, *_: seen.append(name))
    assert found.verdict == "wrong"
    assert (
        "is not the file the release was made from: convert LLaMA-7B with transformers 4.28.0.dev0" in found.causes[0]
    )
    assert f"base {SEVEN.shards[0]}" in seen
