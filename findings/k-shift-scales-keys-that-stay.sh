#!/usr/bin/env bash
# llama-cpp-python 0.3.36 (llama.cpp's C interface), gguf 0.19.0, a LLaMA of random weights with YaRN in its header.
#
# Expected: llama_memory_seq_add moves the cells it is asked to move; others, of another sequence too, stay as they are.
# Seen: llama_memory_can_shift says True, and the K-shift of the next decode multiplies the keys of all cells by YaRN's
# attention factor once more, also of those that do not move. A sequence that nobody touched is 0.1 nats and more off
# after five moves of another one. The same with rope.scaling.attn_factor. Without YaRN it is exactly as it was.
# Cure: move nothing where the header has YaRN, or an attn_factor other than 1; read it again.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q llama-cpp-python==0.3.36 gguf==0.19.0 numpy
PYTHONPATH="$here" venv/bin/python - << 'EOF'
from tiny_models import TOKENS, YARN, Context, divergence, make

right = True
for name, header in (("plain", {}), ("yarn", YARN)):
    path = make("llama", **header)
    context, fresh = Context(path), Context(path)
    context.decode(TOKENS[:60], 0)
    for _ in range(5):  # the other sequence: read behind a gap, moved to the front, forgotten
        context.decode(TOKENS[:4], 3, seq=1)
        context.move(0, -1, -3, seq=1)
        context.decode(TOKENS[4:5], 4, seq=1)
        context.remove(-1, -1, seq=1)
    fresh.decode(TOKENS[:60], 0)
    off = divergence(fresh.decode(TOKENS[60:61], 60), context.decode(TOKENS[60:61], 60))
    print(f"{name}: the sequence that was not touched is {off:.4f} nats off after five moves of the other")
    right &= off == 0 if name == "plain" else off > 0.05
raise SystemExit(not right)
EOF
echo "as found"
