"""What is refused before a byte is written, and what is only copied."""

import os
from pathlib import Path

import pytest

from convert import ConvertError
from convert.decode.plan import plan_jobs
from tests.convert.decode.made import Release

POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 12345\n"


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
            plan_jobs(release.xor, release.base, out)
    with pytest.raises(ConvertError, match="given as XOR and as BASE"):
        plan_jobs(release.xor, release.xor, release.out)
    with pytest.raises(ConvertError, match="no such folder"):
        plan_jobs(tmp_path / "none", release.base, release.out)
    with pytest.raises(ConvertError, match="xor_encoded_files instead"):
        plan_jobs(release.xor.parent, release.base, release.out)
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


def test_an_empty_payload_is_refused(release: Release) -> None:
    (release.xor / "w.bin").write_bytes(b"")
    assert "w.bin is empty; fetch the release again" in release.refusal()


def test_too_little_disk_is_told_before_anything_is_written(release: Release) -> None:
    with (release.xor / "w.bin").open("wb") as file:
        file.truncate(8 << 40)  # sparse
    assert "out: needs 8796.2 GB of disk" in release.refusal()
    assert not release.out.exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_named(release: Release) -> None:
    (release.xor / "w.bin").chmod(0)
    assert "w.bin: cannot be read: Permission denied" in release.refusal()
