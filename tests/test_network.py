"""Nothing leaves the machine: no command but `pull` and a server that was named opens a socket to a network."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests import ROOT, architectures, tiny

GUARD = """
import socket, sys
def hook(event, arguments):
    if event in ("socket.connect", "socket.bind", "socket.sendto", "socket.getaddrinfo", "socket.gethostbyname"):
        # urllib3, which gguf may bring in, finds out so whether there is IPv6; nothing is sent.
        if arguments[1:] != (("::1", 0),) and not (
            event == "socket.connect" and arguments[0].family == getattr(socket, "AF_UNIX", None)
        ):
            sys.stderr.write(f"NETWORK {event} {arguments[1:]}\\n")
sys.addaudithook(hook)
from advrepl.cli import main
main()
"""
PLAYED = ("--options", "0", "--max-tokens", "4", "--threads", "1", "--format", "metharme")


def run(home: Path, *words: str, traced: Path | None = None) -> str:
    environment = {
        **os.environ,
        "ADVREPL_HOME": str(home),
        "ADVREPL_SAVES": str(home / "saves"),
        "PYTHONPATH": str(ROOT),
    }
    environment.pop("ADVREPL_MODEL", None)
    command = [sys.executable, "-c", GUARD, *words]
    if traced:
        command = ["strace", "-f", "-qq", "-e", "trace=network", "-o", str(traced), *command]
    done = subprocess.run(
        command, input="look\n", env=environment, capture_output=True, text=True, timeout=100, check=False
    )
    assert done.returncode in (0, 1), done.stderr
    return done.stderr


def all_commands(home: Path) -> list[tuple[str, ...]]:
    model = str(architectures.make("llama", home))
    folder = str(tiny.make("llama-256", home / "folder"))
    return [
        ("play", "start", "--save", "a", "-m", model, *PLAYED),
        ("resume", "a", "-m", model, *PLAYED),
        ("saves", "list"),
        ("saves", "check"),
        ("models",),
        ("doctor",),
        ("convert", folder, "-o", str(home / "out.gguf")),
    ]


def test_play_resume_and_lists_ask_for_no_network(tmp_path: Path) -> None:
    for words in all_commands(tmp_path)[:3]:
        assert "NETWORK" not in run(tmp_path, *words), words


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("strace"), reason="strace is not installed")
def test_no_command_reaches_an_internet_address(tmp_path: Path) -> None:
    """By the system's own calls, those of llama.cpp and of child processes among them."""
    calls = tmp_path / "calls"
    for words in all_commands(tmp_path):
        assert "NETWORK" not in run(tmp_path, *words, traced=calls), words
        reached = [line for line in calls.read_text().splitlines() if "AF_INET" in line and " socket(" not in line]
        assert not [line for line in reached if '"::1"' not in line], words
