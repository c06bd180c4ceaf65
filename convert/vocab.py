"""A Hugging Face folder's tokenizer as GGUF fields: SentencePiece, or byte-level BPE.

Tokenises nothing itself. What llama.cpp would tokenise differently is refused by name, not approximated; the one
exception is Unicode normalisation (NFC) in front of BPE, which changes only text that is not NFC already.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import sentencepiece

from convert import ConvertError
from convert.config import Config, read_json, read_json_if_there

# tokenizer.ggml.token_type
NORMAL, UNKNOWN, CONTROL, USER_DEFINED, UNUSED, BYTE = 1, 2, 3, 4, 5, 6

# Scores only have to order the pieces: no merge may ever lead to these.
ADDED_SCORE, PADDING_SCORE = -1000.0, -10000.0

SPECIALS = {"bos": "bos_token_id", "eos": "eos_token_id", "unk": "unknown_token_id", "pad": "padding_token_id"}

Fields = dict[str, str | int | bool | list[str] | list[int] | list[float]]


@dataclass(slots=True)
class Table:
    """Tokens by id while they are gathered."""

    what: str  # the file, for errors
    rows: int
    tokens: list[str] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)
    types: list[int] = field(default_factory=list)

    def put(self, index: int, token: str, score: float, kind: int) -> None:
        if index >= self.rows:
            raise ConvertError(f"{self.what}: token {token!r} has id {index}, the embedding only {self.rows} rows")
        self.pad(index + 1)
        self.tokens[index], self.scores[index], self.types[index] = token, score, kind

    def pad(self, size: int) -> None:
        """Fill up with tokens nobody uses; checkpoints round the rows of their embedding up."""
        for index in range(len(self.tokens), size):
            self.tokens.append(f"[PAD{index}]")
            self.scores.append(PADDING_SCORE)
            self.types.append(UNUSED)

    def put_added(self, added: Mapping[int, "Added"]) -> None:
        for index, token in sorted(added.items()):
            if index < len(self.tokens) and self.tokens[index] == token.text:
                # Already there as a piece: only its kind may be sharper. Unknown and byte pieces keep their meaning.
                if self.types[index] in (NORMAL, USER_DEFINED):
                    self.types[index] = token.kind
            elif index < len(self.tokens) and self.types[index] != UNUSED:
                raise ConvertError(f"{self.what}: added token {token.text!r} would replace {self.tokens[index]!r}")
            else:
                self.put(index, token.text, ADDED_SCORE, token.kind)

    def check(self) -> None:
        # libllama aborts the process when two ids share a text.
        seen: dict[str, int] = {}
        for index, token in enumerate(self.tokens):
            if seen.setdefault(token, index) != index:
                raise ConvertError(f"{self.what}: tokens {seen[token]} and {index} are both {token!r}")


def read_vocab(folder: Path, rows: int) -> Fields:
    """The tokenizer.* fields for an embedding of `rows` rows."""
    settings = read_json_if_there(folder / "tokenizer_config.json")
    if (folder / "tokenizer.model").is_file():
        fields = _sentencepiece(folder, rows, settings)
    elif (folder / "tokenizer.json").is_file():
        fields = _byte_level(read_json(folder / "tokenizer.json"), folder, rows, settings)
    elif (folder / "vocab.json").is_file() and (folder / "merges.txt").is_file():
        fields = _byte_level(_from_gpt2_files(folder), folder, rows, settings)
    else:
        raise ConvertError(f"{folder}: no tokenizer (tokenizer.model, tokenizer.json, or vocab.json with merges.txt)")
    template = _chat_template(folder, settings)
    if template:
        fields["tokenizer.chat_template"] = template
    return fields


# Added tokens and special ids, common to both kinds


@dataclass(frozen=True, slots=True)
class Added:
    text: str
    special: bool

    @property
    def kind(self) -> int:
        # Control tokens are never read out of a player's text; what looks like a marker shall not be either.
        return CONTROL if self.special or re.fullmatch(r"<\|.*\|>", self.text) else USER_DEFINED


def _added_tokens(folder: Path, settings: Mapping[str, Any], listed: Iterable[Any] = ()) -> dict[int, Added]:
    """Tokens added after training, by id; the three files that may name them, the most explicit last."""
    added = {
        _token_id(index, "added_tokens.json"): Added(text, False)
        for text, index in read_json_if_there(folder / "added_tokens.json").items()
    }
    for entry in listed:
        if isinstance(entry, dict):
            added[_token_id(entry.get("id"), "tokenizer.json")] = Added(
                str(entry.get("content", "")), entry.get("special") is True
            )
    for index, entry in Config(settings, "tokenizer_config.json").part("added_tokens_decoder").values.items():
        if isinstance(entry, dict):
            added[_token_id(index, "tokenizer_config.json")] = Added(
                str(entry.get("content", "")), entry.get("special") is True
            )
    return added


def _token_id(value: object, file: str) -> int:
    text = str(value)
    if not re.fullmatch(r"\d{1,9}", text):
        raise ConvertError(f"{file}: {text!r} is no token id")
    return int(text)


def _special_ids(folder: Path, settings: Mapping[str, Any], table: Table, known: Mapping[str, int]) -> Fields:
    """Ids of begin, end, unknown and padding: by text from the tokenizer's files, else by number."""
    mapped = read_json_if_there(folder / "special_tokens_map.json")
    config = read_json_if_there(folder / "config.json")
    index = {token: i for i, token in enumerate(table.tokens)}
    fields: Fields = {}
    for name, key in SPECIALS.items():
        texts = (_token_text(source.get(f"{name}_token")) for source in (settings, mapped))
        found = [index[text] for text in texts if text in index]
        number = config.get(f"{name}_token_id")
        # Llama 3 lists several ends; the first is the end of the text.
        number = number[0] if isinstance(number, list) and number else number
        found += [i for i in (known.get(name), number) if isinstance(i, int) and 0 <= i < len(table.tokens)]
        if found:
            fields[f"tokenizer.ggml.{key}"] = found[0]
    return fields


def _token_text(entry: object) -> str | None:
    text = entry.get("content") if isinstance(entry, dict) else entry
    return text if isinstance(text, str) else None


def _listed(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _chat_template(folder: Path, settings: Mapping[str, Any]) -> str | None:
    file = folder / "chat_template.jinja"
    if file.is_file():
        return file.read_text(encoding="utf-8")
    template = settings.get("chat_template")
    if isinstance(template, list):
        by_name = {t.get("name"): t.get("template") for t in template if isinstance(t, dict)}
        template = by_name.get("default")
    return template if isinstance(template, str) else None


# SentencePiece


def _sentencepiece(folder: Path, rows: int, settings: Mapping[str, Any]) -> Fields:
    file = folder / "tokenizer.model"
    try:
        model = sentencepiece.SentencePieceProcessor(model_file=str(file))
    except (RuntimeError, OSError):
        raise ConvertError(
            f"{file}: not a SentencePiece model; if the folder is an XOR release, run advrepl decode first"
        ) from None
    _refuse_normalising(model, file)
    table = Table(str(file), rows)
    for index in range(model.vocab_size()):
        table.put(index, model.id_to_piece(index), model.get_score(index), _piece_type(model, index))
    table.put_added(_added_tokens(folder, settings))
    table.pad(rows)
    table.check()
    known = {"bos": model.bos_id(), "eos": model.eos_id(), "unk": model.unk_id(), "pad": model.pad_id()}
    return {
        "tokenizer.ggml.model": "llama",
        "tokenizer.ggml.pre": "default",
        "tokenizer.ggml.tokens": table.tokens,
        "tokenizer.ggml.scores": table.scores,
        "tokenizer.ggml.token_type": table.types,
        **_special_ids(folder, settings, table, known),
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


def _refuse_normalising(model: Any, file: Path) -> None:
    """llama.cpp feeds text to the pieces as it is, so a model that rewrites it first would tokenise differently."""
    if not model.normalize("a  ﬁ").endswith("a▁▁ﬁ"):
        raise ConvertError(f"{file}: rewrites text before tokenising it (spaces or Unicode forms), llama.cpp cannot")


# Byte-level BPE

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


def _byte_level(tokenizer: Mapping[str, Any], folder: Path, rows: int, settings: Mapping[str, Any]) -> Fields:
    what = str(folder / "tokenizer.json")
    model = Config(tokenizer, what).part("model")
    pre = _pre_tokenizer(tokenizer, model, what)
    table = Table(what, rows)
    for token, index in model.part("vocab").values.items():
        table.put(_token_id(index, what), token, 0.0, NORMAL)
    table.put_added(_added_tokens(folder, settings, _listed(tokenizer.get("added_tokens"))))
    table.pad(rows)
    table.check()
    specials = _special_ids(folder, settings, table, {})
    return {
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": pre,
        "tokenizer.ggml.tokens": table.tokens,
        "tokenizer.ggml.token_type": table.types,
        "tokenizer.ggml.merges": [_merge(m, what) for m in _listed(model.values.get("merges"))],
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
        return tuple(step for part in _listed(pre.get("pretokenizers")) for step in _describe(part, what))
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
    for step in _listed(post.get("processors")) or [post]:
        if isinstance(step, Mapping) and step.get("type") == "TemplateProcessing":
            return "SpecialToken" in (_listed(step.get("single")) or [""])[0]
    return settings.get("add_bos_token") is True


def _from_gpt2_files(folder: Path) -> dict[str, Any]:
    """vocab.json and merges.txt in the shape of a tokenizer.json; both always mean GPT-2's way of cutting words."""
    lines = (folder / "merges.txt").read_text(encoding="utf-8").replace("\r\n", "\n").split("\n")
    merges = [line for line in lines if line and not line.startswith("#version")]
    return {
        "model": {"type": "BPE", "vocab": read_json(folder / "vocab.json"), "merges": merges},
        "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": False},
    }
