"""An encrypted story that is played on the real model: nothing of it stands in the clear in any file."""

import struct
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from advrepl import paths
from advrepl.play import session
from advrepl.play.session import Settings
from advrepl.story import crypt, saves
from advrepl.story.save_file import SaveFile
from advrepl.terminal.editor import LineEditor
from tests.story.test_saves import a_save


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("ADVREPL_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(crypt, "COST", 1 << 10)
    yield


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_nothing_is_in_the_clear_while_it_is_played(tmp_path: Path) -> None:
    """The game is looked at before it is left, as a program that is killed would leave it."""
    lock = crypt.new_lock("wide awake")
    sampling = {"seed": 3, "max_tokens": 6}
    settings = Settings(saves=tmp_path, ctx=512, threads=1, options=0, sampling=sampling, lock=lock)
    game = session.new_game("lighthouse", settings)
    try:
        list(game.open())
        list(game.act("I polish the moonstone lens"))
        LineEditor(game, None, theme=None)._session.history.append_string("I polish the moonstone lens")
        game.store_kv()
        words = [word for turn in game.story.turns for word in turn.text.split() if len(word) > 5]
        tokens = game.engine.sequence.cached  # type: ignore[attr-defined]
        found = files(tmp_path)
        assert game.file.path.name == "story.json" and len(words) > 20 and len(tokens) > 60
        for name, data in found.items():
            assert not [word for word in (*words, "moonstone", "lighthouse", "keeper") if word.encode() in data], name
            for ids in (struct.pack("<6i", *tokens[40:46]), msgspec.msgpack.encode(tokens[40:46])[1:]):
                assert ids not in data, name
        assert {name for name in found if not name.startswith(".")} == {"story.json", "story.json.bak", "facts.json"}
        assert not paths.llama_log().exists() and not paths.history().exists()
    finally:
        game.close()
    assert saves.load(tmp_path / "story.json").turns[-2].text == "I polish the moonstone lens"
    resumed = session.resumed_game("story", Settings(saves=tmp_path, threads=1), print)
    try:
        assert resumed.state.save.lock == lock and resumed.kv_store is None
    finally:
        resumed.close()


def test_the_passphrase_is_asked_for_before_a_story_is_read(tmp_path: Path) -> None:
    with SaveFile(tmp_path / "story.json") as file:
        file.write(msgspec.structs.replace(a_save("Begin!"), lock=crypt.new_lock("wide awake")))
    crypt._keys.clear()
    asked: list[Path] = []
    with pytest.raises(crypt.Locked):
        session.known_story(None, Settings(saves=tmp_path), print, unlock=asked.append)
    assert asked == [tmp_path / "story.json"], "it is also the newest"
