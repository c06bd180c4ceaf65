"""XOR of streams, plain and gzipped."""

import gzip
import hashlib
import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convert.sums import CHUNK
from tests.convert.decode.made import Release, xored


@given(st.binary(max_size=40), st.binary(max_size=40))
def test_decoding_is_xor_with_the_base_padded_by_zeros(payload: bytes, base: bytes) -> None:
    padded = base.ljust(len(payload), b"\0")
    assert xored(payload, base) == bytes(a ^ b for a, b in zip(payload, padded, strict=False))
    assert xored(bytes(xored(payload, base)), base) == payload


@pytest.mark.parametrize("base_size", [0, 1, CHUNK - 1, CHUNK, 3 * CHUNK, 3 * CHUNK + 1, 4 * CHUNK])
def test_bases_of_any_length_work(tmp_path: Path, base_size: int) -> None:
    made = Release(tmp_path)
    bytes_of = random.Random(2).randbytes
    made.add("w.bin", bytes_of(3 * CHUNK), bytes_of(base_size))
    made.run()
    assert made.results() == made.expected


def test_many_chunks_keep_their_order_and_their_sum(tmp_path: Path) -> None:
    """Reading, XOR, hashing and writing run beside each other on shared buffers."""
    made = Release(tmp_path)
    bytes_of = random.Random(3).randbytes
    made.add("w.bin", bytes_of(40 * CHUNK + 77), bytes_of(37 * CHUNK + 1))
    assert made.run()["w.bin"].sums.sha256 == hashlib.sha256(made.expected["w.bin"]).hexdigest()
    assert made.results() == made.expected


def test_gzipped_payloads_are_unpacked_first(release: Release) -> None:
    for path in list(release.xor.iterdir()):
        path.write_bytes(gzip.compress(path.read_bytes()))
    assert [job.size for job in release.plan()] == [9, 2 * CHUNK + 9]
    release.run()
    assert release.results() == release.expected


def test_a_damaged_gzip_stream_leaves_nothing_behind(release: Release) -> None:
    whole = gzip.compress((release.xor / "w.bin").read_bytes())
    for raw in (whole[:-100], whole[:50_000] + b"\xff" * 50 + whole[50_050:]):
        (release.xor / "w.bin").write_bytes(raw)
        assert "w.bin: its gzip stream is damaged" in release.refusal()
        assert set(release.results()) == {"config.json"}
        assert not list(release.out.glob(".*.part"))


def test_a_gzip_bomb_is_stopped(release: Release) -> None:
    """260 KB that unpack to 256 MB, over a base of 2 MB."""
    bomb = gzip.compress(bytes(256 << 20), 9)
    # The trailer's size is a lie: what counts is what comes out.
    (release.xor / "w.bin").write_bytes(bomb[:-4] + (2 * CHUNK).to_bytes(4, "little"))
    assert "unpacks to more than" in release.refusal()
