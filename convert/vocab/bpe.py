"""A byte-level BPE tokenizer as GGUF fields: tokenizer.json, or GPT-2's vocab.json with merges.txt."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from convert import ConvertError
from convert.config import Config, read_object, refuse_pointer
from convert.foreign import NoText, read_text
from convert.vocab.added import added_tokens, as_list, special_ids, token_id
from convert.vocab.table import NORMAL, Fields, TokenTable

_LETTERS = r"[^\r\n\p{L}\p{N}]?\p{L}+"
_REST = r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
_SHORT_FORMS = "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
_UPPER, _LOWER = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]", r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"
# Mistral's Tekken: words end before a capital, as in camelCase.
_CASED = rf"[^\r\n\p{{L}}\p{{N}}]?{_UPPER}*{_LOWER}+|[^\r\n\p{{L}}\p{{N}}]?{_UPPER}+{_LOWER}*"

# How text is cut into words before merging -> llama.cpp's name for it.
PRE_TOKENIZERS = {
    ("bytes",): "gpt-2",
    ("digits", "bytes"): "smollm",
    (_SHORT_FORMS + "|" + _LETTERS + r"|\p{N}{1,3}|" + _REST, "raw bytes"): "llama-bpe",
    (_SHORT_FORMS + "|" + _LETTERS + r"|\p{N}|" + _REST, "raw bytes"): "qwen2",
    (_CASED + r"|\p{N}|" + _REST.replace(r"[\r\n]*", r"[\r\n/]*", 1), "raw bytes"): "tekken",
}
# llama.cpp ties this to the name: whole words of the vocabulary win over merges, or they do not.
WHOLE_WORDS = frozenset({"llama-bpe", "tekken"})


# What the tokenizer does to text before, as llama.cpp does not: advrepl does it (engines/llama/vocab.py).
NORMALIZER = "advrepl.normalizer"


def byte_level_fields(
    tokenizer: Mapping[str, Any], folder: Path, vocab_size: int, settings: Mapping[str, Any]
) -> Fields:
    """The tokenizer.* fields from a tokenizer.json; `settings`: the folder's tokenizer_config.json.

    Raises ConvertError where llama.cpp would tokenize differently.
    """
    file = str(folder / "tokenizer.json")
    model = Config(tokenizer, file).object("model")
    pre = _pre_tokenizer(tokenizer, model, file)
    table = TokenTable(file, vocab_size)
    for token, index in model.object("vocab").values.items():
        table.put(token_id(index, file), token, 0.0, NORMAL)
    table.put_added(added_tokens(folder, settings, as_list(tokenizer.get("added_tokens"))))
    table.pad(vocab_size)
    table.check()
    specials = special_ids(folder, settings, table, {})
    return {
        **table.fields("gpt2", pre),
        "tokenizer.ggml.merges": [merge_of(m, file) for m in as_list(model.values.get("merges"))],
        **specials,
        **({NORMALIZER: "NFC"} if tokenizer.get("normalizer") else {}),
        "tokenizer.ggml.add_bos_token": adds_bos(tokenizer, settings),
    }


def merge_of(merge: object, file: str) -> str:
    """Return one merge as "left right"; newer files hold pairs. Blanks are written otherwise, so there is never one."""
    pair = merge.split(" ") if isinstance(merge, str) else merge
    if not isinstance(pair, list) or len(pair) != 2 or not all(isinstance(p, str) and p and " " not in p for p in pair):
        raise ConvertError(f"{file}: {merge!r} is no merge of two byte-level tokens")
    return f"{pair[0]} {pair[1]}"


def _pre_tokenizer(tokenizer: Mapping[str, Any], model: Config, file: str) -> str:
    """Recognize how the text is cut up, or refuse: a wrong guess would quietly give a worse model."""
    if model.string("type", "BPE") != "BPE":
        raise ConvertError(f"{file}: {model.string('type', 'BPE')} is neither byte-level BPE nor LLaMA's pieces")
    normalizer = Config(tokenizer, file).object("normalizer").values
    if normalizer and normalizer.get("type") != "NFC":
        raise ConvertError(f"{file}: normalizer {normalizer.get('type')!r} is not supported, only none and NFC")
    described = steps_of(tokenizer.get("pre_tokenizer"), file)
    pre = PRE_TOKENIZERS.get(described)
    if pre is None:
        raise ConvertError(f"{file}: this pre-tokenizer is not known to llama.cpp: {' then '.join(described)}")
    if (model.values.get("ignore_merges") is True) != (pre in WHOLE_WORDS):
        raise ConvertError(f"{file}: ignore_merges is unusual for a {pre} tokenizer and cannot be expressed in GGUF")
    return pre


def steps_of(pre: object, file: str) -> tuple[str, ...]:
    """Return a pre-tokenizer's steps in words that can be compared: ("digits", "bytes")."""
    if not isinstance(pre, dict):
        return ("none",)
    kind = pre.get("type")
    if kind == "Sequence":
        return tuple(step for part in as_list(pre.get("pretokenizers")) for step in steps_of(part, file))
    if kind == "ByteLevel":
        if pre.get("add_prefix_space"):
            raise ConvertError(f"{file}: add_prefix_space is not supported by llama.cpp for BPE")
        return ("bytes" if pre.get("use_regex", True) else "raw bytes",)
    if kind == "Digits" and pre.get("individual_digits"):
        return ("digits",)
    if kind == "Split" and pre.get("behavior") == "Isolated" and not pre.get("invert"):
        return (str(Config(pre, file).object("pattern").values.get("Regex", "Split")),)
    return (str(kind),)


def adds_bos(tokenizer: Mapping[str, Any], settings: Mapping[str, Any]) -> bool:
    """Tell whether every prompt begins with the begin-of-text token: the post-processor says, else the settings."""
    post = Config(tokenizer, "tokenizer.json").object("post_processor").values
    for step in as_list(post.get("processors")) or [post]:
        if isinstance(step, Mapping) and step.get("type") == "TemplateProcessing":
            return "SpecialToken" in (as_list(step.get("single")) or [""])[0]
    return settings.get("add_bos_token") is True


def from_gpt2_files(folder: Path) -> dict[str, Any]:
    """vocab.json and merges.txt in the shape of a tokenizer.json; both always mean GPT-2's way of cutting words."""
    refuse_pointer(folder / "merges.txt")
    try:
        lines = read_text(folder / "merges.txt").replace("\r\n", "\n").split("\n")
    except NoText as error:
        raise ConvertError(f"{folder / 'merges.txt'}: {error}; fetch it again") from error
    merges = [line for line in lines if line and not line.startswith("#version")]
    return {
        "model": {"type": "BPE", "vocab": read_object(folder / "vocab.json"), "merges": merges},
        "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": False},
    }
