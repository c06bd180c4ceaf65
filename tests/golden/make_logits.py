"""Make the reference logits of every shape in tests/tiny.py with transformers; needs torch.

Run from the checkout: python -m tests.golden.make_logits
Two references where a model has a GELU: its own, and one with llama.cpp's (a table of half precision numbers,
tanh form), which tells an error of the conversion from a coarseness of the engine.
"""

import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import AutoModelForCausalLM

from tests import tiny

COUNT = 300
STEP = 15  # every fifteenth row of logits is kept whole; of the others the most likely token and its lead


class TableGelu(torch.nn.Module):  # type: ignore[misc]  # mypy takes torch as a library without types
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        rounded = torch.nn.functional.gelu(x.half().float(), approximate="tanh").half().float()
        return torch.where(x <= -10, 0.0, torch.where(x >= 10, x, rounded))


def reference(folder: Path, tokens: list[int], table: bool) -> tiny.Floats:
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager")
    for module in model.modules() if table else ():
        if hasattr(module, "act") and "MLP" in type(module).__name__:
            module.act = TableGelu()
    with torch.no_grad():
        full: tiny.Floats = model(torch.tensor([tokens])).logits[0].float().numpy()
    return full


def lead(full: tiny.Floats) -> tiny.Floats:
    """How far the most likely token is ahead of the second."""
    top = np.sort(full, axis=1)[:, -2:]
    return top[:, 1] - top[:, 0]


def main() -> None:
    found: dict[str, Any] = {}  # arrays; of any type, as savez_compressed has a keyword of its own, too
    for name, (maker, _) in tiny.SHAPES.items():
        with tempfile.TemporaryDirectory() as folder:
            made = tiny.make(name, Path(folder))
            full = reference(made, tiny.tokens_of(COUNT, tiny.ROWS), table=False)
            if maker is not tiny.llama:
                table = reference(made, tiny.tokens_of(COUNT, tiny.ROWS), table=True)
                found[f"{name}/table"] = table[::STEP]
        found |= {f"{name}/logits": full[::STEP], f"{name}/likely": full.argmax(1).astype(np.int16)}
        found[f"{name}/lead"] = lead(full).astype(np.float32)
        print(name, "spread", float(full.std()), file=sys.stderr)
    np.savez_compressed(Path(__file__).with_name("logits.npz"), **found)


if __name__ == "__main__":
    main()
