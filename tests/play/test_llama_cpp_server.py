"""A real server, llama_cpp.server with the small model: a story is told there, the server dies, nothing is lost."""

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from advrepl import AdvreplError
from advrepl.engines.remote import completion
from advrepl.play import session
from advrepl.play.reply import Piece
from advrepl.play.session import Settings
from advrepl.sampling.params import Sampling
from advrepl.story import saves

CONTEXT = 512
GRAMMAR = 'root ::= " " ("yes" | "no") "\\n"'


@pytest.fixture
def server(smollm2: Path) -> Iterator[tuple[str, "subprocess.Popen[bytes]"]]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    how = ("--n_ctx", str(CONTEXT), "--n_threads", "1", "--interrupt_requests", "false", "--port", str(port))
    command = [sys.executable, "-m", "llama_cpp.server", "--model", str(smollm2), "--host", "127.0.0.1", *how]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}"
    try:
        end = time.monotonic() + 60
        while True:
            try:
                httpx.get(f"{url}/v1/models", timeout=1)
                break
            except httpx.HTTPError:
                assert time.monotonic() < end and process.poll() is None
                time.sleep(0.1)
        yield url, process
    finally:
        process.kill()
        process.wait()


def test_a_story_on_a_real_server_that_dies(
    server: tuple[str, "subprocess.Popen[bytes]"], smollm2: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(completion, "DELAYS", (0.0, 0.01))
    url, process = server
    settings = Settings(
        model=url, saves=tmp_path, tokenizer=smollm2, options=0, threads=1, sampling={"seed": 3, "max_tokens": 16}
    )
    game = session.new_game("start", settings)
    assert game.engine.n_ctx == CONTEXT  # said to a prompt that was too long
    assert game.engine.name == smollm2.stem
    assert game.format.name == "chat"  # of the tokenizer's template
    list(game.open())
    held = game.engine.generate(game.window(), Sampling(max_tokens=8), grammar=GRAMMAR, stop=("\n",))
    assert "".join(held) in (" yes", " no")  # a menu takes it ten times as long
    assert game.engine.grammars
    used = sum(map(game.engine.count, game.window().segments))
    assert used == game.window().used < CONTEXT
    shown = ""
    with pytest.raises(AdvreplError, match="/model FILE goes on with a model of this machine"):
        for event in game.act("I go inside."):
            if isinstance(event, Piece) and not shown:
                process.send_signal(signal.SIGKILL)
            shown += event.text if isinstance(event, Piece) else ""
    assert saves.load(game.file.path).turns[-1].text.startswith(shown)
    assert game.switch
    assert "now it goes on with" in game.switch(str(smollm2))
    game.close()
