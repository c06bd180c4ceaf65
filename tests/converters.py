"""Our converter beside llama.cpp's own two tools, byte for byte: `make converters`. Ends with 1 where they differ.

`python -m tests.converters LLAMA_CPP BIN PYTHON [NAME ...]`: llama.cpp's sources, the folder of llama-quantize and
llama-imatrix, and a Python with torch and transformers for convert_hf_to_gguf.py. On small models of random weights,
one of each architecture of the family. All tensors have to be alike, and of the header all but what DECIDED lists.
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any

import gguf

from convert.quantize.types import FTYPES, UNQUANTIZED
from tests import real, tiny
from tests.convert.converted import convert
from tests.convert.vocab.test_spm import RUNS, trained

WIDE = {"hidden_size": 256, "intermediate_size": 512, "num_hidden_layers": 1}  # so that every type fits its rows
FEW = ("Q8_0", "Q4_K_M")

# convert_hf_to_gguf.py knows a tokenizer by a sum of its tokens: a small one is told by name here. And it reads
# config.json by transformers, of which version 5 gives rotary_pct of GPT-NeoX another name: it gets both. For a Mistral
# transformers looks into mistral-common, of which the tests have the vocabularies and not what it needs to be imported.
DRIVER = """
import json, pathlib, sys
source, name = sys.argv[1:3]
sys.path[:0] = [source, source + "/gguf-py"]
import conversion.base
if name:
    conversion.base.TextModel.get_vocab_base_pre = lambda self, tokenizer: name
read = conversion.base.ModelBase.load_hparams
def both(folder, *rest, **named):
    return json.loads((pathlib.Path(folder) / "config.json").read_text()) | read(folder, *rest, **named)
conversion.base.ModelBase.load_hparams = staticmethod(both)
from transformers.models.auto import tokenization_auto
tokenization_auto._use_mistral_format = lambda *named, **how: False
import convert_hf_to_gguf
sys.argv[:3] = ["convert_hf_to_gguf.py"]
convert_hf_to_gguf.main()
"""

Make = Callable[[Path], None]


@dataclass(frozen=True)
class Model:
    """A small model, and how the two are told apart where it was decided so."""

    make: Make
    pre: str = ""  # its tokenizer's name in llama.cpp, where that cannot know it
    refused: str = ""  # what convert_hf_to_gguf.py says instead of converting
    types: tuple[str, ...] = FEW
    decided: dict[str, str] = field(default_factory=dict)  # header keys that differ, besides DECIDED


# Header keys that are not alike, and why.
DECIDED = {
    "advrepl.source.files": "what it was made from",
    "advrepl.source.sha256": "what it was made from",
    "general.name": "as the README's title or the folder has it, not with words set apart and capitals",
    "quantize.imatrix.file": "its name, without the folder of whoever made the file",
    "tokenizer.ggml.add_space_prefix": "told also where it is what llama.cpp takes it for",
    "tokenizer.ggml.unknown_token_id": "told also where only the SentencePiece model names it",
}


NEOX = {
    "general.file_type": "told, as for the others",
    "gptneox.rope.freq_base": "told also where it is what llama.cpp takes it for: with another one theirs is wrong",
    "tokenizer.ggml.add_bos_token": "told also where it is what llama.cpp takes it for",
}


PREFIX = {
    "advrepl.prefix_first": "llama.cpp has no word for it, and puts the blank behind each special token",
    "advrepl.prefix_once": "llama.cpp has no word for it, and puts one before a text that begins with a blank too",
}
ADDED = {
    **PREFIX,
    "advrepl.strips_left": "llama.cpp has no word for it, and goes by the model's name",
    "advrepl.strips_right": "llama.cpp has no word for it, and goes by the model's name",
}
OWN = {
    "advrepl.blanks_alike": "llama.cpp has no word for it",
    "tokenizer.ggml.token_type": "user-defined pieces are written as such; theirs are normal ones, and cut otherwise",
    "tokenizer.ggml.tokens": "with the blanks of those as in a text, where llama.cpp looks for them",
}
PIECES = {
    **PREFIX,
    "tokenizer.ggml.scores": "minus the rank of a merge; theirs are all alike, so llama.cpp merges otherwise",
    "tokenizer.ggml.token_type": "the unknown token is marked as such",
    "tokenizer.ggml.add_bos_token": "told also where it is what llama.cpp takes it for",
    "tokenizer.ggml.add_eos_token": "told also where it is what llama.cpp takes it for",
}


def spm(folder: Path) -> None:
    for file in folder.glob("tokenizer*"):
        file.unlink()
    shutil.copy(real.sentencepiece_model(), folder / "tokenizer.model")
    names = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "tokenizer_class": "LlamaTokenizer"}
    tiny.write_json(folder / "tokenizer_config.json", {**names, "add_bos_token": True, "add_eos_token": False})


def llama(**sizes: Any) -> Make:
    def make(folder: Path) -> None:
        ids = {"vocab_size": 32000, "bos_token_id": 1, "eos_token_id": 2} | sizes
        tiny.write_folder(folder, *tiny.llama(1, **ids), dtype="F16")
        spm(folder)

    return make


def pieces_alone(folder: Path) -> None:
    llama()(folder)
    for file in folder.glob("tokenizer*"):
        file.unlink()
    real.write_pieces_tokenizer(folder)


def added(folder: Path) -> None:
    """A fine-tune of today: ChatML's marks, which take blanks with them, and no blank behind them."""
    llama(vocab_size=32002)(folder)
    settings = json.loads((folder / "tokenizer_config.json").read_text())
    marks = {"32000": {"content": "<|im_start|>", "rstrip": True}, "32001": {"content": "<|im_end|>", "lstrip": True}}
    plain = dict.fromkeys(("lstrip", "rstrip", "single_word", "normalized"), False) | {"special": True}
    settings |= {"added_tokens_decoder": {i: plain | mark for i, mark in marks.items()}, "legacy": False}
    tiny.write_json(folder / "tokenizer_config.json", settings)


def runs(folder: Path) -> None:
    llama(vocab_size=340)(folder)
    trained(folder, user_defined_symbols=RUNS, vocab_size=340)


def nemo(folder: Path) -> None:
    names = {"architectures": ["MistralForCausalLM"], "model_type": "mistral", "sliding_window": None}
    folder.mkdir()
    rows = real.write_tekken_tokenizer(folder)
    kept = {file.name: file.read_bytes() for file in folder.iterdir()}
    config, tensors = tiny.llama(1, vocab_size=rows, head_dim=32, num_key_value_heads=2, rope_theta=1e6, **names)
    tiny.write_folder(folder, config | {"bos_token_id": 1, "eos_token_id": 2}, tensors, dtype="F16")
    for name, raw in kept.items():
        (folder / name).write_bytes(raw)


def small(maker: tiny.Make, **sizes: Any) -> Make:
    def make(folder: Path) -> None:
        tiny.write_folder(folder, *maker(1, **sizes), dtype="F16")
        # Else transformers takes the architecture's own class, which adds tokens of its own.
        names = {"eos_token": "</s>", "bos_token": "<|endoftext|>", "tokenizer_class": "PreTrainedTokenizerFast"}
        tiny.write_json(folder / "tokenizer_config.json", names)

    return make


ALL = tuple(name for name, kind in FTYPES.items() if not kind.imatrix and name not in UNQUANTIZED)
MODELS = {
    "llama": Model(llama(**WIDE), types=ALL),
    "llama-2": Model(llama(max_position_embeddings=4096, rms_norm_eps=1e-5)),
    "llama-added": Model(added, decided=ADDED),
    "llama-runs": Model(runs, decided=OWN),
    "llama-pieces": Model(pieces_alone, decided=PIECES),
    "mistral": Model(llama(architectures=["MistralForCausalLM"], model_type="mistral", num_key_value_heads=2)),
    "mistral-nemo": Model(nemo),
    "gptneox": Model(small(tiny.gptneox), pre="gpt-2", decided=NEOX),
    "gptj": Model(small(tiny.gptj, n_embd=256), refused="GPTJForCausalLM is not supported"),
}


def run(*command: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*map(str, command)], capture_output=True, text=True, encoding="utf-8", errors="replace")


def read(file: Path) -> tuple[dict[str, tuple[str, tuple[int, ...], bytes]], dict[str, Any]]:
    """The tensors of a file (type, shape, bytes) and what its header says, by name."""
    reader = gguf.GGUFReader(file)
    tensors = {t.name: (t.tensor_type.name, tuple(map(int, t.shape)), t.data.tobytes()) for t in reader.tensors}
    fields = {name: value.contents() for name, value in reader.fields.items() if not name.startswith("GGUF.")}
    return tensors, fields


def compare(ours: Path, theirs: Path, decided: dict[str, str]) -> Iterator[str]:
    """Tell where two files differ, and which of the decided differences are none."""
    (mine, here), (other, there) = read(ours), read(theirs)
    for name in sorted({*mine, *other}):
        if mine.get(name) != other.get(name):
            kinds = [found[name][:2] if name in found else "missing" for found in (mine, other)]
            yield f"tensor {name}: {kinds[0]}, {kinds[1]}" + (" of other bytes" if kinds[0] == kinds[1] else "")
    differing = {name for name in {*here, *there} if here.get(name) != there.get(name)}
    for name in sorted(differing - {*decided}):
        yield f"{name}: {shown(here.get(name))}, {shown(there.get(name))}"


def shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) < 90 else f"{text[:90]}…"


def check(name: str, model: Model, place: Path, tools: argparse.Namespace) -> Iterator[str]:
    """Convert a model both ways and to each of its types, and tell what differs."""
    folder, ours, theirs = place / name, place / "ours.gguf", place / "theirs.gguf"
    model.make(folder)
    convert(folder, ours, "F16")
    made = run(tools.python, "-c", DRIVER, tools.llama_cpp, model.pre, folder, "--outfile", theirs, "--outtype", "f16")
    if model.refused:
        if made.returncode == 0 or model.refused not in made.stderr:
            yield f"convert_hf_to_gguf.py: {made.stderr[-300:]!r} where it was to refuse"
        shutil.copy(ours, theirs)
    elif made.returncode:
        yield f"convert_hf_to_gguf.py: {made.stderr[-2000:]}"
        return
    decided = DECIDED | model.decided
    yield from (f"F16: {told}" for told in compare(ours, theirs, decided))
    matrix = place / "imatrix.gguf"
    wanted: list[tuple[str, Path | None]] = [(kind, None) for kind in model.types]
    if model.types == ALL:
        text = place / "text"
        text.write_text((resources.files("convert.quantize") / "calibration.txt").read_text(encoding="utf-8"))
        run(tools.bin / "llama-imatrix", "-m", theirs, "-f", text, "-o", matrix, "-c", "128", "-ngl", "0")
        wanted += [(kind, matrix) for kind in (*FEW, *(name for name, kind in FTYPES.items() if kind.imatrix))]
    for kind, imatrix in wanted:
        mine, other = place / "mine.gguf", place / "other.gguf"
        convert(folder, mine, kind, imatrix=str(imatrix) if imatrix else None)
        how: tuple[object, ...] = ("--imatrix", imatrix) if imatrix else ()
        quantized = run(tools.bin / "llama-quantize", *how, theirs, other, kind)
        if quantized.returncode:
            yield f"llama-quantize {kind}: {quantized.stderr[-2000:]}"
        else:
            yield from (f"{kind}{' by an imatrix' * bool(imatrix)}: {told}" for told in compare(mine, other, decided))


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("llama_cpp", type=Path)
    parser.add_argument("bin", type=Path)
    parser.add_argument("python", type=Path)
    parser.add_argument("names", nargs="*", default=[*MODELS])
    tools, wrong = parser.parse_args(), 0
    for name in tools.names:
        with tempfile.TemporaryDirectory() as place:
            told = list(check(name, MODELS[name], Path(place), tools))
        print(f"{name}: {len(told)} differences in F16 and {len(MODELS[name].types)} types", flush=True)
        print("".join(f"  {line}\n" for line in told), end="", flush=True)
        wrong += len(told)
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
