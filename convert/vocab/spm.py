"""A SentencePiece model as GGUF fields."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import sentencepiece

from convert import ConvertError
from convert.config import read_object_if_there, refuse_pointer
from convert.vocab.added import added_tokens, as_list, special_ids
from convert.vocab.pieces import prefix_first, prefix_once
from convert.vocab.proto import read_kinds
from convert.vocab.table import BLANKS_ALIKE, BYTE, PREFIX_FIRST, PREFIX_ONCE, USER_DEFINED, Fields, TokenTable


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
    kinds = _kinds(model, file)
    table = TokenTable(str(file), vocab_size)
    try:
        for index, kind in enumerate(kinds):
            piece = model.id_to_piece(index)
            # llama.cpp looks for these in the text as it is.
            table.put(index, piece.replace("▁", " ") if kind == USER_DEFINED else piece, model.get_score(index), kind)
    except UnicodeDecodeError as error:
        raise ConvertError(f"{file}: piece {index} is no text in UTF-8; fetch it again") from error
    newer = read_object_if_there(folder / "tokenizer.json")
    alike = any(" " in text for text, kind in zip(table.tokens, table.types, strict=True) if kind == USER_DEFINED)
    table.put_added(added_tokens(folder, settings, as_list(newer.get("added_tokens"))))
    table.pad(vocab_size)
    table.check()
    # transformers read the newer file where there was one, and this setting where not.
    unlike = settings.get("legacy") is False
    first, once = (prefix_first(newer), prefix_once(newer)) if newer else (unlike, unlike)
    known = {"bos": model.bos_id(), "eos": model.eos_id(), "unk": model.unk_id(), "pad": model.pad_id()}
    return {
        **table.fields("llama", "default"),
        "tokenizer.ggml.scores": table.scores,
        **special_ids(folder, settings, table, known),
        "tokenizer.ggml.add_bos_token": settings.get("add_bos_token") is not False,
        "tokenizer.ggml.add_eos_token": settings.get("add_eos_token") is True,
        "tokenizer.ggml.add_space_prefix": model.normalize("a") != "a",
        **({PREFIX_FIRST: True} if first else {}),
        **({PREFIX_ONCE: True} if once else {}),
        **({BLANKS_ALIKE: True} if alike else {}),
    }


def _kinds(model: Any, file: Path) -> tuple[int, ...]:
    """The kinds of the pieces; a ConvertError for a model that llama.cpp does not encode as sentencepiece does."""
    try:
        found = read_kinds(model.serialized_model_proto())
    except ValueError as error:
        raise ConvertError(f"{file}: not a SentencePiece model ({error})") from None
    if found.model_type != "BPE":
        raise ConvertError(
            f"{file}: a {found.model_type} model of SentencePiece, which llama.cpp encodes otherwise; only BPE converts"
        )
    if found.pieces.count(BYTE) < 256:
        raise ConvertError(
            f"{file}: has no byte pieces, so it cannot read every text, and llama.cpp fails at the others"
        )
    return found.pieces


def _refuse_normalizing(model: Any, file: Path) -> None:
    """llama.cpp feeds text to the pieces as it is, so a model that rewrites it first would tokenize differently."""
    if not model.normalize("a  ﬁ").endswith("a▁▁ﬁ"):
        raise ConvertError(f"{file}: rewrites text before tokenizing it (spaces or Unicode forms), llama.cpp cannot")
