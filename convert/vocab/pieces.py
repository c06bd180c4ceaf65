"""LLaMA's tokenizer without its tokenizer.model: from a tokenizer.json of BPE over pieces with byte fallback.

transformers 5 saves nothing else. llama.cpp merges by scores instead of merges, and by score −rank it comes to the
same ids, since these merges were once made from scores.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from convert import ConvertError
from convert.config import Config, read_object
from convert.vocab.added import added_tokens, as_list, special_ids, token_id, token_text
from convert.vocab.bpe import adds_bos, merge_of
from convert.vocab.table import BYTE, NORMAL, PADDING_SCORE, PREFIX_FIRST, PREFIX_ONCE, UNKNOWN, Fields, TokenTable

BLANK = "▁"
BYTES = tuple(f"<0x{byte:02X}>" for byte in range(256))


def is_pieces(tokenizer: Mapping[str, Any], file: str) -> bool:
    """Tell whether a tokenizer.json is of this kind."""
    model = Config(tokenizer, file).object("model").values
    return model.get("type", "BPE") == "BPE" and model.get("byte_fallback") is True


def pieces_fields(tokenizer: Mapping[str, Any], folder: Path, vocab_size: int, settings: Mapping[str, Any]) -> Fields:
    """The tokenizer.* fields from such a tokenizer.json; `settings`: the folder's tokenizer_config.json.

    Raises ConvertError where llama.cpp would tokenize differently.
    """
    file = str(folder / "tokenizer.json")
    model = Config(tokenizer, file).object("model")
    vocab = model.object("vocab").values
    # transformers 5 leaves it out of the model, as bytes stand for all that is no piece.
    unknown = model.values.get("unk_token") or token_text(settings.get("unk_token"))
    if missing := [piece for piece in BYTES if piece not in vocab]:
        raise ConvertError(f"{file}: has no piece {missing[0]}, so it cannot read every text, and llama.cpp fails")
    prefix = piece_prefix(tokenizer, file)
    scores: dict[str, float] = {}
    for rank, merge in enumerate(as_list(model.values.get("merges"))):
        scores.setdefault(merge_of(merge, file).replace(" ", ""), -float(rank))
    table = TokenTable(file, vocab_size)
    for piece, index in vocab.items():
        kind = UNKNOWN if piece == unknown else BYTE if re.fullmatch("<0x[0-9A-F]{2}>", piece) else NORMAL
        table.put(token_id(index, file), piece, scores.get(piece, PADDING_SCORE * len(vocab)), kind)
    table.put_added(added_tokens(folder, settings, as_list(tokenizer.get("added_tokens"))))
    table.pad(vocab_size)
    table.check()
    known = {"unk": table.types.index(UNKNOWN)} if UNKNOWN in table.types else {}
    begins = adds_bos(tokenizer, settings) if tokenizer.get("post_processor") else settings.get("add_bos_token")
    return {
        **table.fields("llama", "default"),
        "tokenizer.ggml.scores": table.scores,
        **special_ids(folder, settings, table, known),
        "tokenizer.ggml.add_bos_token": begins is not False,
        "tokenizer.ggml.add_eos_token": settings.get("add_eos_token") is True,
        "tokenizer.ggml.add_space_prefix": bool(prefix),
        **({PREFIX_FIRST: True} if prefix_first(tokenizer) else {}),
        **({PREFIX_ONCE: True} if prefix_once(tokenizer) else {}),
    }


def merges_of(folder: Path) -> list[tuple[str, str]]:
    """Return the merges of a folder's tokenizer.json."""
    file = folder / "tokenizer.json"
    merges = as_list(Config(read_object(file), str(file)).object("model").values.get("merges"))
    return [(left, right) for left, right in (merge_of(merge, str(file)).split(" ") for merge in merges)]


def piece_prefix(tokenizer: Mapping[str, Any], file: str) -> str:
    """What is put before each text, "▁" or nothing; a ConvertError for any other change of the text.

    Old files say it by two normalizers, newer ones by a pre-tokenizer.
    """
    normalizer, pre = tokenizer.get("normalizer"), tokenizer.get("pre_tokenizer")
    steps = _steps(normalizer, "normalizers") + _steps(pre, "pretokenizers")
    prefix, replaced = "", False
    for step in steps:
        if step.get("type") == "Prepend" and step.get("prepend") == BLANK:
            prefix = BLANK
        elif step.get("type") == "Replace" and step.get("content") == BLANK and step.get("pattern") == {"String": " "}:
            replaced = True
        elif step.get("type") == "Metaspace" and step.get("replacement") == BLANK and step.get("split") is False:
            scheme = step.get("prepend_scheme", "always" if step.get("add_prefix_space", True) else "never")
            prefix, replaced = "" if scheme == "never" else BLANK, True
        else:
            raise ConvertError(
                f"{file}: {step.get('type')!r} changes text before it is tokenized, which llama.cpp cannot"
            )
    if not replaced:
        raise ConvertError(f"{file}: does not say how blanks are written, so it is no tokenizer of LLaMA's kind")
    return prefix


def prefix_first(tokenizer: Mapping[str, Any]) -> bool:
    """Tell whether a tokenizer.json puts the blank at the beginning of a text alone, not behind special tokens too."""
    return any(
        step.get("prepend_scheme") == "first" for step in _steps(tokenizer.get("pre_tokenizer"), "pretokenizers")
    )


def prefix_once(tokenizer: Mapping[str, Any]) -> bool:
    """Tell whether a tokenizer.json puts no blank before a text that begins with one."""
    return any(step.get("type") == "Metaspace" for step in _steps(tokenizer.get("pre_tokenizer"), "pretokenizers"))


def _steps(described: object, several: str) -> list[dict[str, Any]]:
    if not isinstance(described, dict):
        return []
    if described.get("type") != "Sequence":
        return [described]
    return [step for part in as_list(described.get(several)) for step in _steps(part, several)]
