"""`advrepl serve`: the command of a llama-server, and what it says to play on it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from advrepl import AdvreplError
from advrepl.cli.serve import how_to_play
from advrepl.engines import serving
from advrepl.engines.serving import Serving


def test_a_house_of_two_shares_one_slot() -> None:
    line = serving.command(Serving(Path("m.gguf"), 4096, players=2, threads=3))
    assert " ".join(line) == "llama-server -m m.gguf -c 4096 -np 1 -b 256 --host 127.0.0.1 --port 8080 -t 3"


@pytest.mark.parametrize(("players", "kept"), [(1, False), (2, True), (4, False)])
def test_states_that_a_slide_would_bring_back_are_kept_only_for_two_in_one_slot(players: int, kept: bool) -> None:
    line = " ".join(serving.command(Serving(Path("m.gguf"), 4096, players=players)))
    assert ("--cache-ram 0" not in line) == kept


def test_the_context_is_for_each_of_many() -> None:
    wanted = Serving(Path("m.gguf"), 4096, players=4, gpu_layers=0, kv="q8_0", workers=("a:50052", "b:50052"))
    assert " ".join(serving.command(wanted)).startswith("llama-server -m m.gguf -c 16384 -np 4 -b 256 ")
    assert "--slot-prompt-similarity 0" in " ".join(serving.command(wanted))
    assert " ".join(serving.command(wanted)).endswith("-ngl 0 -ctk q8_0 -ctv q8_0 --rpc a:50052,b:50052")


@pytest.mark.skipif(os.name == "nt", reason="the server is a shell script here")
def test_serve_becomes_the_server_on_the_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What ends `advrepl serve` ends the server: it is the same process. The key goes by the environment."""
    told = tmp_path / "told"
    program = tmp_path / "llama-server"
    program.write_text(f'#!/bin/sh\necho "$$ $LLAMA_API_KEY $*" > {told}\nexit 3\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("ADVREPL_API_KEY", "sk-secret")
    code = "from pathlib import Path; from advrepl.engines.serving import *; serve(Serving(Path('m.gguf'), 512))"
    started = subprocess.Popen([sys.executable, "-c", code])
    assert started.wait() == 3
    number, key, arguments = told.read_text().split(" ", 2)
    assert (int(number), key) == (started.pid, "sk-secret")
    assert arguments.startswith("-m m.gguf -c 512")
    with pytest.raises(AdvreplError, match="was built without RPC"):
        serving.serve(Serving(Path("m.gguf"), 512, workers=("a:1",)))


def test_where_there_is_no_server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(serving, "find_spec", lambda _: None)
    with pytest.raises(AdvreplError, match=r"put llama.cpp's llama-server on the PATH, or `.*install"):
        serving.serve(Serving(Path("m.gguf"), 512))


def test_what_to_type_to_play() -> None:
    assert how_to_play(Serving(Path("m"), 512))[0] == "Play on it with: advrepl play -m http://127.0.0.1:8080"
    (line, warning) = how_to_play(Serving(Path("m"), 512, host="192.0.2.5"))
    assert line.endswith("http://192.0.2.5:8080 --insecure")
    assert "can be read in this network" in warning
