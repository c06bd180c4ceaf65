#!/usr/bin/env bash
# transformers 5.24.0 with gguf 0.19.0, accelerate 1.15.0 and torch 2.13.0, beside llama-cpp-python 0.3.36, on the same
# GGUF files: a LLaMA of random weights that says by which rule its context was stretched.
#
# Expected: from_pretrained(..., gguf_file=...) gives the model that llama.cpp runs, or says what of it is not known.
# Seen: rope.scaling.* (linear, YaRN) and the tensor rope_freqs.weight, in which the scaling of each Llama 3.1, 3.2 and
# 3.3 stands, are passed over: the config says rope_type "default", and nothing is said. The weights are right and the
# logits are those of another model: 0.00001 nats from llama.cpp without such a rule, 0.1 to 1.4 with one, in a text of
# 200 tokens, far shorter than the context. A fine-tune that begins there is one of a model that nobody had.
# Cure: set config.rope_parameters from the header, or from the config.json of the original, before loading.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q torch==2.13.0
venv/bin/pip install -q transformers==5.24.0 accelerate==1.15.0 gguf==0.19.0 llama-cpp-python==0.3.36 numpy
cat > look.py << 'PY'
import logging
import sys

import torch
from tiny_models import HEAD, TOKENS, YARN, Context, divergence, make
from transformers import AutoModelForCausalLM

said = []
handler = logging.Handler(logging.INFO)
handler.emit = lambda record: said.append(record.getMessage())
logging.getLogger("transformers").addHandler(handler)
# As convert_hf_to_gguf.py writes them for Llama 3: 1 where a pair of values turns quickly, 8 where it turns slowly.
llama_3 = [1.0] * (HEAD // 4) + [8.0] * (HEAD // 4)
rules = {
    "none": ({}, {}),
    "linear": ({}, {"rope.scaling.type": "linear", "rope.scaling.factor": 4.0}),
    "yarn": ({}, YARN),
    "llama 3": ({"rope_freqs.weight": llama_3}, {}),
}
right = True
for rule, (tensors, header) in rules.items():
    path = make("llama", tensors, **header)
    model = AutoModelForCausalLM.from_pretrained(".", gguf_file=str(path), dtype=torch.float32)
    with torch.no_grad():
        there = model(torch.tensor([TOKENS])).logits[0, -1].double().log_softmax(-1).numpy()
    off = divergence(Context(path).decode(TOKENS, 0), there)
    kind = model.config.rope_parameters["rope_type"]
    print(f"{rule}: rope_type {kind!r}, {off:.5f} nats from llama.cpp")
    right &= kind == "default" and (off < 0.001 if rule == "none" else off > 0.05)
about = [line for line in said if "rope" in line.lower()]
print("said of it:", about)
print("as found" if right and not about else "changed")
sys.exit(not (right and not about))
PY
OMP_NUM_THREADS=1 PYTHONPATH="$here" venv/bin/python look.py 2> log || { tail -5 log; exit 1; }
