#!/usr/bin/env bash
# llama-cpp-python 0.3.36 (llama.cpp's C interface), gguf 0.19.0, an LFM2 of random weights.
#
# Expected: with n_rs_seq = 4 ("number of recurrent-state snapshots per seq for rollback") a hybrid's sequence goes back by
# up to four tokens, however these were decoded, or llama_memory_seq_rm answers False.
# Seen: the snapshots are of the last batch alone. Two tokens of a batch of 100 are taken back rightly (0 nats). Where the
# last tokens were decoded one by one, as they are when they are sampled, seq_rm of two says True too, the positions are
# right, and the next logits are 0.78 nats off; not even one token that was decoded alone is taken back. A sequence that shares its cell (llama_memory_seq_cp) goes back along with
# the one that was cut, and a copy made after a cut has forgotten it (1.04 nats). For Mamba the field is set to 0 without
# a word, and for any model where it is 0 seq_rm says False.
# Cure: copies of one's own, of the recurrent part (llama_state_seq_get_data_ext with PARTIAL_ONLY), where one may go back
# to; with n_rs_seq never take back more than the last batch had, less one [batches of 1, 2, 3 and 5, cuts of 1 to 4].
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

path = make("lfm2")
fresh = Context(path)
fresh.decode(TOKENS[:98], 0)
right = fresh.decode(TOKENS[98:99], 98)


def read(alone):
    """100 tokens, the last of them one by one."""
    context = Context(path, n_rs_seq=4)
    context.decode(TOKENS[: 100 - alone], 0)
    for at in range(100 - alone, 100):
        context.decode(TOKENS[at : at + 1], at)
    return context


one, many, shared, copied = read(0), read(10), read(0), read(0)
said = one.remove(98), many.remove(98)
extents = one.extent(), many.extent()
offs = [divergence(right, each.decode(TOKENS[98:99], 98)) for each in (one, many)]
print(f"seq_rm of two: {said}, positions {extents}; nats off, in one batch {offs[0]:.4f}, one by one {offs[1]:.4f}")
lib.llama_memory_seq_cp(shared.memory, 0, 1, -1, -1)
shared.remove(98, -1, 1)
print(f"a copy was cut to 98 tokens, and its source has positions {shared.extent(0)}")
copied.remove(98)
lib.llama_memory_seq_cp(copied.memory, 0, 1, -1, -1)
late = divergence(right, copied.decode(TOKENS[98:99], 98, 1))
print(f"copied after the cut: positions as cut, {late:.4f} nats off")
mamba = lib.llama_n_rs_seq(Context(make("mamba"), n_rs_seq=4).pointer)
print(f"Mamba asked for 4 has {mamba}")
found = all(said) and extents == ((97, 97),) * 2 and offs[0] < 0.001 and offs[1] > 0.1
raise SystemExit(not (found and shared.extent(0) == (97, 97) and late > 0.1 and mamba == 0))
EOF
echo "as found"
