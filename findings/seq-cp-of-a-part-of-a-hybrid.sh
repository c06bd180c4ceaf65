#!/usr/bin/env bash
# llama-cpp-python 0.3.36 (llama.cpp's C interface), gguf 0.19.0, an LFM2 of random weights.
#
# Expected: llama_memory_seq_cp of the first 50 of 100 positions gives a sequence that goes on at position 50, as it does
# on any model with attention alone; or the copy stays empty, as a recurrent state cannot be had for a place in between.
# Seen: the attention half takes the 50, the recurrent half shares its last state, of 100 tokens. The copy's lowest
# position is 99 and its highest 49; llama_decode takes position 50 without a word, 1.75 nats off. (seq_rm of the same
# part from the same sequence is refused.)
# Cure: take the copy whole, put the recurrent part's own copy for that place back into it
# (llama_state_seq_set_data_ext with PARTIAL_ONLY), and only then cut; a lowest position above the highest tells that
# the two halves disagree.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q llama-cpp-python==0.3.36 gguf==0.19.0 numpy
PYTHONPATH="$here" venv/bin/python - << 'EOF'
import llama_cpp.llama_cpp as lib
from tiny_models import TOKENS, Context, divergence, make

offs, extents = {}, {}
for arch in ("llama", "lfm2"):
    path = make(arch)
    context, fresh = Context(path), Context(path)
    context.decode(TOKENS[:100], 0)
    lib.llama_memory_seq_cp(context.memory, 0, 1, 0, 50)
    extents[arch] = context.extent(1)
    fresh.decode(TOKENS[:50], 0)
    right = fresh.decode(TOKENS[50:51], 50)
    offs[arch] = divergence(right, context.decode(TOKENS[50:51], 50, 1))
    print(f"{arch}: the copy has positions {extents[arch]}, and the next token is {offs[arch]:.4f} nats off")
raise SystemExit(
    not (extents == {"llama": (0, 49), "lfm2": (99, 49)} and offs["llama"] < 0.001 and offs["lfm2"] > 0.5)
)
EOF
echo "as found"
