import gzip
import hashlib
import json
import os
import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convert import ConvertError, xor
from convert.releases import METHARME_7B, PYGMALION_7B, SHARDS
from convert.sums import CHUNK, Sums, sum_text
from convert.verify import Checked

POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 12345\n"


class Release:
    """XOR, BASE and OUT in a folder, with what OUT should hold."""

    def __init__(self, folder: Path, name: str = "model") -> None:
        self.xor, self.base, self.out = folder / name / "xor_encoded_files", folder / "llama", folder / "out"
        self.xor.mkdir(parents=True)
        self.base.mkdir(exist_ok=True)
        self.expected: dict[str, bytes] = {}

    def add(self, name: str, result: bytes, base: bytes) -> None:
        (self.base / name).write_bytes(base)
        (self.xor / name).write_bytes(xor.decode(result, base))
        self.expected[name] = result

    def plan(self) -> list[xor.Job]:
        return xor.plan(self.xor, self.base, self.out)

    def run(self, given: dict[str, Sums] | None = None) -> dict[str, Checked]:
        return {checked.name: checked for checked in xor.run(self.plan(), given)}

    def results(self) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in self.out.iterdir() if not path.name.startswith(".")}

    def refusal(self) -> str:
        with pytest.raises(ConvertError) as caught:
            self.run()
        return str(caught.value)


@pytest.fixture
def release(tmp_path: Path) -> Release:
    """Two files: weights over a chunk's end, and JSON that was XORed too."""
    made = Release(tmp_path)
    bytes_of = random.Random(1).randbytes
    made.add("w.bin", b"PK\x03\x04" + bytes_of(2 * CHUNK + 5), b"PK\x03\x04" + bytes_of(2 * CHUNK + 5))
    made.add("config.json", b'{"a": 1}\n', b'{"b": 22}\n')
    return made


@given(st.binary(max_size=40), st.binary(max_size=40))
def test_decoding_is_xor_with_the_base_padded_by_zeros(payload: bytes, base: bytes) -> None:
    padded = base.ljust(len(payload), b"\0")
    assert xor.decode(payload, base) == bytes(a ^ b for a, b in zip(payload, padded, strict=False))
    assert xor.decode(xor.decode(payload, base), base) == payload


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


def test_a_release_is_decoded(release: Release) -> None:
    checked = release.run()
    assert release.results() == release.expected
    assert {name: found.verdict for name, found in checked.items()} == {"w.bin": "unknown", "config.json": "unknown"}
    assert checked["config.json"].sums == sum_text('{"a": 1}\n')


def test_json_that_is_already_plain_is_copied(release: Release) -> None:
    (release.xor / "config.json").write_bytes(b'{"plain": true}')
    (release.base / "config.json").unlink()
    release.run()
    assert release.results()["config.json"] == b'{"plain": true}'


def test_texts_without_a_counterpart_are_copied(release: Release) -> None:
    (release.xor / "README.md").write_text("# Übung\n" + "ä" * 3000)
    release.run()
    assert release.results()["README.md"] == (release.xor / "README.md").read_bytes()


def test_a_binary_without_a_counterpart_is_not_taken_for_a_text(release: Release) -> None:
    (release.xor / "more.txt").write_bytes(b"\x01\x02\xff\xfe" * 100)
    assert "the base lacks more.txt" in release.refusal()


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


def test_all_zero_output_is_an_error(release: Release) -> None:
    (release.xor / "w.bin").write_bytes((release.base / "w.bin").read_bytes())
    assert "w.bin: comes out as zeros only" in release.refusal()
    assert "w.bin" not in release.results()


def test_an_all_zero_payload_gives_the_base(release: Release) -> None:
    """As tokenizer.model has it, which the releases did not change."""
    release.add("tokenizer.model", b"the same", b"the same")
    release.run()
    assert release.results()["tokenizer.model"] == b"the same"


@pytest.mark.parametrize("where", ["xor", "base"])
def test_git_lfs_pointers_are_refused(release: Release, where: str) -> None:
    (getattr(release, where) / "w.bin").write_bytes(POINTER)
    assert "only a pointer for w.bin; run `git lfs pull`" in release.refusal()
    assert not release.out.exists()


def test_a_missing_base_file_is_named_with_what_is_there(release: Release) -> None:
    (release.base / "w.bin").unlink()
    assert release.refusal() == f"{release.base}: the base lacks w.bin"
    (release.base / "pytorch_model-00001-of-00033.bin").touch()
    assert "it has pytorch_model-00001-of-00033.bin, so another version" in release.refusal()


def test_folders_that_cannot_work_are_refused(release: Release, tmp_path: Path) -> None:
    for out in (release.xor, release.base, release.base / ".." / "llama", release.xor / "out"):
        with pytest.raises(ConvertError, match="OUT must be a folder of its own"):
            xor.plan(release.xor, release.base, out)
    with pytest.raises(ConvertError, match="given as XOR and as BASE"):
        xor.plan(release.xor, release.xor, release.out)
    with pytest.raises(ConvertError, match="no such folder"):
        xor.plan(tmp_path / "none", release.base, release.out)
    with pytest.raises(ConvertError, match="xor_encoded_files instead"):
        xor.plan(release.xor.parent, release.base, release.out)
    release.out.write_text("a file")
    assert "is a file" in release.refusal()


def test_folders_inside_a_release_are_refused_and_hidden_ones_skipped(release: Release) -> None:
    (release.xor / ".cache").mkdir()
    (release.xor / ".gitattributes").write_text("*.bin filter=lfs")
    assert [job.name for job in release.plan()] == ["config.json", "w.bin"]
    (release.xor / "more").mkdir()
    assert "holds the folder more; a release is a flat folder" in release.refusal()


def test_links_out_of_the_release_are_refused(release: Release, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    (release.xor / "w.bin").unlink()
    (release.xor / "w.bin").symlink_to(tmp_path / "secret")
    assert "leads out of the release" in release.refusal()
    (tmp_path / "secret").unlink()
    assert "leads nowhere" in release.refusal()


def test_a_hugging_face_cache_of_links_works(release: Release, tmp_path: Path) -> None:
    cache = tmp_path / "models--a--b"
    snapshot = cache / "snapshots" / "0123" / "xor_encoded_files"
    (cache / "blobs").mkdir(parents=True)
    snapshot.mkdir(parents=True)
    for number, path in enumerate(list(release.xor.iterdir())):
        path.rename(cache / "blobs" / str(number))
        (snapshot / path.name).symlink_to(Path("../../../blobs") / str(number))
    release.xor = snapshot
    release.run()
    assert release.results() == release.expected


def test_a_link_in_out_is_replaced_and_not_followed(release: Release, tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("precious")
    release.out.mkdir()
    (release.out / "config.json").symlink_to(tmp_path / "precious")
    (release.out / ".w.bin.part").symlink_to(tmp_path / "precious")
    release.run()
    assert release.results() == release.expected
    assert (tmp_path / "precious").read_text() == "precious"


def test_an_empty_payload_is_refused(release: Release) -> None:
    (release.xor / "w.bin").write_bytes(b"")
    assert "w.bin is empty; fetch the release again" in release.refusal()


def test_too_little_disk_is_told_before_anything_is_written(release: Release) -> None:
    with (release.xor / "w.bin").open("wb") as file:
        file.truncate(8 << 40)  # sparse
    assert "out: needs 8796.2 GB of disk" in release.refusal()
    assert not release.out.exists()


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
    wanted = {"w.bin": Sums(md5=_sums(release.expected["w.bin"]).md5)}
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


def test_progress_counts_the_whole_run(release: Release) -> None:
    seen: list[tuple[str, int, int]] = []
    total = 2 * CHUNK + 9 + 9
    for _ in range(2):  # decoding, then verifying what is there
        seen.clear()
        xor.run(release.plan(), None, lambda *step: seen.append(step))
        assert {step[0] for step in seen} == {"config.json", "w.bin"}
        assert {step[2] for step in seen} == {total}
        assert [step[1] for step in seen] == sorted(step[1] for step in seen)
        assert seen[-1][1] == total


def test_an_interrupted_run_leaves_no_half_file(release: Release) -> None:
    def interrupt(name: str, done: int, total: int) -> None:
        if name == "w.bin" and done > CHUNK:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        xor.run(release.plan(), None, interrupt)
    assert set(release.results()) == {"config.json"}
    assert not list(release.out.glob(".*.part"))
    assert {name: checked.skipped for name, checked in release.run().items()} == {"config.json": True, "w.bin": False}


def test_a_half_written_file_of_a_killed_run_is_done_again(release: Release) -> None:
    release.out.mkdir()
    (release.out / ".w.bin.part").write_bytes(b"half")
    release.run()
    assert release.results() == release.expected
    assert not list(release.out.glob(".*.part"))


def _sums(raw: bytes) -> Sums:
    return Sums(hashlib.md5(raw).hexdigest(), hashlib.sha256(raw).hexdigest())


def test_given_sums_judge_the_files(release: Release) -> None:
    right = {name: _sums(raw) for name, raw in release.expected.items()}
    assert {checked.verdict for checked in release.run(right).values()} == {"right"}
    wrong = release.run({"w.bin": Sums(md5="0" * 32)})["w.bin"]
    assert wrong.verdict == "wrong"
    assert "another version of transformers" in wrong.causes[0]
    assert release.results() == release.expected


def test_both_given_sums_must_be_right(release: Release) -> None:
    half = Sums("0" * 32, _sums(release.expected["w.bin"]).sha256)
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


def test_unreadable_json_is_offered_rebuilt(tmp_path: Path) -> None:
    made = pygmalion(tmp_path)
    (made.base / "config.json").write_bytes(b'{"_name_or_path": "/home/someone/llama"}')
    found = made.run()["config.json"]
    assert found.verdict == "wrong"
    assert "came out unreadable" in found.causes[0]
    assert found.rebuilt is not None
    assert found.rebuilt.proved
    assert found.rebuilt.sums.md5 == "4608facb4910118f8dfa80f090cbc4dc"
    accepted = xor.accept(found, made.out, found.rebuilt)
    assert accepted.verdict == "right"
    assert json.loads((made.out / "config.json").read_text())["_name_or_path"] == "pygmalion-7b"
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
    made.add(SHARDS[0], b"some weights", b"some base...")
    seen: list[str] = []
    [found] = xor.run(made.plan(), None, lambda name, *_: seen.append(name))
    assert found.verdict == "wrong"
    assert (
        "is not the file the release was made from: convert LLaMA-7B with transformers 4.28.0.dev0" in found.causes[0]
    )
    assert f"base {SHARDS[0]}" in seen


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_named(release: Release) -> None:
    (release.xor / "w.bin").chmod(0)
    assert "w.bin: cannot be read: Permission denied" in release.refusal()
