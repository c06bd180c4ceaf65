"""A Hugging Face folder's tokenizer as GGUF fields: SentencePiece (spm.py, pieces.py), or byte-level BPE (bpe.py).

Tokenizes nothing itself. What llama.cpp would tokenize differently is refused by name, not approximated; the one
exception is Unicode normalization (NFC) in front of BPE, which changes only text that is not NFC already.
"""

from pathlib import Path
from typing import Any

import sentencepiece

from convert import ConvertError
from convert.config import Config, read_object, read_object_if_there, refuse_pointer
from convert.foreign import NoText, read_text
from convert.vocab.added import as_list, token_id
from convert.vocab.bpe import byte_level_fields, from_gpt2_files, merge_of, steps_of
from convert.vocab.check import check_ids
from convert.vocab.merging import Encode, byte_level, pieces
from convert.vocab.pieces import is_pieces, piece_prefix, pieces_fields
from convert.vocab.spm import sentencepiece_fields
from convert.vocab.table import Fields


def read_vocab(folder: Path, vocab_size: int) -> Fields:
    """The tokenizer.* fields of the GGUF header, for an embedding of `vocab_size` rows.

    Raises ConvertError if there is no tokenizer, it is damaged, or llama.cpp would tokenize differently.
    """
    settings = read_object_if_there(folder / "tokenizer_config.json")
    if (folder / "tokenizer.model").is_file():
        fields = sentencepiece_fields(folder, vocab_size, settings)
    elif (folder / "tokenizer.json").is_file():
        tokenizer = read_object(folder / "tokenizer.json")
        read = pieces_fields if is_pieces(tokenizer, str(folder / "tokenizer.json")) else byte_level_fields
        fields = read(tokenizer, folder, vocab_size, settings)
    elif (folder / "vocab.json").is_file() and (folder / "merges.txt").is_file():
        fields = byte_level_fields(from_gpt2_files(folder), folder, vocab_size, settings)
    else:
        raise ConvertError(f"{folder}: no tokenizer (tokenizer.model, tokenizer.json, or vocab.json with merges.txt)")
    if template := chat_template(folder):
        fields["tokenizer.chat_template"] = template
    return fields


def check_vocab(folder: Path, fields: Fields) -> None:
    """Raise ConvertError unless llama.cpp gets the ids of the folder's own tokenizer out of these fields."""
    if (file := folder / "tokenizer.model").is_file():
        model = sentencepiece.SentencePieceProcessor(model_file=str(file))
        check_ids(fields, str(file), model.encode, own=model.vocab_size())
    elif (file := folder / "tokenizer.json").is_file():
        check_ids(fields, str(file), _encoder(read_object(file), str(file), fields))
    else:
        check_ids(fields, str(folder / "merges.txt"), _encoder(from_gpt2_files(folder), "", fields))


def _encoder(tokenizer: dict[str, Any], file: str, fields: Fields) -> Encode:
    model = Config(tokenizer, file).object("model")
    vocab = {piece: token_id(index, file) for piece, index in model.object("vocab").values.items()}
    merges = [merge_of(merge, file) for merge in as_list(model.values.get("merges"))]
    if fields["tokenizer.ggml.model"] == "llama":
        return pieces(vocab, merges, piece_prefix(tokenizer, file))
    steps = steps_of(tokenizer.get("pre_tokenizer"), file)
    return byte_level(vocab, merges, steps, model.values.get("ignore_merges") is True)


def chat_template(folder: Path) -> str | None:
    """The folder's chat template in jinja, of several the default one; None: it has none."""
    file = folder / "chat_template.jinja"
    if file.is_file():
        refuse_pointer(file)
        try:
            return read_text(file).replace("\r\n", "\n")
        except NoText as error:
            raise ConvertError(f"{file}: {error}; fetch it again") from error
    template = read_object_if_there(folder / "tokenizer_config.json").get("chat_template")
    if isinstance(template, list):
        named = [each.get("template") for each in template if isinstance(each, dict) and each.get("name") == "default"]
        template = named[-1] if named else None
    return template if isinstance(template, str) else None
