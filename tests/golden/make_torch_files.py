"""Write the small .bin files in tests/golden/torch with torch itself, and what must be read from them.

Run with torch 2.13.0 from the root of the repository: `python tests/golden/make_torch_files.py`.
The values are in expected.json: {file: {tensor: [dtype, shape, values]}}, bfloat16 as its bits.
"""

import json
import sys
from collections import OrderedDict
from pathlib import Path

import torch

FOLDER = Path(__file__).parent / "torch"
NAMES = {
    torch.float32: "F32",
    torch.float16: "F16",
    torch.bfloat16: "BF16",
    torch.float64: "F64",
    torch.int64: "I64",
    torch.int32: "I32",
    torch.int16: "I16",
    torch.int8: "I8",
    torch.uint8: "U8",
    torch.bool: "BOOL",
}


def plain(dtype: torch.dtype) -> dict[str, torch.Tensor]:
    torch.manual_seed(1)
    return {
        "a.weight": torch.randn(3, 4).to(dtype),
        "a.bias": torch.randn(3).to(dtype),
        "scalar": torch.tensor(-1.5).to(dtype),
    }


def views() -> dict[str, torch.Tensor]:
    whole = torch.arange(120, dtype=torch.float32).to(torch.float16)
    square = torch.arange(12, dtype=torch.bfloat16).reshape(3, 4)
    return {
        "slice": whole[10:20],
        "steps": whole[5:50:7],
        "block": whole.reshape(10, 12)[2:5, 3:9],
        "turned": square.t(),
        "tied": whole[10:20],
        "repeated": torch.tensor([1.0, 2.0]).expand(3, 2),
        "nothing": torch.empty(0, 4),
        "middle": torch.arange(24, dtype=torch.int32).reshape(2, 3, 4).permute(2, 0, 1),
    }


def types() -> dict[str, torch.Tensor]:
    return {name: torch.tensor([0, 1, 1, 0, 1], dtype=dtype) for dtype, name in NAMES.items()}


def module() -> "OrderedDict[str, torch.Tensor]":
    torch.manual_seed(2)
    layers = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.LayerNorm(3))
    layers[0].register_buffer("mask", torch.tril(torch.ones(2, 2, dtype=torch.bool)))
    state: OrderedDict[str, torch.Tensor] = layers.state_dict()  # with the attribute _metadata
    return state


def parameters() -> dict[str, torch.nn.Parameter]:
    return {"weight": torch.nn.Parameter(torch.arange(6.0).reshape(2, 3)), "bias": torch.nn.Parameter(torch.zeros(2))}


def many() -> dict[str, torch.Tensor]:
    """More than 256 memo entries and more than one batch of items."""
    return {f"layer.{index}": torch.tensor([float(index)]) for index in range(60)}


def sourceless() -> torch.nn.Module:
    """A module whose source cannot be found: the legacy layout would copy it, with its path, into the file."""
    defined: dict[str, type[torch.nn.Module]] = {}
    exec("class Net(torch.nn.Linear):\n    __module__ = '__main__'", {"torch": torch}, defined)
    sys.modules["__main__"].Net = defined["Net"]  # type: ignore[attr-defined]
    layer = torch.nn.Linear(2, 2)
    layer.__class__ = defined["Net"]
    return layer


def bits(tensor: torch.Tensor) -> list[object]:
    shown = tensor.detach().contiguous()
    if tensor.dtype == torch.bfloat16:
        shown = shown.view(torch.int16).to(torch.int32) & 0xFFFF
    return [NAMES[tensor.dtype], list(tensor.shape), shown.flatten().tolist()]


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    states = {
        "f32": plain(torch.float32),
        "f16": plain(torch.float16),
        "bf16": plain(torch.bfloat16),
        "views": views(),
        "types": types(),
        "module": module(),
        "parameters": parameters(),
        "many": many(),
    }
    expected = {}
    for name, state in states.items():
        for layout, zipped in (("zip", True), ("legacy", False)):
            file = f"{name}-{layout}.bin"
            torch.save(state, FOLDER / file, _use_new_zipfile_serialization=zipped)
            expected[file] = {key: bits(tensor) for key, tensor in state.items()}
    # Refused: a whole module, as some uploads have it.
    torch.save(torch.nn.Linear(2, 2), FOLDER / "refused-module-zip.bin")
    torch.save(sourceless(), FOLDER / "refused-module-legacy.bin", _use_new_zipfile_serialization=False)
    (FOLDER / "expected.json").write_text(json.dumps(expected, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
