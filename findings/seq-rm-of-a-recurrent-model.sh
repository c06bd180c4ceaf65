#!/usr/bin/env bash
# llama-cpp-python 0.3.36 (llama.cpp's C interface), gguf 0.19.0, a Mamba and an LFM2 of random weights.
#
# Expected: llama_memory_seq_rm takes tokens out of the middle of a sequence, or says False, as it does at the end of one.
# Seen: it says True and a Mamba forgets nothing: the next logits are those with the tokens, to the bit. In an LFM2 only
# the attention layers forget; the next logits are neither those with the tokens nor those without.
# Cure: take the middle out of no model for which llama_model_is_recurrent or _is_hybrid; go back to a copy of the state
# (llama_state_seq_get_data_ext with LLAMA_STATE_SEQ_FLAGS_PARTIAL_ONLY) and read on from there.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q llama-cpp-python==0.3.36 gguf==0.19.0 numpy
PYTHONPATH="$here" venv/bin/python - << 'EOF'
from tiny_models import TOKENS, Context, divergence, make

text, out = TOKENS[:60], slice(20, 40)
right = True
for arch in ("llama", "mamba", "lfm2"):
    path = make(arch)
    cut, whole, without = (Context(path) for _ in range(3))
    cut.decode(text, 0)
    end = cut.remove(40)  # tokens at its end
    if end:
        cut.decode(text[40:], 40)
    middle = cut.remove(out.start, out.stop)
    got = cut.decode(TOKENS[60:61], 60)
    whole.decode(text, 0)
    left = text[: out.start] + text[out.stop :]
    without.decode(left, 0)
    a, b = divergence(whole.decode(TOKENS[60:61], 60), got), divergence(without.decode(TOKENS[60:61], len(left)), got)
    print(f"{arch}: end removed: {end}, middle removed: {middle}; nats from all tokens {a:.4f}, from those left {b:.4f}")
    if arch != "llama":
        right &= not end and middle and (a == 0 if arch == "mamba" else a > 0.01 and b > 0.01)
raise SystemExit(not right)
EOF
echo "as found"
