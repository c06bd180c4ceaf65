#!/usr/bin/env bash
# llama-cpp-python 0.3.36 (llama.cpp's C interface), gguf 0.19.0, a Gemma 3 of random weights with a window of 64 tokens.
#
# Expected: with swa_full, which keeps all cells of the layers with a sliding window so that a sequence can be cut back
# anywhere, llama_state_seq_get_data keeps them too; or a cut of what is missing is refused.
# Seen: the state has only the last window of those layers. After llama_state_seq_set_data the sequence begins at position
# 136 of 200, llama_memory_seq_rm back to 60 says True, and the next logits are 0.1 nats and more off.
# Cure: after each cut look at llama_memory_seq_pos_min, and read again whatever the next token would see and is missing.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q llama-cpp-python==0.3.36 gguf==0.19.0 numpy
PYTHONPATH="$here" venv/bin/python - << 'EOF'
from tiny_models import TOKENS, Context, divergence, make

path = make("gemma3")
first, second, fresh = (Context(path, swa_full=True) for _ in range(3))
first.decode(TOKENS[:200], 0)
second.restore(first.state())
began, ended = second.extent()
cut = first.remove(60), second.remove(60)
fresh.decode(TOKENS[:60], 0)
right = fresh.decode(TOKENS[60:61], 60)
offs = [divergence(right, each.decode(TOKENS[60:61], 60)) for each in (first, second)]
print(f"restored: positions {began} to {ended} of 0 to 199; both cut back to 60: {cut}")
print(f"nats off, in the sequence itself {offs[0]:.4f}, in the restored one {offs[1]:.4f}")
raise SystemExit(not (began == 136 and all(cut) and offs[0] < 0.001 and offs[1] > 0.05))
EOF
echo "as found"
