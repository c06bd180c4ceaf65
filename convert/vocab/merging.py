"""Byte pair encoding as a tokenizer.json describes it, in plain Python: slow, and a reference for what is written.

Finds no added tokens and puts no token before or behind a text.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from itertools import pairwise

import regex

# Hugging Face's ByteLevel cuts words as GPT-2 does.
GPT_2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
STEPS = {"bytes": GPT_2, "digits": r"\p{N}"}  # what splits a text; "raw bytes" does not

Encode = Callable[[str], list[int]]


@cache
def byte_letters() -> tuple[str, ...]:
    """Return GPT-2's letter for each byte: printable ones stand for themselves, the others for 256 and up."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = iter(range(256, 512))
    return tuple(chr(byte) if byte in plain else chr(next(others)) for byte in range(256))


def byte_level(vocab: Mapping[str, int], merges: Sequence[str], steps: Sequence[str], whole_words: bool) -> Encode:
    """An encoder of byte-level tokens; `steps`: how text is cut into words, as bpe.py names it.

    `whole_words`: words that are tokens are not merged.
    """
    ranks = {tuple(merge.split(" ")): rank for rank, merge in enumerate(merges)}
    patterns = [regex.compile(STEPS.get(step, step)) for step in steps if step != "raw bytes"]
    letters = byte_letters()

    def encode(text: str) -> list[int]:
        words = [text] if text else []
        for pattern in patterns:
            words = [part for word in words for part in _isolated(pattern, word)]
        spelled = ("".join(letters[byte] for byte in word.encode()) for word in words)
        return [
            vocab[piece]
            for word in spelled
            for piece in ([word] if whole_words and word in vocab else merged(list(word), ranks))
        ]

    return encode


def merged(symbols: list[str], ranks: Mapping[tuple[str, ...], int]) -> list[str]:
    """Merge neighbours, the pair of the lowest rank and of these the first one first, until none is left."""
    while len(symbols) > 1:
        rank, at = min((ranks.get(pair, len(ranks)), at) for at, pair in enumerate(pairwise(symbols)))
        if rank == len(ranks):
            break
        symbols[at : at + 2] = [symbols[at] + symbols[at + 1]]
    return symbols


def pieces(vocab: Mapping[str, int], merges: Sequence[str], prefix: str) -> Encode:
    """An encoder of LLaMA's pieces: blanks as "▁", `prefix` before a text, bytes for characters that are no pieces."""
    ranks = {tuple(merge.split(" ")): rank for rank, merge in enumerate(merges)}

    def encode(text: str) -> list[int]:
        symbols = list[str]()
        for char in (prefix + text if text else "").replace(" ", "▁"):
            symbols += [char] if char in vocab else [f"<0x{byte:02X}>" for byte in char.encode()]
        return [vocab[piece] for piece in merged(symbols, ranks)]

    return encode


def _isolated(pattern: "regex.Pattern[str]", text: str) -> list[str]:
    """The parts that the pattern finds, and what is between them."""
    parts, at = list[str](), 0
    for found in pattern.finditer(text):
        parts += [text[at : found.start()], found[0]]
        at = found.end()
    return [part for part in (*parts, text[at:]) if part]
