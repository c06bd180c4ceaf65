"""What an earlier run did is taken up."""

import pytest

from convert.sums import CHUNK, Sums
from tests.convert.decode.made import Release, sums_of


def test_what_an_earlier_run_did_is_skipped(release: Release) -> None:
    release.run()
    before = {path.name: path.stat().st_mtime_ns for path in release.out.iterdir()}
    assert all(checked.skipped for checked in release.run().values())
    assert {path.name: path.stat().st_mtime_ns for path in release.out.iterdir()} == before


def test_a_changed_file_is_decoded_again(release: Release) -> None:
    release.run()
    raw = bytearray(release.expected["w.bin"])
    raw[CHUNK + 3] ^= 1
    (release.out / "w.bin").write_bytes(raw)
    assert {name: checked.skipped for name, checked in release.run().items()} == {"config.json": True, "w.bin": False}
    assert release.results() == release.expected


def test_another_base_is_decoded_again(release: Release) -> None:
    release.run()
    (release.base / "w.bin").write_bytes(bytes(100))
    assert not release.run()["w.bin"].skipped
    assert release.results()["w.bin"] == (release.xor / "w.bin").read_bytes()


def test_a_file_with_the_right_sum_is_skipped_without_a_record(release: Release) -> None:
    release.out.mkdir()
    (release.out / "w.bin").write_bytes(release.expected["w.bin"])
    wanted = {"w.bin": Sums(md5=sums_of(release.expected["w.bin"]).md5)}
    assert release.run(wanted)["w.bin"].skipped
    assert release.run(wanted)["w.bin"].verdict == "right"


def test_a_file_of_unknown_origin_is_decoded_again(release: Release) -> None:
    release.out.mkdir()
    (release.out / "w.bin").write_bytes(release.expected["w.bin"])
    assert not release.run()["w.bin"].skipped


@pytest.mark.parametrize("record", [b"", b"[]", b'{"w.bin": 5}', b'{"w.bin": {"sha256": 5}}', b"[" * 100_000])
def test_a_damaged_record_only_costs_decoding_again(release: Release, record: bytes) -> None:
    release.run()
    (release.out / ".advrepl-decode.json").write_bytes(record)
    assert not release.run()["w.bin"].skipped
    assert release.results() == release.expected
