"""The types llama.cpp can quantize to, and about how large they are."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod


@dataclass(frozen=True, slots=True)
class FType:
    """A file type of llama.cpp: which type its quantizer gives to which tensor."""

    number: int  # llama.h: enum llama_ftype
    bits: float  # per weight, about: as measured on a LLaMA of 8 billion weights
    imatrix: bool = False  # llama.cpp refuses it without an importance matrix


FTYPES: Mapping[str, FType] = {
    "F32": FType(0, 32.0),
    "BF16": FType(32, 16.0),
    "F16": FType(1, 16.0),
    "Q8_0": FType(7, 8.5),
    "Q6_K": FType(18, 6.6),
    "Q5_K_M": FType(17, 5.7),
    "Q5_K_S": FType(16, 5.6),
    "Q5_1": FType(9, 6.0),
    "Q5_0": FType(8, 5.6),
    "Q4_K_M": FType(15, 4.9),
    "Q4_K_S": FType(14, 4.7),
    "IQ4_NL": FType(25, 4.7),
    "IQ4_XS": FType(30, 4.5),
    "Q4_1": FType(3, 5.1),
    "Q4_0": FType(2, 4.7),
    "Q3_K_L": FType(13, 4.3),
    "Q3_K_M": FType(12, 4.0),
    "Q3_K_S": FType(11, 3.7),
    "IQ3_M": FType(27, 3.8),
    "IQ3_S": FType(26, 3.7),
    "IQ3_XS": FType(22, 3.5, imatrix=True),
    "IQ3_XXS": FType(23, 3.3, imatrix=True),
    "Q2_K": FType(10, 3.2),
    "Q2_K_S": FType(21, 3.0, imatrix=True),
    "IQ2_M": FType(29, 3.0, imatrix=True),
    "IQ2_S": FType(28, 2.8, imatrix=True),
    "IQ2_XS": FType(20, 2.6, imatrix=True),
    "IQ2_XXS": FType(19, 2.4, imatrix=True),
    "IQ1_M": FType(31, 2.2, imatrix=True),
    "IQ1_S": FType(24, 2.0, imatrix=True),
    "TQ2_0": FType(37, 2.5),  # this and the next are only for models that were trained in them
    "TQ1_0": FType(36, 2.2),
}

UNQUANTIZED = ("F32", "F16", "BF16")  # written directly, without the quantizer

QK_K = 256  # weights of a row that K- and IQ-types store together; other rows fall back to types of 5 to 8 bits


def estimated_bytes(shape: tuple[int, ...], ftype: str) -> float:
    """Bytes, about, that a tensor of this shape (outermost first) takes in a file of this type, a key of FTYPES."""
    bits = FTYPES[ftype].bits if shape[-1] % QK_K == 0 else max(FTYPES[ftype].bits, FTYPES["Q8_0"].bits)
    return prod(shape) * (32.0 if len(shape) == 1 else bits) / 8
