"""The types llama.cpp can quantise to, and about how large they are."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod


@dataclass(frozen=True, slots=True)
class Type:
    number: int  # llama.h: enum llama_ftype
    bits: float  # per weight, about: as measured on a LLaMA of 8 billion weights
    imatrix: bool = False  # llama.cpp refuses it without an importance matrix
    note: str = ""


_TRAINED = "only for models trained in this type"

TYPES: Mapping[str, Type] = {
    "F32": Type(0, 32.0),
    "BF16": Type(32, 16.0),
    "F16": Type(1, 16.0),
    "Q8_0": Type(7, 8.5),
    "Q6_K": Type(18, 6.6),
    "Q5_K_M": Type(17, 5.7),
    "Q5_K_S": Type(16, 5.6),
    "Q5_1": Type(9, 6.0),
    "Q5_0": Type(8, 5.6),
    "Q4_K_M": Type(15, 4.9, note="the default"),
    "Q4_K_S": Type(14, 4.7),
    "IQ4_NL": Type(25, 4.7),
    "IQ4_XS": Type(30, 4.5),
    "Q4_1": Type(3, 5.1),
    "Q4_0": Type(2, 4.7),
    "Q3_K_L": Type(13, 4.3),
    "Q3_K_M": Type(12, 4.0),
    "Q3_K_S": Type(11, 3.7),
    "IQ3_M": Type(27, 3.8),
    "IQ3_S": Type(26, 3.7),
    "IQ3_XS": Type(22, 3.5, imatrix=True),
    "IQ3_XXS": Type(23, 3.3, imatrix=True),
    "Q2_K": Type(10, 3.2),
    "Q2_K_S": Type(21, 3.0, imatrix=True),
    "IQ2_M": Type(29, 3.0, imatrix=True),
    "IQ2_S": Type(28, 2.8, imatrix=True),
    "IQ2_XS": Type(20, 2.6, imatrix=True),
    "IQ2_XXS": Type(19, 2.4, imatrix=True),
    "IQ1_M": Type(31, 2.2, imatrix=True),
    "IQ1_S": Type(24, 2.0, imatrix=True),
    "TQ2_0": Type(37, 2.5, note=_TRAINED),
    "TQ1_0": Type(36, 2.2, note=_TRAINED),
}

PLAIN = ("F32", "F16", "BF16")  # written directly, without the quantiser

BLOCK = 256  # weights of a row that K- and IQ-types store together; other rows fall back to types of 5 to 8 bits


def estimate(shape: tuple[int, ...], kind: str) -> float:
    """Bytes that a tensor of this shape will take, about."""
    bits = TYPES[kind].bits if shape[-1] % BLOCK == 0 else max(TYPES[kind].bits, TYPES["Q8_0"].bits)
    return prod(shape) * (32.0 if len(shape) == 1 else bits) / 8
