"""A story of many turns on a server: it slides, is left and resumed, its server dies in a reply, and it goes on.

Starts no server (kinds.py does).
"""

import os
import signal
from contextlib import suppress
from pathlib import Path

from msgspec.structs import replace

from advrepl import AdvreplError
from advrepl.engines.remote.engine import RemoteEngine
from advrepl.play import session
from advrepl.play.events import Note
from advrepl.play.game import Game
from advrepl.play.reply import Piece
from advrepl.play.session import Settings
from advrepl.story import saves
from advrepl.terminal import commands
from tests.servers import rules
from tests.servers.rules import Sent

LINES = ("I look around.", "I open the nearest door.", "I ask who is there.", "I pick up the lamp.")
LONG = 200  # tokens of a reply that is not there before its server is killed
BEYOND = 70  # tokens that may be read at a slide beside those of the new turn, where the server moves the rest


def opened(url: str, folder: Path, tokenizer: Path, reply: int) -> Game:
    """Begin a story, each time with the same seed."""
    settings = Settings(model=url, saves=folder, tokenizer=tokenizer, sampling={"seed": 1, "max_tokens": reply})
    game = session.new_game("start", settings, print)
    list(game.open())
    return game


def played(game: Game, turns: int, sent: Sent, tokenizer: Path) -> Game:
    """Play so many turns, half of them after a resume: each has its three options, and the rules are kept."""
    slides = before = 0
    for turn in range(turns):
        if turn == turns // 2:
            game.close()
            game = session.resumed_game(None, Settings(saves=game.file.path.parent, tokenizer=tokenizer), print)
        list(game.act(game.options()[turn % 3] if turn % 2 else LINES[turn // 2 % 4]))
        assert len(game.options()) == 3, game.story.last
        slid, before = game.state.evicted() > before, game.state.evicted()
        slides += slid
        checked(game, sent, slid)
        stats = game.last.stats if game.last else {}
        print(f"{turn + 1}: {stats}{' slid' if slid else ''}", flush=True)
    assert slides or turns < 20, "the window never slid"
    return game


def checked(game: Game, sent: Sent, slid: bool) -> None:
    """Hold a turn's requests to the rules."""
    engine, requests = game.engine, sent.take()
    assert isinstance(engine, RemoteEngine)
    dialect = engine.server.dialect
    for request in requests:
        rules.check(request, dialect)
    assert slid == rules.moves(requests, dialect) or not dialect.reuse, f"moved: {not slid}, though slid: {slid}"
    assert any(request.get((*dialect.grammar, "")[0]) for request in requests), "no grammar for the options"
    assert "/slots" not in sent.paths
    if slid and dialect.reuse and game.last:
        assert game.last.stats["prompt"] - game.last.stats["reused"] - turn_size(game) <= BEYOND, game.last.stats


def turn_size(game: Game) -> int:
    """Return the tokens of the line that was said last, with what stands around it."""
    blocks = game.window().prompt.blocks
    return sum(map(game.engine.count, (*blocks[-2], *game.window().prompt.cue)))


def taken_back(game: Game, sent: Sent) -> None:
    """Retry, undo and edit: nothing that has seen what is gone is moved."""
    for line in ("/retry", "/undo", "/edit I sit down and wait."):
        sent.take()
        list(commands.run(game, line))
        if line == "/undo":
            list(game.act("I stand still."))
        engine = game.engine
        assert isinstance(engine, RemoteEngine)
        assert not rules.moves(sent.take(), engine.server.dialect), line


def dies(game: Game, victims: list[int]) -> str:
    """Kill processes in the middle of a reply: one line says it, no word that was shown is lost. Returns the line."""
    shown, said = "", ""
    game.set_sampling(replace(game.sampling, max_tokens=LONG))
    try:
        for event in game.act("I call out into the dark, and tell them all that I have seen today."):
            if isinstance(event, Piece):
                for victim in victims if not shown else ():
                    with suppress(ProcessLookupError):
                        os.kill(victim, signal.SIGKILL)
                shown += event.text
            elif isinstance(event, Note):
                print(event.text)
    except AdvreplError as error:
        said = str(error)
    assert said, "nothing said that the server is gone"
    assert "\n" not in said, said
    last = saves.load(game.file.path).turns[-1]
    assert shown and last.text.startswith(shown.strip()), (shown, last.text)
    return said


def goes_on(game: Game) -> None:
    """Play on, as the player would once the server is back."""
    list(game.go_on())
    list(game.act("I wait."))
    assert len(game.options()) == 3
