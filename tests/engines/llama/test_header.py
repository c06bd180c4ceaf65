"""Headers that are refused before llama.cpp sees them. None of these files is ever given to it.

They are written here byte by byte, as ggml's docs/gguf.md says, with one thing wrong in each.
"""

import ctypes
import random
import signal
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from llama_cpp._ctypes_extensions import load_shared_library
from llama_cpp._ggml import libggml_base_path

from advrepl import AdvreplError
from advrepl.engines.llama import header_checks, trial
from advrepl.engines.llama.header import (
    BLOCKS,
    LARGEST,
    MOST_NUMBERS,
    MOST_TEXTS,
    GgufHeader,
    forget_header,
    read_header,
)
from advrepl.engines.llama.playable import problem
from tests import architectures

U32, I32, F32, BOOL, STRING, ARRAY, U64 = 4, 5, 6, 7, 8, 9, 10
PACKED = {U32: "I", I32: "i", F32: "f", BOOL: "?", U64: "Q"}


def text(value: str | bytes) -> bytes:
    data = value if isinstance(value, bytes) else value.encode()
    return struct.pack("<Q", len(data)) + data


def packed(kind: int, value: Any) -> bytes:
    return text(value) if kind == STRING else struct.pack("<" + PACKED[kind], value)


def field(key: str, kind: int, value: Any, inner: int = 0) -> bytes:
    if kind != ARRAY:
        return text(key) + struct.pack("<I", kind) + packed(kind, value)
    items = b"".join(packed(inner, item) for item in value)
    return text(key) + struct.pack("<IIQ", ARRAY, inner, len(value)) + items


def tensor(name: str = "x", shape: tuple[int, ...] = (32,), kind: int = 0, offset: int = 0) -> bytes:
    return text(name) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape, kind, offset)


def whole(fields: list[bytes], tensors: list[bytes], version: int = 3, **told: int) -> bytes:
    head = struct.pack("<IQQ", version, told.get("n_tensors", len(tensors)), told.get("n_fields", len(fields)))
    data = b"GGUF" + head + b"".join(fields) + b"".join(tensors)
    return data + bytes(-len(data) % 32 + 4096)


ARCH = field("general.architecture", STRING, "llama")
TOKENS = ["<unk>", "a", "b"]
WORDS = field("tokenizer.ggml.tokens", ARRAY, TOKENS, STRING)


def with_field(*args: Any) -> bytes:
    return whole([ARCH, WORDS, field(*args)], [tensor()])


def with_tokens(tokens: list[Any] = TOKENS, kind: str = "gpt2", **more: Any) -> bytes:
    fields = [ARCH, field("tokenizer.ggml.model", STRING, kind), field("tokenizer.ggml.tokens", ARRAY, tokens, STRING)]
    if "types" in more:
        fields.append(field("tokenizer.ggml.token_type", ARRAY, more["types"], I32))
    if "scores" in more:
        fields.append(field("tokenizer.ggml.scores", ARRAY, more["scores"], F32))
    if "merges" in more:
        fields.append(field("tokenizer.ggml.merges", ARRAY, more["merges"], STRING))
    return whole(fields, [tensor()])


BYTES = [f"<0x{byte:02X}>" for byte in range(256)]

GROUPED = {"count": 8, "used_count": 2, "group_count": 3}

GOOD = {
    "as it is": whole([ARCH, WORDS], [tensor()]),
    "tokens": with_tokens(types=[2, 1, 1], merges=["a b", "\u0120 a"]),
    "spm": with_tokens([*BYTES, "a"], "llama", types=[6] * 256 + [1], scores=[0.0] * 257),
    "version 2": whole([ARCH, WORDS], [tensor()], version=2),
    "alignment": whole([ARCH, WORDS, field("general.alignment", U32, 64)], [tensor(), tensor("y", offset=128)]),
    "layers": with_field("llama.attention.head_count", ARRAY, [4, 0, 4], U32),
    "experts": whole(
        [ARCH, WORDS, *(field(f"llama.expert_{key}", U32, n) for key, n in (GROUPED | {"group_count": 1}).items())],
        [tensor()],
    ),
    "scaling": with_field("llama.rope.scaling.type", STRING, "longrope"),
}

BAD: dict[str, tuple[bytes, str]] = {
    "version": (whole([ARCH], [tensor()], version=1), "is of version 1"),
    "count of values": (whole([ARCH], [tensor()], n_fields=1 << 40), "promises 1099511627776 values"),
    "count of tensors": (whole([ARCH], [tensor()], n_tensors=1 << 62), "promises 1 values and 4611686018427387904"),
    "more values than there are": (whole([ARCH], [tensor()], n_fields=50), "its header"),
    "length of a key": (b"GGUF" + struct.pack("<IQQQ", 3, 0, 1, 1 << 63) + bytes(99), "name of 9223372036854775808"),
    "length of a text": (whole([text("k") + struct.pack("<IQ", STRING, 1 << 62)], []), "ends too early"),
    "length of a list": (whole([text("k") + struct.pack("<IIQ", ARRAY, U64, 1 << 61)], []), f"'k' {1 << 61} numbers"),
    "numbers that are not there": (whole([text("k") + struct.pack("<IIQ", ARRAY, U64, 9999)], []), "ends too early"),
    "length of a list of texts": (
        whole([text("k") + struct.pack("<IIQ", ARRAY, STRING, 1 << 61)], []),
        f"holds {1 << 61} texts",
    ),
    "texts that are not there": (whole([text("k") + struct.pack("<IIQ", ARRAY, STRING, 9999)], []), "ends too early"),
    "texts without end": (
        whole(
            [
                ARCH,
                *(
                    text(key) + struct.pack("<IIQ", ARRAY, STRING, MOST_TEXTS // 2) + bytes(MOST_TEXTS * 4)
                    for key in "kl"
                ),
            ],
            [],
        ),
        f"holds {MOST_TEXTS + 1} texts",
    ),
    "a text without end": (
        whole([ARCH, text("k") + struct.pack("<IQ", STRING, LARGEST) + bytes(LARGEST)], []),
        f"is larger than {LARGEST >> 20} MB",
    ),
    "a list without end": (
        whole(
            [ARCH, text("k") + struct.pack("<IIQ", ARRAY, 0, MOST_NUMBERS + 1) + bytes(MOST_NUMBERS + 1)], [tensor()]
        ),
        f"gives 'k' {MOST_NUMBERS + 1} numbers",
    ),
    "list of lists": (whole([text("k") + struct.pack("<IIQ", ARRAY, ARRAY, 1)], []), "unknown type, 9"),
    "type of a value": (whole([text("k") + struct.pack("<I", 77)], []), "unknown type, 77"),
    "a value twice": (whole([ARCH, ARCH], [tensor()]), "holds 'general.architecture' twice"),
    "alignment 0": (with_field("general.alignment", U32, 0), "alignment of 0"),
    "alignment 3": (with_field("general.alignment", U32, 3), "alignment of 3"),
    "alignment 2**31": (with_field("general.alignment", U32, 1 << 31), "alignment of 2147483648"),
    "no dimensions": (whole([ARCH], [tensor(shape=())]), "0 dimensions"),
    "many dimensions": (whole([ARCH], [tensor(shape=(1,) * 9)]), "9 dimensions"),
    "empty dimension": (whole([ARCH], [tensor(shape=(0, 4))]), "a shape that cannot be, 0 x 4"),
    "overflow": (whole([ARCH], [tensor(shape=(1 << 39, 1 << 39))]), "a shape that cannot be"),
    "type of a tensor": (whole([ARCH], [tensor(kind=99)]), "an unknown type, 99"),
    "type that is gone": (whole([ARCH], [tensor(kind=4)]), "an unknown type, 4"),
    "half a block": (whole([ARCH], [tensor(shape=(33,), kind=2)]), "a shape that cannot be"),
    "a tensor twice": (whole([ARCH], [tensor(), tensor(offset=128)]), "holds the tensor 'x' twice"),
    "over another": (whole([ARCH], [tensor(), tensor("y", offset=32)]), "'y' where it cannot stand"),
    "beside the file": (whole([ARCH], [tensor(offset=1 << 62)]), "'x' where it cannot stand"),
    "no architecture": (whole([WORDS], [tensor()]), "names no architecture"),
    "layers": (with_field("llama.block_count", U32, 100_000), "gives llama.block_count as 100000"),
    "fewer than layers": (
        whole(
            [
                ARCH,
                WORDS,
                field("llama.block_count", U32, 30),
                field("llama.attention.head_count", ARRAY, [4] * 8, U32),
            ],
            [tensor()],
        ),
        "gives llama.attention.head_count for 8 of 30 layers",
    ),
    "no layers": (with_field("llama.block_count", U32, 0), "gives llama.block_count as 0"),
    "context": (with_field("llama.context_length", U32, 1 << 31), "gives llama.context_length as 2147483648"),
    "context 0": (with_field("llama.context_length", U32, 0), "gives llama.context_length as 0"),
    "heads": (with_field("llama.attention.head_count", U32, 1 << 30), "gives llama.attention.head_count"),
    "heads for each layer": (with_field("llama.attention.head_count", ARRAY, [1 << 30], U32), "head_count"),
    "experts": (with_field("llama.expert_count", U32, 100_000), "gives llama.expert_count as 100000"),
    "more experts than there are": (with_field("llama.expert_used_count", U32, 8), "uses 8 of 0 experts"),
    "none of the experts": (with_field("llama.expert_count", U32, 8), "uses 0 of 8 experts"),
    "groups of experts": (
        whole([ARCH, WORDS, *(field(f"llama.expert_{key}", U32, n) for key, n in GROUPED.items())], [tensor()]),
        "uses 0 of 3 groups of 8 experts",
    ),
    "groups of no experts": (with_field("llama.expert_group_count", U32, 1), "has 0 experts in 1 groups"),
    "scaling": (with_field("llama.rope.scaling.type", STRING, "dynamic"), "stretches positions by 'dynamic'"),
    "epsilon": (with_field("llama.attention.layer_norm_rms_epsilon", F32, -1.0), "must be from 0 to 1"),
    "no number": (with_field("llama.attention.layer_norm_rms_epsilon", F32, float("nan")), "as nan"),
    "infinite": (with_field("llama.rope.freq_base", F32, float("inf")), "as inf"),
    "rope": (with_field("llama.rope.scaling.factor", F32, -2.0), "must be above 0"),
    "rotated": (with_field("llama.rope.dimension_count", U32, 7), "turns 7 values"),
    "tokenizer": (with_tokens(kind="bert"), "a tokenizer of the kind 'bert'"),
    "no tokens": (with_tokens([]), "has 0 tokens"),
    "tokens twice": (with_tokens(["a", "a", "b"]), "has 1 tokens twice"),
    "tokens of no text": (with_tokens([b"\xff", b"a"]), "tokens that are no text"),
    "a long token": (with_tokens(["a" * 5000]), "tokens that are no text"),
    "types": (with_tokens(types=[1]), "has 3 tokens and 1 types"),
    "scores": (with_tokens(scores=[1.0]), "has 3 tokens and 1 scores"),
    "scores of no number": (with_tokens(scores=[1.0, float("nan"), 1.0]), "scores of tokens that are no numbers"),
    "unknown types": (with_tokens(types=[1, 99, 1]), "tokens of unknown types"),
    "bytes": (with_tokens(["<0x0", *BYTES[1:]], "llama", types=[6] * 256), "tokens of bytes that are not the 256"),
    "merges": (with_tokens(merges=["ab"]), "merges that are no two tokens"),
    "empty merges": (with_tokens(merges=[""]), "merges that are no two tokens"),
    "merges of no text": (with_tokens(merges=[b"\xff \xff"]), "merges that are no two tokens"),
    "template": (with_field("tokenizer.chat_template", STRING, "x" * (1 << 20) + "x"), "a chat template of 1,048,577"),
}


@pytest.mark.parametrize("name", GOOD)
def test_what_is_right_is_no_problem(name: str, tmp_path: Path) -> None:
    (tmp_path / "x.gguf").write_bytes(GOOD[name])
    assert problem(tmp_path / "x.gguf") == ""


@pytest.mark.parametrize("name", BAD)
def test_what_is_wrong_is_told_in_a_sentence(name: str, tmp_path: Path) -> None:
    data, words = BAD[name]
    (tmp_path / "x.gguf").write_bytes(data)
    told = problem(tmp_path / "x.gguf")
    assert told.startswith("x.gguf is ") and words in told and "\n" not in told


def test_the_values_are_those_that_were_written(tmp_path: Path) -> None:
    path = architectures.make("lfm2", tmp_path)
    header = GgufHeader(path)
    assert header.text("general.architecture") == "lfm2" and header.number("lfm2.context_length") == 1024
    assert header.numbers("lfm2.attention.head_count_kv") == (0, 2, 0, 2)
    assert header.number("general.architecture") is None and header.text("lfm2.context_length") is None
    assert header.end <= path.stat().st_size < header.end + 32


def test_the_last_header_is_remembered_while_its_file_stays_as_it_is(tmp_path: Path) -> None:
    path = architectures.make("lfm2", tmp_path)
    first = read_header(path)
    assert read_header(path) is first
    path.write_bytes(architectures.make("llama", tmp_path).read_bytes())
    changed = read_header(path)
    assert changed.text("general.architecture") == "llama"
    forget_header()
    assert read_header(path) is not changed


def test_the_blocks_are_those_of_llama_cpp() -> None:
    ggml = load_shared_library("ggml-base", libggml_base_path)
    ggml.ggml_blck_size.restype, ggml.ggml_type_size.restype = ctypes.c_int64, ctypes.c_size_t
    kinds = {kind: (ggml.ggml_blck_size(kind), ggml.ggml_type_size(kind)) for kind in range(max(BLOCKS) + 1)}
    assert {kind: sizes for kind, sizes in kinds.items() if sizes[0]} == BLOCKS


def test_a_header_that_is_cut_or_changed_anywhere_is_a_sentence_or_a_header(tmp_path: Path) -> None:
    good, path, chance = architectures.make("llama", tmp_path).read_bytes(), tmp_path / "x.gguf", random.Random(21)
    size = GgufHeader(tmp_path / "llama.gguf").data_offset
    for _ in range(300):
        data = bytearray(good)
        at = chance.randrange(4, size)
        data[at : at + chance.choice((1, 4, 8))] = chance.choice((b"\xff", b"\0", b"\x7f" * 8, chance.randbytes(4)))
        path.write_bytes(data[: chance.choice((len(data), at))])
        assert "\n" not in problem(path)


# --- what is not known before is found out in a child


def test_what_loads_in_a_child_is_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ADVREPL_HOME", str(tmp_path / "home"))
    path = architectures.make("llama", tmp_path)
    tried, run = list[str](), subprocess.run

    def counted(words: list[str], **how: Any) -> Any:
        tried.append(words[-1])
        return run(words, **how)

    monkeypatch.setattr(subprocess, "run", counted)
    for _ in range(2):
        trial.check_loads(path)
    assert tried == [str(path)]
    path.write_bytes(path.read_bytes() + b"\0" * 32)  # another file now
    trial.check_loads(path)
    assert len(tried) == 2


@pytest.mark.skipif(sys.platform == "win32", reason="a shell script stands for a child that ends")
def test_what_ends_the_child_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: Callable[[str], Path]
) -> None:
    path = architectures.make("llama", tmp_path)
    monkeypatch.setenv("ADVREPL_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(sys, "executable", str(script("kill -ABRT $$")))
    with pytest.raises(AdvreplError, match=r"llama\.gguf makes llama\.cpp end the process .*SIGABRT"):
        trial.check_loads(path)
    monkeypatch.setattr(sys, "executable", str(script("exit 1")))  # what cannot be loaded says so later
    trial.check_loads(path)
    monkeypatch.setenv("ADVREPL_HOME", str(tmp_path / "other"))
    monkeypatch.setattr(sys, "executable", str(script(f"kill -{signal.SIGINT.value} $$")))
    with pytest.raises(KeyboardInterrupt):
        trial.check_loads(path)


def test_a_model_whose_first_word_would_never_be_done_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ADVREPL_HOME", str(tmp_path / "home"))
    turning: dict[str, Any] = {"rope.dimension_count": 0}
    path = architectures.make("gemma3", tmp_path, **turning)
    assert problem(path) == ""
    with pytest.raises(AdvreplError, match="its first word would never be done"):
        trial.check_loads(path)


@pytest.fixture
def script(tmp_path: Path) -> Callable[[str], Path]:
    def write(line: str) -> Path:
        file = tmp_path / "child"
        file.write_text(f"#!/bin/sh\n{line}\n")
        file.chmod(0o755)
        return file

    return write


@given(st.lists(st.text("a \0", max_size=5).map(str.encode), max_size=4))
def test_a_merge_is_a_blank_between_two_tokens(merges: list[bytes]) -> None:
    assert header_checks._are_two_tokens(merges) == all(b" " in merge[1:-1] for merge in merges)
