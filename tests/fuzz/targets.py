"""The parsers, each with seeds that are made here; anything but the errors that a user is told is a fault."""

import json
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from advrepl import AdvreplError
from advrepl.cards.read import parse_card
from advrepl.engines.kv import file as kv_file
from advrepl.engines.llama.playable import problem
from advrepl.lore.books import parse_book
from advrepl.macros.context import MacroContext
from advrepl.macros.expand import expand
from advrepl.prompt import bans
from advrepl.prompt.marks import Marks
from advrepl.sampling import presets
from advrepl.story import checking
from advrepl.terminal.text import visible
from convert import ConvertError
from convert.checkpoint.safetensors import read_safetensors
from convert.checkpoint.torch_file import read_torch
from convert.decode.sum_lists import parse_list
from convert.foreign import NotJson, parse_json
from tests import architectures, card_files, tiny, torch_files

TOLD = (AdvreplError, ConvertError, NotJson, kv_file.UnusableError)
Parse = Callable[[bytes], object]


@cache
def place() -> Path:
    """Return a folder for what can only be read from a file."""
    return Path(tempfile.mkdtemp(prefix="advrepl-fuzz-"))


def from_file(read: Callable[[Path], object], ending: str) -> Parse:
    def parse(data: bytes) -> object:
        path = place() / f"x{ending}"
        path.write_bytes(data)
        return read(path)

    return parse


def text(read: Callable[[str], object]) -> Parse:
    return lambda data: read(data.decode("utf-8", "replace"))


def book(data: bytes) -> object:
    return parse_book(parse_json(data), "book")


def save(data: bytes) -> object:
    path = place() / "story.json"
    path.write_bytes(data)
    return checking.check(path)


def seeds(name: str) -> list[bytes]:
    """Return what a parser reads well."""
    card = card_files.v2(name="Mira", description="A ferrywoman.", character_book={"entries": [{"keys": ["fog"]}]})
    made: dict[str, Callable[[], list[bytes]]] = {
        "card": lambda: [json.dumps(card).encode(), card_files.charx({"card.json": json.dumps(card).encode()})],
        "book": lambda: [b'{"entries": {"0": {"key": ["fog", "/b.g/i"], "content": "Wet.", "order": 3}}}'],
        "save": lambda: [(Path(__file__).parents[2] / "saves" / "the-old-house.json").read_bytes()],
        "gguf": lambda: [architectures.make("llama", place()).read_bytes()[:9000]],
        "safetensors": lambda: [_safetensors()],
        "torch": lambda: [torch_files.zipped(torch_files.legacy_state()), torch_files.legacy_state()],
        "sums": lambda: [b"d41d8cd98f00b204e9800998ecf8427e  a\nMD5 (b) = d41d8cd98f00b204e9800998ecf8427e\n"],
        "preset": lambda: [b'{"temperature": 0.7, "top_p": 0.9, "rep_pen": 1.1}'],
        "bans": lambda: [b'"shivers"\nthe \xe2\x80\x9cair\xe2\x80\x9d\n', b'["a phrase", "another one"]'],
        "macros": lambda: [b"{{user}} {{random::a::b}} {{roll:d6}} {{setvar::x::1}}{{getvar::x}}"],
        "marks": lambda: [b"USER: [INST] ### Response: <|im_start|>"],
        "text": lambda: ["a\x1b[31m\u202e\u200d\U000e0041b".encode()],
        "json": lambda: [b'{"a": [1, 2.5, "\\ud83d\\ude00", null, {}]}'],
        "kv": lambda: [b"advrepl-kv" + bytes(200)],
    }
    return made[name]()


def _safetensors() -> bytes:
    path = place() / "seed.safetensors"
    tiny.write_safetensors(path, {"a": tiny.Random(1).weight(4, 4)}, "F16")
    return path.read_bytes()


_MARKS = Marks(["<|im_start|>user\n", "[INST] ", "\nUSER: ", "\n### Response:\n"], lambda mark: True)
PARSERS: dict[str, Parse] = {
    "card": lambda data: parse_card(data, "card"),
    "book": book,
    "save": save,
    "gguf": from_file(problem, ".gguf"),
    "safetensors": from_file(read_safetensors, ".safetensors"),
    "torch": from_file(read_torch, ".bin"),
    "sums": text(lambda said: parse_list(said, "md5", "sums")),
    "preset": from_file(presets.read, ".json"),
    "bans": from_file(bans.load, ".txt"),
    "macros": text(lambda said: expand(said, MacroContext(user="Ann", char="Mira"), dict[str, Any](), "x", seed="1")),
    "marks": text(_MARKS.broken),
    "text": text(visible),
    "json": parse_json,
    "kv": from_file(lambda path: kv_file.read(path, kv_file.KvKey("", "", "")), ".kv"),
}


def try_one(name: str, data: bytes) -> None:
    """Parse; what a user would be told is no fault."""
    try:
        PARSERS[name](data)
    except TOLD:
        return
