"""Play a story of 40 turns on real servers (`make servers`), each killed in a reply and gone on with once it is back.

    python -m tests.servers [--turns N] [http://HOST:PORT ...]

Starts a llama_cpp.server, a llama-server if one is on the PATH, and xllamacpp's if it is installed; servers that are
named by their address are played on too, and not killed.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import httpx

from advrepl import AdvreplError
from advrepl.engines import models
from advrepl.play import session
from advrepl.play.game import Game
from advrepl.play.reply import Piece
from advrepl.play.session import Settings

PORT, CONTEXT = 18470, 1024
LINES = ("I look around.", "I open the nearest door.", "I ask who is there.", "I pick up the lamp.")


def commands(model: str) -> dict[str, list[str]]:
    """The servers that there are, and how each is started."""
    here = ["--host", "127.0.0.1", "--port", str(PORT)]
    found = {
        "llama_cpp.server": [
            *(sys.executable, "-m", "llama_cpp.server", "--model", model, "--n_ctx", str(CONTEXT)),
            *("--interrupt_requests", "false", *here),
        ]
    }
    if shutil.which("llama-server") or find_spec("xllamacpp"):
        found["advrepl serve"] = [sys.executable, "-m", "advrepl", "serve", "-m", model, "--ctx", str(CONTEXT), *here]
    return found


@contextmanager
def started(command: list[str]) -> Iterator["subprocess.Popen[bytes]"]:
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(600):
            try:
                httpx.get(f"http://127.0.0.1:{PORT}/v1/models", timeout=1).raise_for_status()
                break
            except httpx.HTTPError:
                assert process.poll() is None, "the server has ended"
                time.sleep(0.2)
        yield process
    finally:
        process.kill()
        process.wait()


def play(url: str, turns: int, folder: Path, tokenizer: Path) -> Game:
    """Play so many turns, half of them after a resume; every reply has its three options, and the window slides."""
    game = session.new_game("start", Settings(model=url, saves=folder, tokenizer=tokenizer), print)
    list(game.open())
    slid = 0
    for turn in range(turns):
        if turn == turns // 2:
            game.close()
            game = session.resumed_game(None, Settings(saves=folder, tokenizer=tokenizer), print)
        list(game.act(game.options()[turn % 3] if turn % 2 else LINES[turn // 2 % 4]))
        assert len(game.options()) == 3, game.story.last
        slid = max(slid, game.state.evicted())
        print(f"{turn + 1}: {game.last.stats if game.last else ''}", flush=True)
    assert slid or turns < 20, "the window never slid"
    return game


def die_and_go_on(game: Game, process: "subprocess.Popen[bytes]", command: list[str]) -> None:
    """Kill the server in a reply: one line, nothing lost; the story goes on when it is back."""
    shown, said = "", ""
    try:
        for event in game.act("I call out into the dark."):
            if isinstance(event, Piece):
                process.kill()
                shown += event.text
    except AdvreplError as error:
        said = str(error)
    assert said and "\n" not in said
    assert game.story.last and game.story.last.text.startswith(shown)
    print(said)
    with started(command):
        list(game.act("I wait."))
        assert len(game.options()) == 3


def main() -> None:
    """Play on every server that there is."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=40)
    parser.add_argument("addresses", nargs="*")
    asked = parser.parse_args()
    tokenizer = models.starter_model()
    assert tokenizer, "the starter model is not installed"
    with tempfile.TemporaryDirectory() as folder:
        for url in asked.addresses:
            play(url, asked.turns, Path(folder) / str(len(url)), tokenizer).close()
        for name, command in () if asked.addresses else commands(str(tokenizer)).items():
            print(f"--- {name}")
            with started(command) as process:
                game = play(f"http://127.0.0.1:{PORT}", asked.turns, Path(folder) / name, tokenizer)
                die_and_go_on(game, process, command)
                game.close()


if __name__ == "__main__":
    main()
