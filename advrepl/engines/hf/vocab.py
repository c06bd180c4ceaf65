"""The tokens of a Hugging Face folder: text to ids and back, the same ids as in the GGUF that would be made of it.

The table of tokens, their kinds and the ids of begin and end are the converter's. The cutting is done by sentencepiece
or tokenizers. Needs neither torch nor transformers' own tokenizers.
"""

import re
import unicodedata
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import sentencepiece

from advrepl import AdvreplError
from advrepl.engines import vocabulary
from advrepl.sampling.params import DRY_BREAKERS
from advrepl.thinking import is_mark
from convert import ConvertError
from convert.config import read_object_if_there
from convert.vocab.bpe import NORMALIZER, PRE_TOKENIZERS, WHOLE_WORDS
from convert.vocab.folder import read_vocab
from convert.vocab.pieces import merges_of
from convert.vocab.table import (
    BLANKS_ALIKE,
    BYTE,
    CONTROL,
    NORMAL,
    PREFIX_FIRST,
    PREFIX_ONCE,
    STRIPS_LEFT,
    STRIPS_RIGHT,
    UNKNOWN,
    USER_DEFINED,
)

# In no vocabulary's pieces, so it comes out as byte tokens, which never merge with what follows.
GUARD = "\ue000"

Cut = Callable[[str], list[int]]


class Vocabulary(vocabulary.Vocabulary):
    """Turn text into the tokens of a folder's model, and back.

    `rows`: of the embedding, at least as many as there are tokens. Raises AdvreplError for files that are not read.
    """

    def __init__(self, folder: Path, rows: int) -> None:
        try:
            fields: dict[str, Any] = cast("dict[str, Any]", read_vocab(folder, rows))
            spm = fields["tokenizer.ggml.model"] == "llama"
            cut = (_sentencepiece if (folder / "tokenizer.model").is_file() else _pieces) if spm else _byte_level
            self._cut = cut(folder, fields)
        except ConvertError as error:
            raise AdvreplError(str(error)) from error
        self._tokens: list[str] = fields["tokenizer.ggml.tokens"]
        self.size = len(self._tokens)
        bos, eos = (int(fields.get(f"tokenizer.ggml.{name}_token_id", -1)) for name in ("bos", "eos"))
        prefix = " " if spm and fields["tokenizer.ggml.add_space_prefix"] else ""
        inner = "" if fields.get(PREFIX_FIRST) else prefix
        left, right = (
            tuple(self._tokens[int(token)] for token in fields.get(key, "").split())
            for key in (STRIPS_LEFT, STRIPS_RIGHT)
        )
        blanks = vocabulary.Blanks(prefix, inner, bool(fields.get(PREFIX_ONCE)), left, right)
        super().__init__(bos, eos, bool(fields["tokenizer.ggml.add_bos_token"]), blanks)
        self.template: str | None = fields.get("tokenizer.chat_template")
        self._ids = {text: i for i, text in enumerate(self._tokens)}
        ends = {self._ids[text] for text in vocabulary.ENDS if text in self._ids}
        borders = {self.bos, self.eos, *ends}  # in vocab.json they look like words
        self._types = [CONTROL if i in borders else kind for i, kind in enumerate(fields["tokenizer.ggml.token_type"])]
        self._bytes = _spm_bytes if spm else _letter_bytes()
        self._composes = fields.get(NORMALIZER) == "NFC"
        self._alike = bool(fields.get(BLANKS_ALIKE))
        self._in_text = self._pattern(USER_DEFINED)
        self._in_marks = self._pattern(USER_DEFINED, CONTROL, UNKNOWN)
        self._ends = {self.eos, *ends, *_named_ends(folder)}

    def plain(self, text: str) -> list[int]:
        """Return the tokens of foreign text, in which no special token is found."""
        return self._tokenize(text, self._in_text)

    def ends(self, token: int) -> bool:
        """Tell whether the token ends a text."""
        return token in self._ends

    def piece(self, token: int) -> bytes:
        """Return the bytes that a token spells, which may be a part of a character.

        None for rows that are no token and for control tokens, but for those by which a model says that it thinks.
        """
        kind = self._types[token]
        if kind == USER_DEFINED or is_mark(self._tokens[token]):
            return self._tokens[token].encode()
        return self._bytes(self._tokens[token]) if kind in (NORMAL, BYTE) else b""

    def special(self, token: int) -> str:
        """Return a control token as it is written in templates; "" if there is none."""
        return self._tokens[token] if token >= 0 else ""

    @cached_property
    def breakers(self) -> frozenset[int]:
        """Return the tokens over which no repetition is followed by DRY."""
        return frozenset(token for token in range(self.size) if any(text in self.piece(token) for text in DRY_BREAKERS))

    def _marked(self, mark: str) -> list[int]:
        return self._tokenize(mark, self._in_marks, behind=True)

    def _joined(self, mark: str, text: str) -> list[int]:
        end = max((found.end() for found in self._in_marks.finditer(mark)), default=0) if self._in_marks else 0
        rest = mark[end:] + text
        return [*self._marked(mark[:end]), *self.plain(self._blanks.before(rest, False) if end else rest)]

    def _tokenize(self, text: str, specials: re.Pattern[str] | None, behind: bool = False) -> list[int]:
        text = text.encode("utf-8", "replace").decode()  # half a surrogate pair is no text
        text = text.replace("▁", " ") if self._alike else text
        if self._composes:
            text = unicodedata.normalize("NFC", text)
        parts = specials.split(text) if specials else [text]
        ids: list[int] = []
        for index, part in enumerate(parts):  # every second one is what the pattern found
            if part:
                spaced = self._blanks.before(part, False) if behind and index else part
                ids += [self._ids[part]] if index % 2 else self._cut(spaced)
        return ids

    def _pattern(self, *kinds: int) -> re.Pattern[str] | None:
        found = [text for text, kind in zip(self._tokens, self._types, strict=True) if kind in kinds and text]
        return re.compile("(" + "|".join(map(re.escape, sorted(found, key=len, reverse=True))) + ")") if found else None


def _named_ends(folder: Path) -> set[int]:
    files = (folder / name for name in ("generation_config.json", "config.json"))
    named = [read_object_if_there(file).get("eos_token_id") for file in files]
    return {i for ids in named for i in (ids if isinstance(ids, list) else [ids]) if type(i) is int}


def _sentencepiece(folder: Path, fields: dict[str, Any]) -> Cut:
    model = sentencepiece.SentencePieceProcessor(model_file=str(folder / "tokenizer.model"))
    # It puts a space before each text it is given; what that and the guard are cut into is taken off again.
    guard = len(model.encode(GUARD))
    return lambda text: list(model.encode(GUARD + text)[guard:])


def _pieces(folder: Path, fields: dict[str, Any]) -> Cut:
    from tokenizers import Tokenizer  # comes with transformers
    from tokenizers.models import BPE

    types = fields["tokenizer.ggml.token_type"]
    vocab = {token: i for i, token in enumerate(fields["tokenizer.ggml.tokens"]) if types[i] in (NORMAL, BYTE)}
    merges = [pair for pair in merges_of(folder) if all(token in vocab for token in (*pair, "".join(pair)))]
    tokenizer = Tokenizer(BPE(vocab, merges, byte_fallback=True, fuse_unk=True))
    return lambda text: list(tokenizer.encode(text.replace(" ", "▁"), add_special_tokens=False).ids)


def _byte_level(folder: Path, fields: dict[str, Any]) -> Cut:
    from tokenizers import Regex, Tokenizer  # comes with transformers
    from tokenizers.models import BPE
    from tokenizers.pre_tokenizers import ByteLevel, Digits, PreTokenizer, Sequence, Split

    steps: dict[str, Callable[[], PreTokenizer]] = {
        "bytes": lambda: ByteLevel(add_prefix_space=False),
        "raw bytes": lambda: ByteLevel(add_prefix_space=False, use_regex=False),
        "digits": lambda: Digits(individual_digits=True),
    }
    described = next(names for names, pre in PRE_TOKENIZERS.items() if pre == fields["tokenizer.ggml.pre"])
    types = fields["tokenizer.ggml.token_type"]
    vocab = {token: i for i, token in enumerate(fields["tokenizer.ggml.tokens"]) if types[i] == NORMAL}
    merges = [tuple(merge.split(" ")) for merge in fields["tokenizer.ggml.merges"]]
    for pair in merges:
        if any(token not in vocab for token in (*pair, "".join(pair))):  # tokenizers panics
            raise AdvreplError(f"{folder}: its tokenizer merges {' and '.join(pair)}, which are no tokens of it")
    tokenizer = Tokenizer(BPE(vocab, merges, ignore_merges=fields["tokenizer.ggml.pre"] in WHOLE_WORDS))
    tokenizer.pre_tokenizer = Sequence(
        [steps[name]() if name in steps else Split(Regex(name), "isolated") for name in described]
    )
    return lambda text: list(tokenizer.encode(text, add_special_tokens=False).ids)


def _spm_bytes(token: str) -> bytes:
    byte = re.fullmatch(r"<0x([0-9A-Fa-f]{2})>", token)
    return bytes.fromhex(byte[1]) if byte else token.replace("▁", " ").encode()


def _letter_bytes() -> Callable[[str], bytes]:
    """GPT-2 writes each byte as a letter: printable ones stand for themselves, the others for 256 and up."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in plain]
    letters = {chr(byte): byte for byte in plain} | {chr(256 + i): byte for i, byte in enumerate(others)}
    return lambda token: bytes(letters[letter] for letter in token if letter in letters)
