"""Tokens by id, while they are gathered from a tokenizer's files."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from convert import ConvertError
from convert.foreign import quote

# tokenizer.ggml.token_type
NORMAL, UNKNOWN, CONTROL, USER_DEFINED, UNUSED, BYTE = 1, 2, 3, 4, 5, 6

# Scores only have to order the pieces: no merge may ever lead to these.
ADDED_SCORE, PADDING_SCORE = -1000.0, -10000.0

LEFT_OUT = "advrepl.left_out_tokens"
# The blank before a text stands at the beginning of a prompt alone. llama.cpp puts one behind each special token too,
# as tokenizers did that transformers calls legacy; advrepl does as the model's own (engines/llama/vocab.py).
PREFIX_FIRST = "advrepl.prefix_first"
# A text that begins with a blank gets none before it.
PREFIX_ONCE = "advrepl.prefix_once"
# A "▁" in a text is a blank also where user-defined pieces are looked for. llama.cpp looks for them before it knows.
BLANKS_ALIKE = "advrepl.blanks_alike"
# Ids of control tokens that take the blanks before or behind them with them. llama.cpp goes by the model's name there.
STRIPS_LEFT, STRIPS_RIGHT = "advrepl.strips_left", "advrepl.strips_right"
# By such a name llama.cpp looks for these tokens, and opens no file that lacks one.
PHI_3 = re.compile("(phi)-?3", re.IGNORECASE)
PHI_3_TOKENS = ("</s>", "<unk>", "<s>", "<|endoftext|>")

Fields = dict[str, str | int | bool | list[str] | list[int] | list[float]]


@dataclass(frozen=True, slots=True)
class AddedToken:
    """A token that was added after training."""

    text: str
    special: bool
    lstrip: bool = False
    rstrip: bool = False
    single_word: bool = False

    @property
    def token_type(self) -> int:
        """Its kind in GGUF."""
        # Control tokens are never read out of a player's text; what looks like a marker shall not be either.
        return CONTROL if self.special or re.fullmatch(r"<\|.*\|>", self.text) else USER_DEFINED


@dataclass(slots=True)
class TokenTable:
    """Tokens by id while they are gathered; three lists of the same length."""

    file: str  # for errors
    vocab_size: int  # rows of the embedding, which no id may exceed
    tokens: list[str] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)
    types: list[int] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)  # added tokens that have no row
    strips_left: list[int] = field(default_factory=list)
    strips_right: list[int] = field(default_factory=list)

    def put(self, index: int, token: str, score: float, token_type: int) -> None:
        """Set the token of an id; a ConvertError if the embedding has no row for it."""
        if index >= self.vocab_size:
            raise ConvertError(
                f"{self.file}: token {token!r} has id {index}, the embedding only {self.vocab_size} rows"
            )
        self.pad(index + 1)
        self.tokens[index], self.scores[index], self.types[index] = token, score, token_type

    def pad(self, size: int) -> None:
        """Fill up with tokens nobody uses; checkpoints round the rows of their embedding up."""
        for index in range(len(self.tokens), size):
            self.tokens.append(f"[PAD{index}]")
            self.scores.append(PADDING_SCORE)
            self.types.append(UNUSED)

    def put_added(self, added: Mapping[int, AddedToken]) -> None:
        """Set tokens that were added after training, by id; a ConvertError where one would replace another."""
        for index, token in sorted(added.items()):
            if index < len(self.tokens) and _blanks_alike(self.tokens[index]) == _blanks_alike(token.text):
                # Already there as a piece: only its kind may be sharper. Unknown and byte pieces keep their meaning.
                if self.types[index] in (NORMAL, USER_DEFINED):
                    self.types[index] = token.token_type
            elif index < len(self.tokens) and self.types[index] != UNUSED:
                raise ConvertError(f"{self.file}: added token {token.text!r} would replace {self.tokens[index]!r}")
            elif index < self.vocab_size:
                self.put(index, token.text, ADDED_SCORE, token.token_type)
            else:  # fine-tunes of 2023 named a padding token that they never gave a row
                self.left_out.append(f"{token.text!r} (id {index})")
                continue
            self._note_blanks(index, token)

    def _note_blanks(self, index: int, token: AddedToken) -> None:
        """Note that a token takes blanks with it; a ConvertError where it does so in any text, or is a word alone."""
        kind = self.types[index]
        if kind not in (CONTROL, USER_DEFINED):
            return
        if token.single_word or (kind == USER_DEFINED and (token.lstrip or token.rstrip)):
            text = f"a{token.text}b" if token.single_word else f"a {token.text} b"
            rule = "is found as a word alone" if token.single_word else "takes the blanks beside it with it"
            raise ConvertError(
                f"{self.file}: llama.cpp would read {quote(text)} as other tokens, since the added token "
                f"{quote(token.text)} {rule} here; this tokenizer cannot be converted"
            )
        self.strips_left += [index] if token.lstrip else []
        self.strips_right += [index] if token.rstrip else []

    def fields(self, model: str, pre: str) -> Fields:
        """Return the fields of the tokens, and of the added ones that have no row if there are any.

        `model`, `pre`: how llama.cpp cuts text ("llama" or "gpt2"), and what it cuts it at before.
        """
        fields: Fields = {
            "tokenizer.ggml.model": model,
            "tokenizer.ggml.pre": pre,
            "tokenizer.ggml.tokens": self.tokens,
            "tokenizer.ggml.token_type": self.types,
        }
        noted = {STRIPS_LEFT: self.strips_left, STRIPS_RIGHT: self.strips_right}
        fields |= {key: " ".join(map(str, ids)) for key, ids in noted.items() if ids}
        return fields | ({LEFT_OUT: self.left_out} if self.left_out else {})

    def check(self) -> None:
        """Refuse two ids with the same text, with a ConvertError."""
        # libllama aborts the process when two ids share a text.
        seen: dict[str, int] = {}
        for index, token in enumerate(self.tokens):
            if seen.setdefault(token, index) != index:
                raise ConvertError(f"{self.file}: tokens {seen[token]} and {index} are both {token!r}")


def _blanks_alike(text: str) -> str:
    """A token's text as SentencePiece writes it: of its user-defined pieces tokenizer.json has them so."""
    return text.replace(" ", "▁")
