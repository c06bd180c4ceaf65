"""A SentencePiece model as GGUF fields."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import sentencepiece

from convert import ConvertError
from convert.config import refuse_pointer
from convert.vocab.added import added_tokens, special_ids
from convert.vocab.table import BYTE, CONTROL, NORMAL, UNKNOWN, UNUSED, Fields, TokenTable


def sentencepiece_fields(folder: Path, vocab_size: int, settings: Mapping[str, Any]) -> Fields:
    """The tokenizer.* fields from the folder's tokenizer.model; `settings`: its tokenizer_config.json.

    Raises ConvertError if it is no SentencePiece model, or one that llama.cpp cannot follow.
    """
    file = folder / "tokenizer.model"
    refuse_pointer(file)
    try:
        model = sentencepiece.SentencePieceProcessor(model_file=str(file))
    except (RuntimeError, OSError):
        raise ConvertError(
            f"{file}: not a SentencePiece model; if the folder is an XOR release, run advrepl decode first"
        ) from None
    _refuse_normalizing(model, file)
    table = TokenTable(str(file), vocab_size)
    try:
        for index in range(model.vocab_size()):
            table.put(index, model.id_to_piece(index), model.get_score(index), _piece_type(model, index))
    except UnicodeDecodeError as error:
        raise ConvertError(f"{file}: piece {index} is no text in UTF-8; fetch it again") from error
    table.put_added(added_tokens(folder, settings))
    table.pad(vocab_size)
    table.check()
    known = {"bos": model.bos_id(), "eos": model.eos_id(), "unk": model.unk_id(), "pad": model.pad_id()}
    return {
        "tokenizer.ggml.model": "llama",
        "tokenizer.ggml.pre": "default",
        "tokenizer.ggml.tokens": table.tokens,
        "tokenizer.ggml.scores": table.scores,
        "tokenizer.ggml.token_type": table.types,
        **special_ids(folder, settings, table, known),
        **table.left_out_fields(),
        "tokenizer.ggml.add_bos_token": settings.get("add_bos_token") is not False,
        "tokenizer.ggml.add_eos_token": settings.get("add_eos_token") is True,
        "tokenizer.ggml.add_space_prefix": model.normalize("a") != "a",
    }


def _piece_type(model: Any, index: int) -> int:
    if model.is_unknown(index):
        return UNKNOWN
    if model.is_control(index):
        return CONTROL
    if model.is_unused(index):
        return UNUSED
    return BYTE if model.is_byte(index) else NORMAL


def _refuse_normalizing(model: Any, file: Path) -> None:
    """llama.cpp feeds text to the pieces as it is, so a model that rewrites it first would tokenize differently."""
    if not model.normalize("a  ﬁ").endswith("a▁▁ﬁ"):
        raise ConvertError(f"{file}: rewrites text before tokenizing it (spaces or Unicode forms), llama.cpp cannot")
