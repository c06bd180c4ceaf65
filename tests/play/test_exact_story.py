"""A story of a hundred turns with slides is the same in all its replies, however it was played.

On SmolLM2 with four of its layers: with all of them it takes an hour where others use the processor too.
"""

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
from msgspec.structs import replace

from advrepl.play import session
from advrepl.play.session import Settings
from advrepl.story import saves
from tests import ROOT
from tests.bench.setup import line

TURNS, READING = 100, 0.3  # seconds of each turn in which replies are written ahead


def played(model: Path, folder: Path, pieces: int, threads: int, *, ahead: bool) -> list[str]:
    """The replies of a story that is left and resumed between its pieces."""
    sampling = {"seed": 9, "max_tokens": 16}
    settings = Settings(str(model), saves=folder, ctx=384, options=0, sampling=sampling, exact=True, plain_model=True)
    name, said, warnings = "", 0, list[str]()
    for _ in range(pieces):
        usual = Settings(str(model), saves=folder) if name else settings
        usual = replace(usual, threads=threads, prefetch=ahead)
        game = session.resumed_game(name, usual, warnings.append) if name else session.new_game("lighthouse", usual)
        try:
            if not name:
                list(game.open())
            for _ in range(TURNS // pieces):
                if ahead:
                    game.start_prefetch()
                    time.sleep(READING)
                    game.pause_prefetch()
                list(game.act(line(said)))
                said += 1
            assert not game.store_kv() and game.window().evicted > 20
        finally:
            game.close()
        name = game.file.path.stem
    assert not warnings
    return [turn.text for turn in saves.load(game.file.path).turns if turn.role == "model" and turn.prompt]


@pytest.mark.slow
def test_each_reply_is_the_same_in_whatever_way_it_was_played(shallow: Path, tmp_path: Path) -> None:
    whole = played(shallow, tmp_path / "whole", 1, 1, ahead=False)
    assert len(whole) == TURNS and len(set(whole)) > TURNS // 2
    assert played(shallow, tmp_path / "ahead", 5, 1, ahead=True) == whole
    assert played(shallow, tmp_path / "threads", 4, 2, ahead=False) == whole
    command = [sys.executable, "-m", "advrepl", "saves", "replay", "lighthouse", "--saves", str(tmp_path / "ahead")]
    again = subprocess.run([*command, "--threads", "1", "--json"], cwd=ROOT, capture_output=True, check=True)
    assert json.loads(again.stdout)["same"] == TURNS
