"""A story goes on with what it was played with, and the command line wins. On the real small model."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from advrepl.engines import models
from advrepl.engines.llama.engine import LlamaEngine
from advrepl.play import lookup, remembered, session
from advrepl.play.game import Game
from advrepl.play.session import Settings
from advrepl.story import saves


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ADVREPL_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("ADVREPL_MODEL", raising=False)


def test_context_and_cache_are_those_that_the_story_was_played_with(
    tmp_path: Path, opened: Callable[[Game], Game]
) -> None:
    place = tmp_path / "saves"
    begun = Settings(saves=place, save="mine", ctx=512, threads=1, kv="q8_0", plain_model=True)
    game = opened(session.new_game("start", begun))
    list(game.open())
    game.close()
    cases: list[tuple[dict[str, Any], int, str]] = [
        ({}, 512, "q8_0"), ({"ctx": 384}, 384, "q8_0"), ({"kv": "f16"}, 384, "f16"), ({}, 384, "f16"),
    ]  # fmt: skip
    for said, ctx, kv in cases:
        game = opened(session.resumed_game("mine", Settings(saves=place, threads=1, **said), lambda _: None))
        assert game.engine.n_ctx == ctx and game.state.save.played == saves.PlayedWith(ctx, kv, True)
        assert isinstance(game.engine, LlamaEngine) and game.engine.model.cache_types[0] == kv
        assert game.planner.plain_model
        game.set_option_count(2)  # a story that is only looked at is not written
        game.close()


def test_what_one_model_was_played_with_is_not_for_another(smollm2: Path) -> None:
    """It may have been trained on fewer tokens, and then it could not be opened."""
    shipped = saves.load(lookup.SHIPPED_FOLDERS[0] / "the-old-house.json")
    save = msgspec.structs.replace(shipped, played=saves.PlayedWith(8000, "q8_0", True))
    for fingerprint, ctx in (models.fingerprint_of(smollm2), 8000), ("another", None):
        save = msgspec.structs.replace(save, model=saves.ModelRef("m", fingerprint))
        found = remembered.applied(Settings(), save, smollm2)
        assert found.ctx == ctx and found.remembered == (("ctx", "kv") if ctx else ()) and found.plain_model


def test_what_is_said_is_not_remembered_as_the_models_own(smollm2: Path) -> None:
    shipped = saves.load(lookup.SHIPPED_FOLDERS[0] / "the-old-house.json")
    model = saves.ModelRef("m", models.fingerprint_of(smollm2))
    save = msgspec.structs.replace(shipped, model=model, played=saves.PlayedWith(8000, "q8_0"))
    found = remembered.applied(Settings(ctx=1024), save, smollm2)
    assert (found.ctx, found.kv, found.remembered) == (1024, "q8_0", ("kv",))
    assert remembered.as_said(found) == Settings(ctx=1024)
