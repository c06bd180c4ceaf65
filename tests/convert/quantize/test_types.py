import llama_cpp

from convert.quantize.types import FTYPES


def test_numbers_are_those_of_the_header() -> None:
    for name, kind in FTYPES.items():
        constant = f"LLAMA_FTYPE_MOSTLY_{name}" if name != "F32" else "LLAMA_FTYPE_ALL_F32"
        assert getattr(llama_cpp, constant) == kind.number
