#!/usr/bin/env bash
# transformers 5.17.0 with gguf 0.19.0: a GGUF file read by `from_pretrained(..., gguf_file=...)` and written as a folder.
#
# Expected: where no kernel for its blocks is there (any processor), all weights are dequantized, as a warning says, and
# the dense model is saved like any other: files are loaded to be trained, saved and converted back.
# Seen: every weight is an ordinary float tensor of an ordinary Linear, and save_pretrained raises a ValueError: "the
# model is quantized with QuantizationMethod.GGUF and is not serializable". The same weights, asked for with
# GgufConfig(dequantize=True), are saved. Both load the same numbers.
# Cure: pass quantization_config=GgufConfig(dequantize=True).
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q torch==2.13.0 transformers==5.17.0 gguf==0.19.0 accelerate==1.14.0
cat > tiny.py <<'PY'
import numpy as np
from gguf import GGMLQuantizationType, GGUFWriter, quants

WIDTH, INNER, WORDS = 64, 128, 256
out = GGUFWriter("tiny.gguf", "llama")
out.add_context_length(128)
out.add_embedding_length(WIDTH)
out.add_block_count(1)
out.add_feed_forward_length(INNER)
out.add_head_count(2)
out.add_head_count_kv(2)
out.add_layer_norm_rms_eps(1e-5)
out.add_rope_dimension_count(32)
out.add_vocab_size(WORDS)
out.add_tokenizer_model("gpt2")
out.add_token_list([chr(33 + i) for i in range(WORDS)])
out.add_bos_token_id(0)
out.add_eos_token_id(1)
random = np.random.default_rng(1)
shapes = {"token_embd": (WORDS, WIDTH), "output": (WORDS, WIDTH)}
shapes |= {f"blk.0.attn_{name}": (WIDTH, WIDTH) for name in ("q", "k", "v", "output")}
shapes |= {"blk.0.ffn_gate": (INNER, WIDTH), "blk.0.ffn_up": (INNER, WIDTH), "blk.0.ffn_down": (WIDTH, INNER)}
for name, shape in shapes.items():
    blocks = quants.quantize(random.standard_normal(shape).astype(np.float32), GGMLQuantizationType.Q8_0)
    out.add_tensor(f"{name}.weight", blocks, raw_dtype=GGMLQuantizationType.Q8_0)
for name in ("output_norm", "blk.0.attn_norm", "blk.0.ffn_norm"):
    out.add_tensor(f"{name}.weight", np.ones(WIDTH, np.float32))
out.write_header_to_file()
out.write_kv_data_to_file()
out.write_tensors_to_file()
out.close()
PY
cat > saves.py <<'PY'
import sys

import torch
from transformers import AutoModelForCausalLM, GgufConfig

models = []
for how in ({}, {"quantization_config": GgufConfig(dequantize=True)}):
    model = AutoModelForCausalLM.from_pretrained(".", gguf_file="tiny.gguf", dtype=torch.float32, **how)
    layer = model.model.layers[0].self_attn.q_proj
    try:
        model.save_pretrained("folder")
        said = "saved"
    except ValueError as error:
        said = str(error)[:90]
    print(f"{'dequantize=True' if how else 'by itself':15} {type(layer).__name__} of {layer.weight.dtype}: {said}")
    models.append((layer.weight, said))
same = torch.equal(models[0][0], models[1][0])
found = same and "not serializable" in models[0][1] and models[1][1] == "saved"
print("as found" if found else "changed")
sys.exit(not found)
PY
venv/bin/python tiny.py
venv/bin/python saves.py
