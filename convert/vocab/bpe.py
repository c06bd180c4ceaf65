"""A byte-level BPE tokenizer as GGUF fields: tokenizer.json, or GPT-2's vocab.json with merges.txt."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from convert import ConvertError
from convert.config import Config, read_object
from convert.vocab.added import added_tokens, listed, special_ids, token_id
from convert.vocab.table import NORMAL, Fields, Table

_LETTERS = r"[^\r\n\p{L}\p{N}]?\p{L}+"
_REST = r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
_SHORT_FORMS = "(?i:'s|'t|'re|'ve|'m|'ll|'d)"

# How text is cut into words before merging -> llama.cpp's name for it.
PRE_TOKENIZERS = {
    ("bytes",): "gpt-2",
    ("digits", "bytes"): "smollm",
    (_SHORT_FORMS + "|" + _LETTERS + r"|\p{N}{1,3}|" + _REST, "raw bytes"): "llama-bpe",
    (_SHORT_FORMS + "|" + _LETTERS + r"|\p{N}|" + _REST, "raw bytes"): "qwen2",
}


def byte_level_fields(tokenizer: Mapping[str, Any], folder: Path, rows: int, settings: Mapping[str, Any]) -> Fields:
    what = str(folder / "tokenizer.json")
    model = Config(tokenizer, what).part("model")
    pre = _pre_tokenizer(tokenizer, model, what)
    table = Table(what, rows)
    for token, index in model.part("vocab").values.items():
        table.put(token_id(index, what), token, 0.0, NORMAL)
    table.put_added(added_tokens(folder, settings, listed(tokenizer.get("added_tokens"))))
    table.pad(rows)
    table.check()
    specials = special_ids(folder, settings, table, {})
    return {
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": pre,
        "tokenizer.ggml.tokens": table.tokens,
        "tokenizer.ggml.token_type": table.types,
        "tokenizer.ggml.merges": [_merge(m, what) for m in listed(model.values.get("merges"))],
        **specials,
        "tokenizer.ggml.add_bos_token": _begins(tokenizer, settings),
    }


def _merge(merge: object, what: str) -> str:
    """One merge as "left right"; newer files hold pairs. Bytes stand for themselves shifted, so never a space."""
    pair = merge.split(" ") if isinstance(merge, str) else merge
    if not isinstance(pair, list) or len(pair) != 2 or not all(isinstance(p, str) and p and " " not in p for p in pair):
        raise ConvertError(f"{what}: {merge!r} is no merge of two byte-level tokens")
    return f"{pair[0]} {pair[1]}"


def _pre_tokenizer(tokenizer: Mapping[str, Any], model: Config, what: str) -> str:
    """Recognise how the text is cut up, or refuse: a wrong guess would quietly give a worse model."""
    if model.text("type", "BPE") != "BPE" or model.values.get("byte_fallback") is True:
        raise ConvertError(f"{what}: not byte-level BPE; put the model's tokenizer.model beside it")
    normalizer = Config(tokenizer, what).part("normalizer").values
    if normalizer and normalizer.get("type") != "NFC":
        raise ConvertError(f"{what}: normalizer {normalizer.get('type')!r} is not supported, only none and NFC")
    described = _describe(tokenizer.get("pre_tokenizer"), what)
    pre = PRE_TOKENIZERS.get(described)
    if pre is None:
        raise ConvertError(f"{what}: this pre-tokenizer is not known to llama.cpp: {' then '.join(described)}")
    # llama.cpp ties this to the name: whole words of the vocabulary win over merges, or they do not.
    if (model.values.get("ignore_merges") is True) != (pre == "llama-bpe"):
        raise ConvertError(f"{what}: ignore_merges is unusual for a {pre} tokenizer and cannot be expressed in GGUF")
    return pre


def _describe(pre: object, what: str) -> tuple[str, ...]:
    """A pre-tokenizer's steps in words that can be compared: ("digits", "bytes")."""
    if not isinstance(pre, dict):
        return ("none",)
    kind = pre.get("type")
    if kind == "Sequence":
        return tuple(step for part in listed(pre.get("pretokenizers")) for step in _describe(part, what))
    if kind == "ByteLevel":
        if pre.get("add_prefix_space"):
            raise ConvertError(f"{what}: add_prefix_space is not supported by llama.cpp for BPE")
        return ("bytes" if pre.get("use_regex", True) else "raw bytes",)
    if kind == "Digits" and pre.get("individual_digits"):
        return ("digits",)
    if kind == "Split" and pre.get("behavior") == "Isolated" and not pre.get("invert"):
        return (str(Config(pre, what).part("pattern").values.get("Regex", "Split")),)
    return (str(kind),)


def _begins(tokenizer: Mapping[str, Any], settings: Mapping[str, Any]) -> bool:
    """Whether every prompt begins with the begin-of-text token: the post-processor says, else the settings."""
    post = Config(tokenizer, "tokenizer.json").part("post_processor").values
    for step in listed(post.get("processors")) or [post]:
        if isinstance(step, Mapping) and step.get("type") == "TemplateProcessing":
            return "SpecialToken" in (listed(step.get("single")) or [""])[0]
    return settings.get("add_bos_token") is True


def from_gpt2_files(folder: Path) -> dict[str, Any]:
    """vocab.json and merges.txt in the shape of a tokenizer.json; both always mean GPT-2's way of cutting words."""
    lines = (folder / "merges.txt").read_text(encoding="utf-8").replace("\r\n", "\n").split("\n")
    merges = [line for line in lines if line and not line.startswith("#version")]
    return {
        "model": {"type": "BPE", "vocab": read_object(folder / "vocab.json"), "merges": merges},
        "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": False},
    }
