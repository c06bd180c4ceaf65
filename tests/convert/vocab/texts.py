"""Texts that are hard on tokenizers, and a GGUF file that is all vocabulary."""

from pathlib import Path
from typing import Any

from convert.archs.rules import Rule
from convert.vocab.folder import read_vocab
from convert.vocab.table import Fields
from convert.write import write_gguf

TEXTS = [
    "Hello, world!",
    " leading and trailing ",
    "runs  of   spaces    and\ttabs\t\tand\n\nnewlines\n\n\n",
    "   ",
    "\n",
    "<|system|>This is a text adventure game.<|user|>Start!<|model|>",
    "<START>\nYou: hi\nAssistant:",
    "</s><s><unk> [PAD7] <0x41>",
    "don't I'll we've HE'S they're",
    "1 22 333 4444 55555 3.14159 1,000,000",
    "naïve café Straße ÆØÅ ñ",
    "日本語のテキスト 中文字符 한국어",
    "🙂 👩‍👩‍👧‍👦 🏳️‍🌈 ☕️",
    "Привет, мир! Γειά σου Κόσμε שלום مرحبا",
    "a\u0301 combining, \u200b zero width, \u00a0 no-break, \ufeff mark",
    "snake_case camelCase kebab-case /path/to/file.txt https://x.y/z?a=b&c=d#e",
    "!!! ??? ... --- *** ~~~ @@@ ### $$$ %%% ^^^ &&& (()) [[]] {{}}",
    "'single' \"double\" “curly” ‘quotes’ — dash … dots",
    "\x00\x01\x7f control",
    b"broken \xff\xc3( bytes \xf0\x9f".decode("utf-8", "replace"),
    "x" * 300,
]


def column(fields: Fields, name: str) -> list[Any]:
    """Return what there is for every token: its "tokens", "scores" or "token_type"."""
    values = fields[f"tokenizer.ggml.{name}"]
    assert isinstance(values, list)
    return values


def vocab_gguf(folder: Path, rows: int, **changed: Any) -> Path:
    """A GGUF file that is all vocabulary."""
    fields: dict[str, Any] = {"general.architecture": "llama", "llama.vocab_size": rows, "llama.context_length": 64}
    fields |= {"llama.embedding_length": 32, "llama.block_count": 1, "llama.feed_forward_length": 32}
    fields |= {"llama.attention.head_count": 1, "llama.attention.layer_norm_rms_epsilon": 1e-6}
    out = folder / "vocab.gguf"
    rules = [Rule("output_norm.weight", (32,), None)]
    write_gguf(out, {**fields, **read_vocab(folder, rows), **changed}, rules, {}, "F32", lambda *report: None)
    return out
