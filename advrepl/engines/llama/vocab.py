"""A model's tokens: text to ids and back; and single values of a model file's header.

Does not know prompts; what a segment is, prompt/segments.py says.
"""

import ctypes
import re
import unicodedata
from array import array
from functools import lru_cache
from typing import Any

import llama_cpp.llama_cpp as lib

from advrepl.engines import vocabulary
from advrepl.thinking import is_mark
from convert.vocab.bpe import NORMALIZER
from convert.vocab.table import BLANKS_ALIKE, PREFIX_FIRST, PREFIX_ONCE, STRIPS_LEFT, STRIPS_RIGHT

PIECE_BYTES = 512
MARKS_KEPT = 256
# What is found as a whole in a mark.
SPECIAL = lib.LLAMA_TOKEN_ATTR_UNKNOWN | lib.LLAMA_TOKEN_ATTR_CONTROL | lib.LLAMA_TOKEN_ATTR_USER_DEFINED


class Vocabulary(vocabulary.Vocabulary):
    """Turn text into the tokens of a loaded model, and back. One thread at a time; `model`: a llama_model pointer."""

    def __init__(self, model: Any) -> None:
        self._vocab = lib.llama_model_get_vocab(model)
        self.size = int(lib.llama_vocab_n_tokens(self._vocab))
        prefix = ""
        if lib.llama_vocab_type(self._vocab) == lib.LLAMA_VOCAB_TYPE_SPM:
            prefix = " " if metadata(model, "tokenizer.ggml.add_space_prefix") != "false" else ""
        bos, eos = int(lib.llama_vocab_bos(self._vocab)), int(lib.llama_vocab_eos(self._vocab))
        inner = "" if metadata(model, PREFIX_FIRST) == "true" else prefix
        once = metadata(model, PREFIX_ONCE) == "true"
        left, right = (self._named(metadata(model, key) or "") for key in (STRIPS_LEFT, STRIPS_RIGHT))
        blanks = vocabulary.Blanks(prefix, inner, once, left, right)
        super().__init__(bos, eos, bool(lib.llama_vocab_get_add_bos(self._vocab)), blanks)
        self._opened = lru_cache(MARKS_KEPT)(self._opening_of)
        self._composes = metadata(model, NORMALIZER) == "NFC"
        self._alike = metadata(model, BLANKS_ALIKE) == "true"
        self._pieces: dict[int, bytes] = {}
        self._ends: dict[int, bool] = {}
        self._controls: dict[int, bool] = {}
        self._beginnings: dict[str, list[int]] = {}
        self._buffer = ctypes.create_string_buffer(PIECE_BYTES)

    @property
    def handle(self) -> Any:
        """Return the llama_vocab pointer."""
        return self._vocab

    def _joined(self, mark: str, text: str) -> list[int]:
        tokens, rest = self._opened(mark)
        return [*tokens, *self._behind(tokens, rest + text)]

    def _opening_of(self, mark: str) -> tuple[list[int], str]:
        """The tokens of a mark up to its last special one, and what stands behind that."""
        tokens, rest = list[int](), mark
        for token in self._marked(mark):
            if self._is_found_in(rest, token):
                before, _, rest = rest.partition(self.special(token))
                attributes = lib.llama_vocab_get_attr(self._vocab, token)
                before = before.rstrip() if attributes & lib.LLAMA_TOKEN_ATTR_LSTRIP else before
                rest = rest.lstrip() if attributes & lib.LLAMA_TOKEN_ATTR_RSTRIP else rest
                tokens += [*self._behind(tokens, before), token]
        return tokens, rest

    def _behind(self, tokens: list[int], text: str) -> list[int]:
        """The tokens of text behind those of a mark, of which the last is a special one if there are any."""
        return self.plain(self._blanks.before(text, False) if tokens else text)

    def _named(self, ids: str) -> tuple[str, ...]:
        found = (self.special(int(token)) for token in ids.split() if token.isdecimal() and int(token) < self.size)
        return tuple(filter(None, found))

    def plain(self, text: str) -> list[int]:
        """Return the tokens of foreign text, in which no special token is found.

        SentencePiece may still merge letters to one, where the pieces between are in the vocabulary.
        """
        tokens = self._tokenize(text, special=False)
        found = {self.special(token).replace("▁", " ") for token in tokens if self._is_control(token)}
        if not found:
            return tokens
        parts = re.split("|".join(rf"(?<={re.escape(mark[:1])})(?={re.escape(mark[1:])})" for mark in found), text)
        apart = [token for part in parts for token in self._tokenize(part, special=False)]
        return [token for token in apart if not self._is_control(token)]

    def beginning(self, text: str) -> list[int]:
        """Return the first token of foreign text, if it has one; the words of biases are asked for in each reply."""
        if text not in self._beginnings:
            self._beginnings[text] = self.plain(text)[:1]
        return self._beginnings[text]

    def _is_control(self, token: int) -> bool:
        control = self._controls.get(token)
        if control is None:
            control = self._controls[token] = bool(lib.llama_vocab_is_control(self._vocab, token))
        return control

    def ends(self, token: int) -> bool:
        """Tell whether the token ends a text."""
        ends = self._ends.get(token)
        if ends is None:
            ends = self._ends[token] = bool(lib.llama_vocab_is_eog(self._vocab, token))
        return ends

    def piece(self, token: int) -> bytes:
        """Return the bytes that a token spells, which may be a part of a character.

        None for control tokens, but for those by which a model says that it thinks (thinking.py).
        """
        piece = self._pieces.get(token)
        if piece is None:
            size = lib.llama_token_to_piece(self._vocab, token, self._buffer, PIECE_BYTES, 0, False)
            piece = self._buffer.raw[: max(size, 0)]
            if not piece and is_mark(text := self.special(token)):
                piece = text.encode()
            self._pieces[token] = piece
        return piece

    def special(self, token: int) -> str:
        """Return a control token as it is written in templates; "" if there is none."""
        text = lib.llama_vocab_get_text(self._vocab, token) if token >= 0 else b""
        return (text or b"").decode("utf-8", "replace")

    def _is_found_in(self, mark: str, token: int) -> bool:
        """Tell whether the token is one that is found as a whole, and stands in the mark (<unk> need not)."""
        return bool(lib.llama_vocab_get_attr(self._vocab, token) & SPECIAL) and self.special(token) in mark

    def _marked(self, mark: str) -> list[int]:
        return self._tokenize(mark, special=True)

    def _tokenize(self, text: str, special: bool) -> list[int]:
        if not text:
            return []
        if self._composes:
            text = unicodedata.normalize("NFC", text)
        text = text.replace("▁", " ") if self._alike else text
        data = text.encode("utf-8", "surrogatepass")
        size = len(data) + 2
        tokens = array("i", bytes(4 * size))  # ctypes' arrays are of a new class for each length, a ring of garbage
        first = lib.llama_token.from_buffer(tokens)
        count = lib.llama_tokenize(self._vocab, data, len(data), first, size, False, special)
        return tokens[: max(count, 0)].tolist()


def metadata(model: Any, key: str) -> str | None:
    """Return a value of the file's header as text; None if it has none by that name."""
    buffer = ctypes.create_string_buffer(4096)
    size = lib.llama_model_meta_val_str(model, key.encode(), buffer, len(buffer))
    return buffer.value.decode("utf-8", "replace") if size >= 0 else None


def number(model: Any, name: str, default: int) -> int:
    """Return a number of the model's architecture from the file's header, such as "rope.dimension_count"."""
    value = metadata(model, f"{metadata(model, 'general.architecture')}.{name}")
    return int(value) if value and value.isdecimal() else default
