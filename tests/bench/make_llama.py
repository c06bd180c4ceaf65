"""Make a LLaMA of seeded random weights: free of meaning, right in cost.

As a Hugging Face folder, to time converting, or as a Q4_K_M GGUF file made with our own converter, to time playing.
Run from the checkout: python -m tests.bench.make_llama FOLDER [--size 7b] [--gguf FILE.gguf]
1.1b takes 2.5 GB as a folder; 7b takes 13.5 GB, as much again while it is converted, and ends as 4.1 GB.
"""

import argparse
import json
import shutil
import subprocess
import sys
from dataclasses import dataclass, replace
from math import prod
from pathlib import Path
from typing import BinaryIO

import numpy as np

from tests import real, tiny

ROWS = 32000


@dataclass(frozen=True)
class Size:
    width: int
    inner: int
    heads: int
    layers: int


SIZES = {"1.1b": Size(2048, 5632, 32, 22), "7b": Size(4096, 11008, 32, 32)}


def shapes(size: Size) -> dict[str, tuple[int, ...]]:
    found: dict[str, tuple[int, ...]] = {"model.embed_tokens.weight": (ROWS, size.width)}
    for n in range(size.layers):
        p = f"model.layers.{n}."
        found |= {f"{p}self_attn.{name}_proj.weight": (size.width, size.width) for name in "qkvo"}
        found |= {f"{p}mlp.{name}_proj.weight": (size.inner, size.width) for name in ("gate", "up")}
        found |= {f"{p}mlp.down_proj.weight": (size.width, size.inner)}
        found |= {f"{p}{name}_layernorm.weight": (size.width,) for name in ("input", "post_attention")}
    return found | {"model.norm.weight": (size.width,), "lm_head.weight": (ROWS, size.width)}


def make(folder: Path, size: Size) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    config = {
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_act": "silu", "vocab_size": ROWS,
        "hidden_size": size.width, "intermediate_size": size.inner, "num_hidden_layers": size.layers,
        "num_attention_heads": size.heads, "max_position_embeddings": 2048, "rms_norm_eps": 1e-5, "bos_token_id": 1,
        "eos_token_id": 2, "tie_word_embeddings": False, "torch_dtype": "float16",
    }  # fmt: skip
    tiny.write_json(folder / "config.json", config)
    shutil.copy(real.sentencepiece_model(), folder / "tokenizer.model")
    with (folder / "model.safetensors").open("wb") as file:
        write(file, shapes(size))
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


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--size", choices=SIZES, default="1.1b")
    parser.add_argument("--layers", type=int)
    parser.add_argument("--gguf", type=Path, help="convert to this file, and remove the folder")
    options = parser.parse_args()
    size = SIZES[options.size]
    make(options.folder, replace(size, layers=options.layers or size.layers))
    if options.gguf:
        command = [sys.executable, "-m", "advrepl", "convert", str(options.folder), "-o", str(options.gguf)]
        subprocess.run([*command, "--format", "metharme"], check=True)
        shutil.rmtree(options.folder)


if __name__ == "__main__":
    main()
