"""What the vocabularies of all engines share: where special tokens are found in a prompt, and what begins it."""

import re
from abc import ABC, abstractmethod
from collections.abc import MutableMapping, Sequence

from msgspec import Struct

from advrepl.prompt.segments import Segment

# Tokens that end a text in any model that has them, whatever kind its files say they are.
ENDS = ("</s>", "<|endoftext|>", "<|end_of_text|>", "<|im_end|>", "<|eot_id|>", "<|end|>")


class Blanks(Struct, frozen=True):
    """What a tokenizer does to blanks.

    `prefix`: what SentencePiece puts before the text of a prompt; `inner`: what it puts before text behind a special
    token of a mark, the same in tokenizers that transformers calls legacy; `once`: neither before text that begins
    with a blank; `left`, `right`: special tokens that take the blanks before or behind them with them.
    """

    prefix: str = ""
    inner: str = ""
    once: bool = False
    left: tuple[str, ...] = ()
    right: tuple[str, ...] = ()

    def before(self, text: str, first: bool) -> str:
        """Return text with the blank that belongs before it; `first`: at the beginning of a prompt."""
        prefix = self.prefix if first else self.inner
        return text if not text or (self.once and text.startswith((" ", "▁"))) else prefix + text

    def stripped(self, mark: str, text: str) -> tuple[str, str]:
        """Return a mark and the text behind it without the blanks that special tokens of the mark take with them."""
        if self.left:
            mark = re.sub(rf"\s+(?={_any_of(self.left)})", "", mark)
        if self.right:
            mark = re.sub(rf"({_any_of(self.right)})\s+", r"\1", mark)
            text = text.lstrip() if mark.endswith(self.right) else text
        return mark, text


def _any_of(tokens: tuple[str, ...]) -> str:
    return "|".join(map(re.escape, sorted(tokens, key=len, reverse=True)))


class Vocabulary(ABC):
    """Turn text into a model's tokens, and back. `bos` and `eos` are -1 where there is none."""

    def __init__(self, bos: int, eos: int, add_bos: bool, blanks: Blanks) -> None:
        self.bos, self.eos = bos, eos
        self.leads: MutableMapping[str, int] = {}  # of marks, as kv/borders.py has found them out
        self._add_bos, self._blanks = add_bos and bos >= 0, blanks

    def encode(self, segment: Segment, first: bool) -> tuple[int, ...]:
        """Return a segment's tokens: special tokens are found in its mark, and never in its text.

        `first`: it stands at the beginning of a prompt, where SentencePiece puts a space before what is text.
        """
        if segment.plain:
            return tuple(self.plain(self._blanks.before(str(segment), True) if first else str(segment)))
        mark, text = self._blanks.stripped(segment.mark, segment.text)
        opening = tuple[int, ...]()
        if first and self.bos >= 0 and mark.startswith(begin := self.special(self.bos)):
            mark, opening = mark.removeprefix(begin), (self.bos,)  # by the template itself
        if first:
            mark, text = self._spaced(mark, text)
        return (*opening, *self._joined(mark, text))

    def _spaced(self, mark: str, text: str) -> tuple[str, str]:
        """The beginning of a prompt, with SentencePiece's space unless a special token stands there."""
        if not mark:
            return mark, self._blanks.before(text, True)
        tokens = self._marked(mark) if self._blanks.prefix else []
        return (mark if tokens and not self.piece(tokens[0]) else self._blanks.before(mark, True)), text

    def opening(self, tokens: Sequence[int]) -> tuple[int, ...]:
        """Return what must stand before the first tokens of a prompt: a beginning of text, unless it is there."""
        return (self.bos,) if self._add_bos and tuple(tokens[:1]) != (self.bos,) else ()

    @abstractmethod
    def plain(self, text: str) -> list[int]:
        """Return the tokens of foreign text, in which no special token is found."""

    @abstractmethod
    def ends(self, token: int) -> bool:
        """Tell whether a token ends a text."""

    @abstractmethod
    def piece(self, token: int) -> bytes:
        """Return the bytes that a token spells, which may be a part of a character.

        None for what is no text, but for the marks by which a model says that it thinks (thinking.py).
        """

    @abstractmethod
    def special(self, token: int) -> str:
        """Return a control token as it is written in templates; "" if there is none."""

    @abstractmethod
    def _marked(self, mark: str) -> list[int]:
        """Return the tokens of our own text, in which special tokens are found."""

    @abstractmethod
    def _joined(self, mark: str, text: str) -> list[int]:
        """Return the tokens of both: what stands behind the mark's last special token may merge with the text."""
