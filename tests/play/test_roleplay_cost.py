"""What a long roleplay with lore, a note and examples costs, in tokens fed.

On a model of random weights with a real vocabulary, which costs a turn as many tokens as a trained one, and in
`make test-long` on the real small model.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from advrepl.engines.llama.engine import LlamaEngine
from advrepl.play import session
from advrepl.play.events import Reply, Slid
from advrepl.play.game import Game
from advrepl.play.session import Settings
from advrepl.terminal import commands
from tests import real

TURNS = 60
LINES = (
    "What is in the soup tonight?",
    "I sit down by the fire.",
    "Did you hear the bell on the roof?",
    "Tell me about the road over the pass.",
    "What do you write into that ledger?",
    "I listen.",
    "May I see the cellar?",
)
JOINTS = 8  # tokens that may be fed again where two texts meet


@pytest.fixture(scope="module", params=["tiny", pytest.param("real", marks=pytest.mark.slow)])
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, smollm2: Path) -> str:
    return str(smollm2 if request.param == "real" else real.metharme_mini(tmp_path_factory.mktemp("mini")))


def settings(model: str, saves: Path, **more: Any) -> Settings:
    sampling = {"max_tokens": 8, "seed": 5}
    return Settings(model=model, saves=saves, ctx=1024, threads=1, sampling=sampling, **more)


def played(game: Game, line: str) -> tuple[Reply, int, bool]:
    """The reply, the tokens that were new for it, and whether turns slid out."""
    prompt = game.planner.player_turn(line).window.prompt
    new = sum(map(game.engine.count, (*prompt.blocks[-1], *prompt.cue)))
    events = list(game.act(line))
    reply = next(event for event in events if isinstance(event, Reply))
    return reply, new, any(isinstance(event, Slid) for event in events)


def test_a_turn_of_a_full_window_feeds_only_what_is_new(tmp_path: Path, model: str) -> None:
    changed = TURNS * 2 // 3
    game = session.new_game("brindle", settings(model, tmp_path, you="Ann: a clerk"))
    assert isinstance(game.engine, LlamaEngine)
    list(game.open())
    list(commands.run(game, "/note It is snowing."))
    slid, told, whole = 0, 0, 0
    for turn in range(TURNS):
        if turn == changed:
            assert game.read_in_full == 1 and slid >= 3
            list(commands.run(game, "/memory Ann has promised to leave before dawn."))
        reply, new, moved = played(game, LINES[turn % len(LINES)])
        slid += moved
        told += any(source.startswith("lore") for source in game.story.path_turns()[-2].injections)
        fed = reply.stats["prompt"] - reply.stats["reused"]
        if turn in (0, changed):
            whole += 1
            assert fed > 400
        else:
            assert fed <= new + JOINTS, f"turn {turn} fed {fed} tokens for {new} new ones"
    assert slid >= TURNS // 10 and told >= TURNS // 4 and game.state.evicted() > TURNS
    assert game.read_in_full == whole == 2
    context = "\n".join(event.text for event in commands.run(game, "/context"))  # type: ignore[union-attr]
    assert "whole prompt    read 2 times" in context and "examples seen   0 of 2" in context
    game.close()


def test_a_book_of_300_kb_costs_a_turn_what_it_tells(tmp_path: Path, model: str) -> None:
    keys = ("soup", "fire", "bell", "pass", "ledger", "cellar", *(f"word{number}" for number in range(3_000)))
    entries = [{"keys": [key], "content": f"Of {key} much is told. " + "It is old. " * 6} for key in keys]
    book = tmp_path / "book.json"
    book.write_text(json.dumps({"entries": entries}))
    assert book.stat().st_size > 300_000
    game = session.new_game("brindle", settings(model, tmp_path, lore=(book,)))
    list(game.open())
    slid, told = 0, 0
    for turn in range(TURNS):
        reply, new, moved = played(game, LINES[turn % len(LINES)])
        slid += moved
        told += any(source.startswith("lore") for source in game.story.path_turns()[-2].injections)
        assert not turn or reply.stats["prompt"] - reply.stats["reused"] <= new + JOINTS
    assert slid >= 6 and told >= 15 and game.read_in_full == 1
    game.close()


def test_a_changed_note_feeds_from_its_oldest_place_on(tmp_path: Path, model: str) -> None:
    game = session.new_game("brindle", settings(model, tmp_path))
    list(game.open())
    for line in ("Hello.", "/note 4 It is snowing.", "I sit down.", "I wait."):
        list(commands.run(game, line) if line.startswith("/") else game.act(line))
    count = game.engine.count
    list(commands.run(game, "/note 4 The snow has stopped."))
    reply, new, _ = played(game, "I look up.")
    told = game.window().prompt.blocks[-6:-2]  # the turns since the first note, before the new one
    behind = sum(count(segment) for block in told for segment in block)
    fed = reply.stats["prompt"] - reply.stats["reused"]
    assert new < fed <= new + behind + JOINTS and game.read_in_full == 1
    game.close()
