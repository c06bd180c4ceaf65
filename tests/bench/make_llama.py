"""Make a LLaMA-shaped Hugging Face folder of 1.1 billion seeded random weights (2.5 GB of F16), to time converting.

Run from the checkout: python -m tests.bench.make_llama FOLDER [LAYERS]
"""

import json
import shutil
import sys
from math import prod
from pathlib import Path
from typing import BinaryIO

import numpy as np

from tests import real, tiny

WIDTH, INNER, HEADS, ROWS = 2048, 5632, 32, 32000


def shapes(layers: int) -> dict[str, tuple[int, ...]]:
    found: dict[str, tuple[int, ...]] = {"model.embed_tokens.weight": (ROWS, WIDTH)}
    for n in range(layers):
        p = f"model.layers.{n}."
        found |= {f"{p}self_attn.{name}_proj.weight": (WIDTH, WIDTH) for name in "qkvo"}
        found |= {f"{p}mlp.{name}_proj.weight": (INNER, WIDTH) for name in ("gate", "up")}
        found |= {f"{p}mlp.down_proj.weight": (WIDTH, INNER)}
        found |= {f"{p}{name}_layernorm.weight": (WIDTH,) for name in ("input", "post_attention")}
    return found | {"model.norm.weight": (WIDTH,), "lm_head.weight": (ROWS, WIDTH)}


def make(folder: Path, layers: int = 22) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    config = {
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_act": "silu", "vocab_size": ROWS,
        "hidden_size": WIDTH, "intermediate_size": INNER, "num_hidden_layers": layers, "num_attention_heads": HEADS,
        "max_position_embeddings": 2048, "rms_norm_eps": 1e-5, "bos_token_id": 1, "eos_token_id": 2,
        "tie_word_embeddings": False, "torch_dtype": "float16",
    }  # fmt: skip
    tiny.write_json(folder / "config.json", config)
    shutil.copy(real.sentencepiece_model(), folder / "tokenizer.model")
    with (folder / "model.safetensors").open("wb") as file:
        write(file, shapes(layers))
    return folder


def write(file: BinaryIO, found: dict[str, tuple[int, ...]]) -> None:
    header: dict[str, object] = {"__metadata__": {"format": "pt"}}
    end = 0
    for name, shape in found.items():
        header[name] = {"dtype": "F16", "shape": shape, "data_offsets": [end, end := end + 2 * prod(shape)]}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    file.write(len(text).to_bytes(8, "little") + text)
    random = np.random.default_rng(11)
    for shape in found.values():
        values = random.standard_normal(shape, np.float32) * 0.02 if len(shape) > 1 else np.ones(shape, np.float32)
        file.write(values.astype(np.float16).tobytes())


if __name__ == "__main__":
    make(Path(sys.argv[1]), *map(int, sys.argv[2:]))
