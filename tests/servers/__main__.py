"""Play a story of 40 turns on real servers (`make servers`), each killed in a reply and gone on with once it is back.

    python -m tests.servers [--turns N] [--only NAME ...] [http://HOST:PORT ...]

Starts what there is (kinds.py): a llama-server on the PATH, alone and with two RPC workers, llama_cpp.server,
xllamacpp's, vLLM. Servers that are named by their address are played on too, and not killed.
"""

import argparse
import tempfile
import time
from pathlib import Path
from urllib.parse import urlsplit

from advrepl.engines import models
from tests.servers import rules, story
from tests.servers.kinds import Kind, Running, kinds, started
from tests.servers.rules import Sent


def victims(server: Running) -> dict[str, list[int]]:
    """Return what is killed, each time in a reply of its own: process ids."""
    found = {"the server": server.family()}
    if server.workers:
        found["a worker"] = [server.workers[-1].pid]
    if engine := server.engine():
        found["its engine"] = [engine]
    return found


def play(kind: Kind, turns: int, reply: int, folder: Path, tokenizer: Path, sent: Sent) -> None:
    """A whole story, and a death for each part that can be killed."""
    begun = time.monotonic()
    with started(kind) as server:
        print(f"--- {kind.name} after {time.monotonic() - begun:.0f} s", flush=True)
        game = story.opened(server.url, folder, tokenizer, reply)
        sent.take()
        game = story.played(game, turns, sent, tokenizer)
        story.taken_back(game, sent)
        parts = victims(server)
        print(f"{parts.keys()}: {story.dies(game, parts.pop('the server'))}")
    for part in ("the server again", *parts):
        with started(kind, urlsplit(server.url).port) as server:
            story.goes_on(game)
            if part in parts:
                print(f"{part}: {story.dies(game, victims(server)[part])}")
    game.close()
    print(f"--- {kind.name}: all held, {time.monotonic() - begun:.0f} s", flush=True)


def main() -> None:
    """Play on every server that there is."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--turns", type=int, default=40)
    parser.add_argument("--ctx", type=int, default=1024)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--reply", type=int, default=100, help="tokens of a reply, at most")
    parser.add_argument("--only", nargs="*", metavar="NAME")
    parser.add_argument("addresses", nargs="*")
    asked = parser.parse_args()
    tokenizer = models.starter_model()
    assert tokenizer, "the starter model is not installed"
    with tempfile.TemporaryDirectory() as folder, rules.listening() as sent:
        for number, url in enumerate(asked.addresses):
            game = story.opened(url, Path(folder) / str(number), tokenizer, asked.reply)
            story.played(game, asked.turns, sent, tokenizer).close()
        there = [] if asked.addresses else kinds(tokenizer, asked.ctx, asked.threads)
        for kind in there:
            if not asked.only or kind.name in asked.only:
                play(kind, asked.turns, asked.reply, Path(folder) / kind.name, tokenizer, sent)
    assert asked.addresses or there


if __name__ == "__main__":
    main()
