"""`advrepl pull`, with huggingface_hub itself, from a local server that speaks the hub's protocol."""

import errno
import shutil
from collections import namedtuple
from collections.abc import Iterator
from pathlib import Path

import huggingface_hub
import psutil
import pytest
from huggingface_hub import constants
from typer.testing import CliRunner

from advrepl import AdvreplError
from advrepl.cli.commands import app
from advrepl.engines import hub as client
from advrepl.engines import known
from tests.hub_server import COMMIT, Hub, serving

GGUF = b"GGUF" + bytes(range(256)) * 400


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    monkeypatch.setenv("ADVREPL_HOME", str(tmp_path))
    monkeypatch.setenv("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    with serving() as server:
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        server.repos["owner/story-gguf"] = {
            "story.Q4_K_M.gguf": GGUF, "story.Q8_0.gguf": GGUF * 2, "README.md": b"# A model",
        }  # fmt: skip
        server.licenses["owner/story-gguf"] = "llama2"
        yield server


def pull(what: str) -> str:
    return CliRunner().invoke(app(), ["pull", what], catch_exceptions=False).output


def test_a_gguf_is_fetched_checked_and_named(hub: Hub, tmp_path: Path) -> None:
    said = pull("owner/story-gguf")
    assert (tmp_path / "models" / "story.Q4_K_M.gguf").read_bytes() == GGUF
    assert [path.name for path in (tmp_path / "models").iterdir() if path.is_file()] == ["story.Q4_K_M.gguf"]
    assert not list((tmp_path / "models" / client.INCOMING).iterdir()), "nothing is left"
    for told in ("story.Q4_K_M.gguf, 0.00 GB", "licence: llama2", "GB here: fits", "play -m story.Q4_K_M"):
        assert told in said
    assert any(path == f"/owner/story-gguf/resolve/{COMMIT}/story.Q4_K_M.gguf" for _, path, _ in hub.asked)


def test_another_file_is_named_by_a_part_of_it(hub: Hub, tmp_path: Path) -> None:
    pull("owner/story-gguf:q8")
    assert (tmp_path / "models" / "story.Q8_0.gguf").read_bytes() == GGUF * 2
    with pytest.raises(AdvreplError, match="is there already"):
        pull("owner/story-gguf:q8")


def test_what_broke_off_goes_on_where_it_stood(hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "DOWNLOAD_CHUNK_SIZE", 10_000)  # bytes that are kept at a time; else 10 MB
    hub.break_off_at = 60_000
    pull("owner/story-gguf")
    assert (tmp_path / "models" / "story.Q4_K_M.gguf").read_bytes() == GGUF
    begun = [int(asked.removeprefix("bytes=").partition("-")[0]) for _, _, asked in hub.asked if asked]
    assert max(begun) in range(40_000, 60_001)


def test_a_file_that_came_out_wrong_is_not_kept(hub: Hub, tmp_path: Path) -> None:
    hub.spoiled.add("story.Q4_K_M.gguf")
    with pytest.raises(AdvreplError, match="came out wrong, and is removed"):
        pull("owner/story-gguf")
    assert not list(tmp_path.rglob("*.gguf"))
    hub.spoiled.clear()
    pull("owner/story-gguf")
    assert (tmp_path / "models" / "story.Q4_K_M.gguf").read_bytes() == GGUF


def test_a_folder_is_fetched_with_one_kind_of_weights(hub: Hub, tmp_path: Path) -> None:
    names = ("config.json", "tokenizer.json", "model.safetensors", "pytorch_model.bin", "README.md", "onnx/model.onnx")
    hub.repos["owner/folder"] = {name: name.encode() for name in names}
    said = pull("owner/folder")
    assert "licence: none is named" in said and "convert" in said
    got = {path.name for path in (tmp_path / "models" / "folder").iterdir()}
    assert got == {"config.json", "tokenizer.json", "model.safetensors", "README.md"}


def test_an_xor_release_is_fetched_for_decode(hub: Hub, tmp_path: Path) -> None:
    hub.repos["owner/xor-7b"] = {"xor_encoded_files/config.json": b"x", "xor_codec.py": b"print()"}
    assert "decode" in pull("owner/xor-7b")
    files = [path for path in (tmp_path / "models" / "xor-7b").rglob("*") if path.is_file()]
    assert [path.name for path in files] == ["config.json"]


def test_all_parts_of_a_split_file_are_fetched(hub: Hub, tmp_path: Path) -> None:
    hub.repos["owner/split"] = {f"big-Q4_K_M-0000{n}-of-00002.gguf": GGUF[: 100 * n] for n in (1, 2)}
    pull("owner/split")
    assert len(list((tmp_path / "models").glob("big-*.gguf"))) == 2
    del hub.repos["owner/split"]["big-Q4_K_M-00002-of-00002.gguf"]
    with pytest.raises(AdvreplError, match="has not all parts"):
        client.offer("owner/split", "")


@pytest.mark.parametrize(
    ("what", "why"),
    [
        ("owner/gone", "there is no model owner/gone on http"),
        ("gone", "gone is no OWNER/NAME, and none of those"),
        ("owner/story-gguf:Q2_K", "owner/story-gguf has story.Q4_K_M.gguf, story.Q8_0.gguf: name one"),
        ("owner/story-gguf:story", "name one, as in `.*advrepl pull owner/story-gguf:story.Q4_K_M.gguf`"),
        ("owner/nothing", "holds no GGUF file and no config.json"),
        ("owner/a b", "is no name of a repository"),
    ],
)
def test_what_cannot_be_fetched_is_told_in_a_sentence(hub: Hub, what: str, why: str) -> None:
    hub.repos["owner/nothing"] = {"README.md": b""}
    with pytest.raises(AdvreplError, match=why):
        pull(what)


@pytest.mark.parametrize("code", [401, 403])
def test_a_model_behind_terms_says_where_to_agree(hub: Hub, tmp_path: Path, code: int) -> None:
    hub.gated["owner/story-gguf"] = code
    with pytest.raises(AdvreplError, match=r"agree to its terms: do so on http\S+/owner/story-gguf, then set HF_TOKEN"):
        pull("owner/story-gguf")


def test_a_full_disk_is_not_the_hubs_fault(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", "story.incomplete")

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", full)
    with pytest.raises(
        AdvreplError, match=r"story\.incomplete: No space left on device: make room, or set ADVREPL_HOME"
    ):
        pull("owner/story-gguf")


def test_what_ctrl_c_broke_off_says_how_to_go_on(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", stopped)
    assert "pull owner/story-gguf` goes on where it stood" in pull("owner/story-gguf")


def test_a_hub_that_is_not_there_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(AdvreplError, match=r"http://127\.0\.0\.1:9 could not be reached"):
        pull("owner/story-gguf")


def test_a_disk_that_is_too_small_fetches_nothing(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(1, 1, 1000))
    with pytest.raises(AdvreplError, match=r"has 0\.0 GB left"):
        pull("owner/story-gguf")
    assert not any("/resolve/" in path for _, path, _ in hub.asked)


def test_a_model_that_is_too_large_for_the_memory_is_told(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    memory = namedtuple("memory", "total")
    monkeypatch.setattr(psutil, "virtual_memory", lambda: memory(1000))
    assert "is more than this machine has" in pull("owner/story-gguf")


def test_the_list_of_known_models_begins_with_the_family(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = CliRunner().invoke(app(), ["models", "--known"]).output.splitlines()
    assert lines[1].startswith("metharme-1.3b") and "PygmalionAI/metharme-1.3b" in lines[1]
    assert len({each.name for each in known.KNOWN}) == len(known.KNOWN)
    assert all(each.repo.count("/") == 1 for each in known.KNOWN)
