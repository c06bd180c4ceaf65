"""Added tokens and special ids, which both kinds of tokenizer have."""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from convert import ConvertError
from convert.config import Config, read_object_if_there
from convert.vocab.table import AddedToken, Fields, TokenTable

SPECIAL_TOKENS = {"bos": "bos_token_id", "eos": "eos_token_id", "unk": "unknown_token_id", "pad": "padding_token_id"}


def added_tokens(folder: Path, settings: Mapping[str, Any], listed: Iterable[Any] = ()) -> dict[int, AddedToken]:
    """Tokens added after training, by id; `listed`: those of tokenizer.json.

    Three files may name them, and the most explicit one goes before the others.
    """
    added = {
        token_id(index, "added_tokens.json"): AddedToken(text, False)
        for text, index in read_object_if_there(folder / "added_tokens.json").items()
    }
    for entry in listed:
        if isinstance(entry, dict):
            added[token_id(entry.get("id"), "tokenizer.json")] = _described(entry)
    for index, entry in Config(settings, "tokenizer_config.json").object("added_tokens_decoder").values.items():
        if isinstance(entry, dict):
            added[token_id(index, "tokenizer_config.json")] = _described(entry)
    return added


def _described(entry: Mapping[str, Any]) -> AddedToken:
    flags = (entry.get(name) is True for name in ("special", "lstrip", "rstrip", "single_word"))
    return AddedToken(str(entry.get("content", "")), *flags)


def token_id(value: object, file: str) -> int:
    """An id that a file gives as a number or in digits; a ConvertError if it is none."""
    text = str(value)
    if not re.fullmatch(r"\d{1,9}", text):
        raise ConvertError(f"{file}: {text!r} is no token id")
    return int(text)


def special_ids(folder: Path, settings: Mapping[str, Any], table: TokenTable, known: Mapping[str, int]) -> Fields:
    """GGUF fields with the ids of begin, end, unknown and padding, as far as they are named.

    By their text in the tokenizer's files, else by number: `known`, from the tokenizer itself ("bos" and so on; below
    0: none), then config.json.
    """
    mapped = read_object_if_there(folder / "special_tokens_map.json")
    config = read_object_if_there(folder / "config.json")
    index = {token: i for i, token in enumerate(table.tokens)}
    fields: Fields = {}
    for name, key in SPECIAL_TOKENS.items():
        texts = (token_text(source.get(f"{name}_token")) for source in (settings, mapped))
        found = [index[text] for text in texts if text in index]
        number = config.get(f"{name}_token_id")
        # Llama 3 lists several ends; the first is the end of the text.
        number = number[0] if isinstance(number, list) and number else number
        found += [i for i in (known.get(name), number) if isinstance(i, int) and 0 <= i < len(table.tokens)]
        if found:
            fields[f"tokenizer.ggml.{key}"] = found[0]
    return fields


def token_text(entry: object) -> str | None:
    """The text of a token that is named as a string or as an object; None: it is named as neither."""
    text = entry.get("content") if isinstance(entry, dict) else entry
    return text if isinstance(text, str) else None


def as_list(value: object) -> list[Any]:
    """A value of a JSON file if it is a list, else an empty one."""
    return value if isinstance(value, list) else []
