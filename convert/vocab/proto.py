"""What sentencepiece's Python package does not tell of a model: the kinds of its pieces, and how it was trained.

Reads the model as protobuf, of which only numbers and strings of bytes are looked at.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

# sentencepiece_model.proto: ModelProto, its SentencePiece and TrainerSpec
PIECE, TRAINER, PIECE_TYPE, MODEL_TYPE = 1, 2, 3, 3
NORMAL = 1  # the kind of a piece that names none; the kinds are numbered as in GGUF
MODEL_TYPES = {1: "Unigram", 2: "BPE", 3: "Word", 4: "Char"}

_FIXED = {1: 8, 5: 4}  # wire type -> bytes


@dataclass(frozen=True, slots=True)
class SentencePieceKinds:
    """The kinds of all pieces by id, and the name of the algorithm that uses them."""

    pieces: tuple[int, ...]
    model_type: str


def read_kinds(data: bytes) -> SentencePieceKinds:
    """Read them out of a serialized model; raises ValueError if it is none."""
    pieces, model_type = list[int](), 1
    try:
        for number, value in _fields(data):
            if number == PIECE and isinstance(value, bytes):
                pieces.append(_number(value, PIECE_TYPE, NORMAL))
            elif number == TRAINER and isinstance(value, bytes):
                model_type = _number(value, MODEL_TYPE, 1)
    except (IndexError, struct.error) as error:
        raise ValueError("cut off") from error
    return SentencePieceKinds(tuple(pieces), MODEL_TYPES.get(model_type, str(model_type)))


def _number(message: bytes, wanted: int, default: int) -> int:
    found = (value for number, value in _fields(message) if number == wanted and isinstance(value, int))
    return next(found, default)


def _fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Number and value of each field: a whole number, or bytes."""
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        kind = tag & 7
        if kind == 0:
            value, at = _varint(data, at)
            yield tag >> 3, value
            continue
        size = _FIXED.get(kind, 0)
        if kind == 2:
            size, at = _varint(data, at)
        if not size and kind != 2:
            raise ValueError(f"wire type {kind}")
        if at + size > len(data):
            raise ValueError("cut off")
        yield tag >> 3, data[at : at + size]
        at += size


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if not byte & 0x80:
            return value, at
