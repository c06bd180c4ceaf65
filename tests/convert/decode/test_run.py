"""Whole runs, also interrupted ones."""

from pathlib import Path

import pytest

from convert.decode.run import run_jobs
from convert.sums import CHUNK, sum_text
from tests.convert.decode.made import Release


def test_a_release_is_decoded(release: Release) -> None:
    checked = release.run()
    assert release.results() == release.expected
    assert {name: found.verdict for name, found in checked.items()} == {"w.bin": "unknown", "config.json": "unknown"}
    assert checked["config.json"].sums == sum_text('{"a": 1}\n')


def test_all_zero_output_is_an_error(release: Release) -> None:
    (release.xor / "w.bin").write_bytes((release.base / "w.bin").read_bytes())
    assert "w.bin: comes out as zeros only" in release.refusal()
    assert "w.bin" not in release.results()


def test_an_all_zero_payload_gives_the_base(release: Release) -> None:
    """As tokenizer.model has it, which the releases did not change."""
    release.add("tokenizer.model", b"the same", b"the same")
    release.run()
    assert release.results()["tokenizer.model"] == b"the same"


def test_a_link_in_out_is_replaced_and_not_followed(release: Release, tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("precious")
    release.out.mkdir()
    (release.out / "config.json").symlink_to(tmp_path / "precious")
    (release.out / ".w.bin.part").symlink_to(tmp_path / "precious")
    release.run()
    assert release.results() == release.expected
    assert (tmp_path / "precious").read_text() == "precious"


def test_progress_counts_the_whole_run(release: Release) -> None:
    seen: list[tuple[str, int, int]] = []
    total = 2 * CHUNK + 9 + 9
    for _ in range(2):  # decoding, then verifying what is there
        seen.clear()
        run_jobs(release.plan(), None, lambda *step: seen.append(step))
        assert {step[0] for step in seen} == {"config.json", "w.bin"}
        assert {step[2] for step in seen} == {total}
        assert [step[1] for step in seen] == sorted(step[1] for step in seen)
        assert seen[-1][1] == total


def test_an_interrupted_run_leaves_no_half_file(release: Release) -> None:
    def interrupt(name: str, done: int, total: int) -> None:
        if name == "w.bin" and done > CHUNK:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_jobs(release.plan(), None, interrupt)
    assert set(release.results()) == {"config.json"}
    assert not list(release.out.glob(".*.part"))
    assert {name: checked.skipped for name, checked in release.run().items()} == {"config.json": True, "w.bin": False}


def test_a_half_written_file_of_a_killed_run_is_done_again(release: Release) -> None:
    release.out.mkdir()
    (release.out / ".w.bin.part").write_bytes(b"half")
    release.run()
    assert release.results() == release.expected
    assert not list(release.out.glob(".*.part"))
