"""Write a GGUF file as a Hugging Face folder in bfloat16, for servers that take no GGUF.

    python tests/servers/folder.py FILE.gguf FOLDER

Runs in vLLM's environment, with its transformers: imports nothing of advrepl.
"""

import sys
from pathlib import Path


def write(file: Path, folder: Path) -> None:
    """Dequantize the weights, and write them with config and tokenizer; the folder is whole or not there."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    half = folder.with_name(f"{folder.name}.part")
    # Without this they are dequantized as well, but the model counts as quantized, and is not saved.
    dense = GgufConfig(dequantize=True)
    model = AutoModelForCausalLM.from_pretrained(
        file.parent, gguf_file=file.name, dtype=torch.bfloat16, quantization_config=dense
    )
    model.save_pretrained(half)
    AutoTokenizer.from_pretrained(file.parent, gguf_file=file.name).save_pretrained(half)
    half.rename(folder)


if __name__ == "__main__":
    write(Path(sys.argv[1]), Path(sys.argv[2]))
