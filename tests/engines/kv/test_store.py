"""Leaving a story and coming back to it: only the new turn is fed, and no file that lies there can do harm."""

import json
import os
import resource
import shutil
import threading
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from advrepl import AdvreplError
from advrepl.engines.base import LoadOptions, Tuning
from advrepl.engines.kv import file as kv_file
from advrepl.engines.kv import log as kv_log
from advrepl.engines.kv import store as kv_store
from advrepl.engines.kv.borders import Borders
from advrepl.engines.kv.file import KvPersistent
from advrepl.engines.kv.reuse import ReusePlan
from advrepl.engines.kv.store import OtherFile, parse_limit, to_remove
from advrepl.engines.kv.tokens import TokenCache
from advrepl.engines.llama.engine import LlamaEngine
from advrepl.engines.llama.log import Log
from advrepl.engines.llama.model import LlamaModel
from advrepl.play import guidance, session
from advrepl.play.game import Game
from advrepl.play.session import Settings
from advrepl.prompt.segments import Segment
from advrepl.story import saves
from advrepl.story.tree import Story
from advrepl.terminal.lines import understood
from tests import architectures, real
from tests.conftest import ScriptedEngine

LINES = ("1", "I look around.", "2", "I open the door.", "3", "I listen.", "1", "I call out.", "2", "I wait.", "1", "2")


class Player:
    """Opens, plays and leaves stories in one folder, as the program does."""

    def __init__(self, folder: Path, model: Path, ctx: int, **more: Any) -> None:
        self.saves = folder / "saves"
        self.file = self.saves / "story.kv"
        more = {"sampling": {"seed": 3, "max_tokens": 12}} | more
        self.settings = Settings(str(model), saves=self.saves, ctx=ctx, threads=1, **more)
        self.notices: list[str] = []

    def begin(self, *lines: str, name: str = "story", **chosen: Any) -> None:
        game = session.new_game("start", replace(self.settings, save=name, **chosen))
        list(game.open())
        self.play(game, *lines)

    def resume(self, *lines: str, name: str = "story", **chosen: Any) -> dict[str, Any]:
        """Play these lines, leave, and return what the last reply cost; `notices` are what resuming said."""
        return self.play(self.opened(name, **chosen), *lines)

    def opened(self, name: str = "story", **chosen: Any) -> Game:
        self.notices.clear()
        return session.resumed_game(name, replace(self.settings, **chosen), self.notices.append)

    def play(self, game: Game, *lines: str) -> dict[str, Any]:
        try:
            for line in lines:
                list(game.act(understood(line, game.options()).text))
            return {**game.last.stats, "beyond": beyond_turn(game)} if game.last else {}
        finally:
            game.close()


def beyond_turn(game: Game) -> int:
    """Tokens that the last reply fed beyond those of the player's turn and what follows it, to the reply's own."""
    turns = game.story.path_turns()[:-1]
    prompt = game.format.spell(game.scenario, turns)
    begun = guidance.beginning(game.scenario, turns) if game.planner._is_guided(turns) else ""
    fed = game.last.stats["prompt"] - game.last.stats["reused"] if game.last else 0
    return int(fed - sum(map(game.engine.count, (*prompt.blocks[-1], *prompt.cue, Segment("", begun)))))


def saved(player: Player, name: str = "story") -> Story:
    save = saves.load(player.saves / f"{name}.json")
    return Story(save.turns, save.head)


def told(player: Player, name: str) -> list[str]:
    return [turn.text for turn in saved(player, name).path_turns()]


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ADVREPL_HOME", str(tmp_path / "home"))


@pytest.fixture(scope="module")
def mini(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """SentencePiece, random weights."""
    return real.metharme_mini(tmp_path_factory.mktemp("mini"))


@pytest.fixture
def player(tmp_path: Path, mini: Path) -> Player:
    return Player(tmp_path, mini, ctx=512, options=0)


@pytest.fixture(scope="module", params=["SentencePiece", "BPE"])
def either(request: pytest.FixtureRequest, mini: Path, shallow: Path) -> Path:
    return mini if request.param == "SentencePiece" else shallow


# --- coming back


def test_a_story_that_is_left_after_every_turn_feeds_new_turns_only(tmp_path: Path, either: Path) -> None:
    """Also when the window slides at once, and for replies that were not sampled as they are spelled."""
    wild = {"seed": 3, "max_tokens": 12, "temperature": 4.0, "top_k": 0, "top_p": 1.0, "min_p": 0.0}
    player = Player(tmp_path, either, ctx=384, options=1, sampling=wild)
    player.begin("1")
    slid, respelled, shifted = set(), 0, False
    for line in LINES[1:]:
        game = player.opened()
        assert isinstance(game.engine, LlamaEngine) and game.engine.shifted == shifted
        vocab, segments = game.engine.model.vocab, game.window().segments
        spelled = TokenCache(vocab.encode, vocab.piece, Borders(vocab.encode, {})).parts(segments)
        respelled += spelled[-1] != game.engine.sequence.token_cache.parts(segments)[-1]
        stats = player.play(game, line)
        assert stats["beyond"] <= 8 and player.notices == []
        shifted = game.engine.shifted
        assert shifted or not stats["shifted"]
        if stats["evicted"]:
            slid.add(stats["evicted"])
            assert stats["reused"] > 100
    assert len(slid) >= 2 and respelled and shifted


def test_leaving_does_not_change_what_is_written(tmp_path: Path, either: Path) -> None:
    player = Player(tmp_path, either, ctx=512, options=1)
    player.begin(*LINES[:3], name="left")
    player.resume(LINES[3], name="left")
    player.begin(*LINES[:4], name="stayed")
    assert told(player, "left") == told(player, "stayed") and len(told(player, "left")) == 10


def test_leaving_at_once_writes_nothing_new(player: Player) -> None:
    player.begin("1")
    before = player.file.stat()
    player.resume()
    after = player.file.stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)


def test_the_file_is_written_on_save_too(player: Player) -> None:
    player.begin()
    game = player.opened()
    list(game.act("look"))
    assert game.store_kv() == "" and player.file.exists()
    shutil.copy(player.saves / "story.json", player.saves / "copy.json")  # as if the program had been killed here
    shutil.copy(player.file, player.saves / "copy.kv")
    game.close()
    assert player.resume("go on", name="copy")["beyond"] <= 8 and player.notices == []


def test_without_the_option_there_is_no_file(player: Player) -> None:
    player.begin("1", kv_file=False)
    assert not player.file.exists()
    player.resume("2")
    assert player.file.exists()
    stats = player.resume("3", kv_file=False)
    assert stats["reused"] == 0


def test_an_engine_that_keeps_nothing_plays_all_the_same(new_game: Callable[..., Game]) -> None:
    engine = ScriptedEngine("A house.")
    assert not isinstance(engine, KvPersistent)
    game = new_game(engine)
    game.set_option_count(0)
    list(game.open())
    assert game.store_kv() == ""
    game.close()


# --- files that do not fit


def spoilt(data: bytes, how: str) -> bytes:
    if how == "other version":
        return data[:8] + b"\x09" + data[9:]
    if how == "flipped":  # in the cells of the first block
        at = 32 + int.from_bytes(data[12:16], "little") + 99
        return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]
    return {"begun": data[:99], "empty": b"", "PNG": b"\x89PNG\r\n\x1a\n" + data[8:]}[how]


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ("begun", "is cut short"),
        ("empty", "is empty"),
        ("flipped", "is damaged"),
        ("PNG", "is none of advrepl's"),
        ("other version", "was written by another version of advrepl"),
    ],
)
def test_a_spoilt_file_costs_time_and_nothing_else(player: Player, how: str, said: str) -> None:
    player.begin("1")
    player.file.write_bytes(spoilt(player.file.read_bytes(), how))
    stats = player.resume("2")
    assert player.notices == [f"the cache file story.kv {said}: the story is read again"]
    assert stats["reused"] == 0 and stats["generated"]
    stats = player.resume("3")  # and it has been replaced by a good one
    assert stats["beyond"] <= 8 and player.notices == []


def test_a_state_that_llama_cpp_refuses_leaves_an_empty_cache(player: Player) -> None:
    player.begin("1")
    game = player.opened(kv_file=False)
    engine = game.engine
    assert isinstance(engine, LlamaEngine)
    kept = kv_file.read(player.file, engine.key)
    first, tokens = bytes(kept.pieces[0].state), kept.pieces[0].piece.length
    for wrong, length in (
        *((state, tokens) for state in (first[:-1], first[:100], b"", b"\0" * 1000, first + b"\0")),
        (first, tokens - 1),  # other tokens than cells
    ):
        kv_file.write(player.file, replace_tokens(kept.snapshot, kept.snapshot.tokens[:length]), memoryview(wrong))
        again = kv_file.read(player.file, engine.key)
        assert engine.restore_parts(again.snapshot, again.pieces, None) == [] and engine.sequence.cached == []
    game.close()
    stats = player.resume("2")
    assert player.notices == ["the cache file story.kv does not fit: the story is read again"]
    assert stats["reused"] == 0


def replace_tokens(held: kv_file.KvSnapshot, tokens: list[int]) -> kv_file.KvSnapshot:
    return msgspec.structs.replace(held, tokens=tokens)


def test_a_file_of_a_model_of_the_same_shape_is_not_used(player: Player, tmp_path: Path) -> None:
    """llama.cpp itself would take it without a word."""
    player.begin("1")
    other = real.metharme_mini(tmp_path, seed=8)
    stats = player.resume("2", model=str(other))
    assert "the cache file story.kv is of another model: the story is read again" in player.notices
    assert stats["reused"] == 0


@pytest.mark.parametrize("ctx", [600, 1024, 384])
def test_a_file_is_used_with_another_context(player: Player, ctx: int) -> None:
    player.begin("1", "I look around.")
    assert player.resume("2", ctx=ctx)["beyond"] <= 8 and player.notices == []


def test_where_the_context_is_smaller_what_it_has_room_for_is_moved(player: Player) -> None:
    player.begin(*LINES)
    game = player.opened(ctx=320)
    engine = game.engine
    assert isinstance(engine, LlamaEngine) and player.notices == []
    assert 100 < len(engine.sequence.cached) < 320 and engine.shifted
    stats = player.play(game, "go on")
    assert stats["reused"] > 100
    assert player.resume("and on", ctx=320)["beyond"] <= 8


def test_a_file_of_another_cache_type_is_not_used(tmp_path: Path, shallow: Path) -> None:
    player = Player(tmp_path, shallow, ctx=384, options=0)
    player.begin("1", kv="q8_0")
    assert player.resume("2", kv="q8_0")["beyond"] <= 8 and player.notices == []
    assert player.resume("3", kv="f16")["reused"] == 0
    assert player.notices == ["the cache file story.kv is of cache type q8_0: the story is read again"]


def test_a_cache_that_is_laid_out_otherwise_is_not_taken(player: Player, mini: Path, tmp_path: Path) -> None:
    """Without flash attention llama.cpp keeps values column by column."""
    player.begin("1")
    options = LoadOptions(ctx=512, threads=1, tuning=Tuning(flash_attn=True))
    engine = LlamaEngine(LlamaModel(mini, options, Log(tmp_path / "log")))
    with pytest.raises(kv_file.UnusableError, match=r"is of cache type f16, values transposed$"):
        kv_file.read(player.file, engine.key)
    plain = kv_file.KvKey(engine.fingerprint, "f16, values transposed", engine.key.library)
    kept = kv_file.read(player.file, plain)
    assert engine.restore_parts(kept.snapshot, kept.pieces, None) == [] and engine.sequence.cached == []
    engine.close()


def test_a_story_that_was_changed_meanwhile_is_fed_from_the_change_on(player: Player) -> None:
    player.begin("1", "I sing.", "I dance.")
    game = player.opened(kv_file=False)
    game.undo()
    game.undo()
    game.close()
    stats = player.resume("I weep.")
    assert player.notices == [] and stats["shifted"] == 0 and stats["reused"] > 60
    assert [turn.text for turn in saved(player).path_turns() if turn.role == "user"][2:] == ["I weep."]


def test_a_file_of_an_earlier_turn_saves_what_it_can(player: Player) -> None:
    player.begin("1")
    old = player.file.read_bytes()
    player.resume("2", "3")
    player.file.write_bytes(old)
    stats = player.resume("1")
    assert player.notices == [] and stats["beyond"] > 30 and stats["reused"] > 60


# --- where there is no room


def test_sizes_are_read_as_people_write_them() -> None:
    assert [parse_limit(text) for text in ("4G", "500M", "1.5", " 2gb ", "1T")] == [
        4 << 30,
        500 << 20,
        3 << 29,
        2 << 30,
        1 << 40,
    ]
    for text in ("", "G", "much", "-1", "0", "nan", "inf", "1e99"):
        with pytest.raises(AdvreplError, match=r"is no size: give one like 4G or 500M"):
            parse_limit(text)


others = st.lists(st.builds(OtherFile, st.just(Path("a.kv")), st.integers(0, 100), st.integers(0, 9)), max_size=8)


@given(st.integers(0, 500), st.integers(1, 500), st.integers(0, 200), st.lists(st.integers(0, 1000)))
def test_no_block_reaches_over_a_multiple_of_the_window(
    start: int, length: int, window: int, chunks: list[int]
) -> None:
    """Of more than that llama.cpp copies only what a layer with the window sees from the end."""
    borders = kv_log.block_borders(start, start + length, window, chunks)
    assert borders[0] == start and borders[-1] == start + length
    for begun, ended in pairwise(borders):
        assert begun < ended <= begun + kv_log.BLOCK
        assert not window or begun // window == (ended - 1) // window
        assert not any(begun < at < ended for at in chunks)


@given(others, st.integers(1, 100), st.integers(0, 300))
def test_the_oldest_go_and_no_more_than_must(files: list[OtherFile], needed: int, limit: int) -> None:
    removed = to_remove(files, needed, limit)
    if removed is None:
        assert needed > limit
        return
    left = [file for file in files if not any(file is gone for gone in removed)]
    assert sum(file.size for file in left) + needed <= limit
    assert all(gone.changed <= file.changed for gone in removed for file in left)
    if removed:
        assert sum(file.size for file in left) + removed[-1].size + needed > limit


def test_the_oldest_files_make_room_for_the_story_that_is_played(player: Player) -> None:
    player.begin("1")
    for age, name in ((3, "old.kv"), (2, "killed.kv.tmp"), (1, "young.kv")):
        (player.saves / name).write_bytes(b"\0" * (1 << 20))
        os.utime(player.saves / name, (1_700_000_000 - age, 1_700_000_000 - age))
    size = player.file.stat().st_size
    os.utime(player.file, (1, 1))  # the oldest of all, but it is the one that is played
    player.resume("2", kv_limit="2M")
    assert size < 1 << 20 and sorted(path.name for path in player.saves.glob("*.kv*")) == ["story.kv", "young.kv"]


def test_a_file_beyond_the_limit_is_not_written(player: Player) -> None:
    (player.saves).mkdir()
    (player.saves / "old.kv").write_bytes(b"")
    player.begin("1", kv_limit="10K")
    assert not player.file.exists() and (player.saves / "old.kv").exists()
    game = player.opened(kv_limit="10K")
    list(game.act("2"))
    said = "the cache file story.kv is not written (it takes 0 MB, more than --kv-cache-limit): resuming will read"
    assert game.store_kv().startswith(said) and game.store_kv() == ""  # said once
    game.close()


def test_a_wrong_limit_is_told_before_the_model_is_loaded(player: Player, tmp_path: Path) -> None:
    (tmp_path / "none.gguf").write_bytes(b"no model")
    with pytest.raises(AdvreplError, match="--kv-cache-limit 'much' is no size"):
        player.begin(kv_limit="much", model=str(tmp_path / "none.gguf"))


def test_a_disk_that_takes_no_more_never_costs_the_story(player: Player) -> None:
    player.begin("1")
    game, before = player.opened(), player.file.read_bytes()
    usual = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + 99, usual[1]))  # enough for the save
    try:
        list(game.act("2"))
        assert game.store_kv() == (
            "the cache file story.kv is not written (File too large): resuming will read the story again"
        )
        game.save()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, usual)
    assert player.file.read_bytes() == before and not list(player.saves.glob("*.tmp"))
    assert game.store_kv() == "" and player.file.read_bytes() != before
    game.close()


# --- while the player reads


def written() -> None:
    """Wait for what is written while the player reads."""
    for thread in threading.enumerate():
        if thread.name == "advrepl-kv-store":
            thread.join()


def test_a_file_that_another_program_took_away_is_written_anew(player: Player) -> None:
    player.begin("1")
    game = player.opened()
    written()
    player.file.unlink()
    list(game.act("2"))
    game.close()
    assert player.resume("go on")["beyond"] <= 8 and player.notices == []


def test_killed_while_the_player_reads_nothing_is_lost(player: Player) -> None:
    player.begin("1")
    game = player.opened()
    for line in LINES[1:4]:
        list(game.act(line))
    written()
    shutil.copy(player.saves / "story.json", player.saves / "copy.json")
    shutil.copy(player.file, player.saves / "copy.kv")
    before = player.file.stat()
    game.close()
    after = player.file.stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)  # leaving only closes it
    assert player.resume("go on", name="copy")["beyond"] <= 8 and player.notices == []


def test_a_turn_adds_its_own_tokens_to_the_file_and_no_others(tmp_path: Path, shallow: Path) -> None:
    player = Player(tmp_path, shallow, ctx=1024, options=0)
    player.begin("1")
    game = player.opened(sampling={"seed": 3, "max_tokens": 60})
    assert isinstance(game.engine, LlamaEngine)
    written()
    size, tokens = player.file.stat().st_size, len(game.engine.sequence.cached)
    inode = player.file.stat().st_ino
    list(game.act("I look around."))
    written()
    new = len(game.engine.sequence.cached) - tokens
    own = game.engine.state_size() / len(game.engine.sequence.cached)  # bytes of a token
    assert new > 60 and player.file.stat().st_ino == inode
    assert new * own <= player.file.stat().st_size - size <= 1.3 * new * own
    game.close()


def test_what_slides_is_not_written_again(player: Player) -> None:
    """It is moved once, when it is read, from where it was at first."""
    player.begin(*LINES[:4], ctx=384)
    game = player.opened(ctx=384)
    engine, slides = game.engine, 0
    assert isinstance(engine, LlamaEngine)
    for line in (*LINES[4:], *LINES):
        slides += bool(list(game.act(line)) and game.last and game.last.stats["shifted"])
        written()
        found = kv_file.read(player.file, engine.key)
        assert found.snapshot.tokens == engine.sequence.cached[: len(found.snapshot.tokens)]
        assert len(found.snapshot.tokens) == len(engine.sequence.cached)
        tokens = sum(stored.block[1] - stored.block[0] for stored in {s.piece.record: s for s in found.pieces}.values())
        assert tokens <= 4 * 384
    assert slides >= 3 and any(stored.piece.start > 100 for stored in found.pieces)
    cached, shifted = list(engine.sequence.cached), engine.sequence.unshifted
    game.close()
    again = player.opened(ctx=384)
    assert isinstance(again.engine, LlamaEngine) and again.engine.sequence.cached == cached
    assert again.engine.sequence.unshifted == shifted and again.engine.shifted
    again.close()


def test_a_cache_that_is_read_back_is_the_one_that_was_left(player: Player) -> None:
    """Also behind a slide, but for rounding: the keys are turned once, from where they were at first."""
    player.begin(*LINES, *LINES[:5], ctx=384)
    given: list[Any] = []
    for kv_file_used in (True, False):
        game = player.opened(ctx=384, kv_file=kv_file_used)
        engine = game.engine
        assert isinstance(engine, LlamaEngine)
        if kv_file_used:
            tokens = list(engine.sequence.cached)
            assert engine.shifted
        else:
            engine.model.decode(tokens[:-1], 0)
            engine.sequence.cached = tokens[:-1]
        last = len(engine.sequence.cached) - (1 if kv_file_used else 0)
        engine.model.remove(last, -1)
        engine.model.decode(tokens[-1:], last)
        given.append(np.array(engine.model.logits(), dtype=np.float64))
        game.close()
    one, other = (np.exp(x - x.max()) / np.exp(x - x.max()).sum() for x in given)
    assert float(np.sum(one * np.log(one / other))) < 0.05


def test_what_was_taken_back_makes_room_when_there_is_more_of_it_than_of_the_rest(
    player: Player, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kv_store, "MOST_DEAD", 0.1)
    player.begin("1")
    game = player.opened()
    for _ in range(4):
        list(game.act("I look around."))
        written()
        game.undo()
    assert game.store_kv() == ""
    size = player.file.stat().st_size
    assert isinstance(game.engine, LlamaEngine)
    assert size < 1.5 * game.engine.state_size()
    game.close()
    assert player.resume("go on")["beyond"] <= 8 and player.notices == []


def test_moved_keys_are_turned_before_they_are_put_away(player: Player) -> None:
    """llama.cpp turns moved keys with the next decode; a copy made before that would hold wrong ones."""
    player.begin("1")
    game = player.opened()
    engine = game.engine
    assert isinstance(engine, LlamaEngine)
    tokens, window = list(engine.sequence.cached), game.window()
    held = engine.snapshot(window)
    assert held and engine.copy_state(held, kv_log.anonymous_memory)
    engine._reuse(ReusePlan(4, 6, len(tokens) - 6))
    unturned = replace_tokens(held, list(engine.sequence.cached))
    assert engine.model.k_shift_pending and engine.copy_state(unturned, kv_log.anonymous_memory) is None
    turned = engine.snapshot(window)
    assert turned and turned.tokens == tokens[:4] + tokens[6:] and not engine.model.k_shift_pending
    assert turned.unshifted == 4
    assert engine.copy_state(turned, kv_log.anonymous_memory)
    game.close()


# --- what stories with one card have in common


def begun(player: Player, what: str, lines: tuple[str, ...] = ("I look around.",), **chosen: Any) -> dict[str, Any]:
    """What the last reply of a new story cost, and how much of it beyond the player's turn."""
    game = session.new_game(what, replace(player.settings, **chosen))
    list(game.open())
    return player.play(game, *lines)


def test_a_card_is_read_once_whoever_plays_it_again(tmp_path: Path, mini: Path) -> None:
    player = Player(tmp_path, mini, ctx=2048, options=0, you="Anna")
    first, second = begun(player, "brindle"), begun(player, "brindle")
    assert first["reused"] == 0 and first["beyond"] > 400
    assert second["beyond"] <= 8 and second["reused"] + second["beyond"] >= first["beyond"]
    assert begun(player, "brindle", you="Anne")["reused"] == 0  # one letter of what is read
    assert begun(player, "brindle", ctx=1536)["beyond"] <= 8
    assert begun(player, "brindle", kv_file=False)["reused"] == 0
    assert len(list(player.saves.glob("card~*.kv"))) == 2


def test_a_card_read_before_is_continued_in_the_same_words(tmp_path: Path, mini: Path) -> None:
    player = Player(tmp_path, mini, ctx=2048, options=0, you="Anna")
    for name in ("first", "second"):
        begun(player, "brindle", save=name)
    assert told(player, "first") == told(player, "second")


@pytest.mark.parametrize("name", ["lfm2", "gemma3"])
def test_a_card_is_read_once_by_other_kinds_of_models_too(tmp_path: Path, name: str) -> None:
    path = architectures.make(name, tmp_path, context_length=8192)
    player = Player(tmp_path, path, ctx=8192, options=0, you="Anna", plain_model=True)
    assert begun(player, "brindle")["beyond"] > 400 and begun(player, "brindle")["beyond"] <= 8


@pytest.mark.parametrize("name", ["lfm2", "gemma3"])
def test_so_it_is_where_a_small_model_has_no_room_for_the_examples(tmp_path: Path, name: str) -> None:
    """Nothing was kept of such a card, as its examples slid out in the first turn."""
    dialogue = "<START>\n{{user}}: What is that?\n{{char}}: " + 30 * "It is a lamp. "
    fields = {"name": "Ida", "description": 9 * "Ida mends lamps. ", "first_mes": 9 * "Good day. "}
    card = tmp_path / "ida.json"
    fields["mes_example"] = "\n".join(3 * [dialogue])
    card.write_text(json.dumps(fields))
    player = Player(tmp_path, architectures.make(name, tmp_path, context_length=8192), ctx=4096, options=0, you="Anna")
    first, second = begun(player, str(card)), begun(player, str(card), ("I sit down.",))
    assert first["beyond"] > 600 and second["beyond"] <= 8 and second["reused"] > 600
    card.write_text(json.dumps({**fields, "description": fields["description"].replace("Ida", "Ada", 1)}))
    assert begun(player, str(card))["reused"] == 0


@pytest.mark.parametrize("name", ["mamba", "lfm2", "gemma3"])
def test_a_story_of_such_a_model_is_gone_on_with(tmp_path: Path, name: str) -> None:
    letters = dict.fromkeys("abcdefghijklmnopqrstuvwxyz", 20.0)  # else random bytes, which are no text
    sampling = {"seed": 3, "max_tokens": 30, "logit_bias": letters}
    path = architectures.make(name, tmp_path, context_length=8192)
    # How often an option has to be written anew is not what is measured here.
    player = Player(tmp_path, path, ctx=4096, options=2, sampling=sampling, plain_model=True)
    stayed = begun(player, "start", lines=("I look around.", "1", "2"))
    player.begin("I look around.", "1")
    resumed = player.resume("2")
    assert resumed["beyond"] <= stayed["beyond"] + 8 and resumed["reused"] > 100 and player.notices == []
    assert resumed["decoded"] <= 1.15 * (resumed["prompt"] - resumed["reused"] + resumed["generated"])
    assert told(player, "story") == told(player, "start")
    game = player.opened()
    game.undo()
    assert player.play(game, "I sing.")["beyond"] <= 16  # tokens; a Gemma's window is shorter than what was undone
