"""The parsers, each with seeds that are made here; anything but the errors that a user is told is a fault."""

import json
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from advrepl import AdvreplError
from advrepl.cards.read import parse_card
from advrepl.cli import config
from advrepl.engines.kv import file as kv_file
from advrepl.engines.llama.playable import problem
from advrepl.exchange import reading
from advrepl.lore.books import load_book, parse_book
from advrepl.lore.key_match import compile_pattern
from advrepl.macros.context import MacroContext
from advrepl.macros.expand import expand
from advrepl.prompt import bans
from advrepl.prompt.marks import Marks
from advrepl.sampling import presets
from advrepl.story import checking, sharing
from advrepl.story.saves import ModelRef, PlayedWith
from advrepl.terminal.text import visible
from convert import ConvertError
from convert.checkpoint.safetensors import read_safetensors
from convert.checkpoint.torch_file import read_torch
from convert.decode.sum_lists import parse_list
from convert.foreign import NotJson, parse_json
from convert.vocab import proto
from convert.vocab.folder import read_vocab
from tests import architectures, card_files, exchange_chats, tiny, torch_files

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


def tokenizer(data: bytes) -> object:
    folder = place() / "tokenizer"
    folder.mkdir(exist_ok=True)
    (folder / "tokenizer.json").write_bytes(data)
    return read_vocab(folder, 512)


def pieces(data: bytes) -> object:
    """What sentencepiece itself makes of a file is its own; ours is read beside it."""
    try:
        return proto.read_kinds(data)
    except ValueError as error:  # told by convert.vocab.spm
        raise ConvertError(str(error)) from error


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
        "kv": lambda: [b"\x89advkv\r\n\x06\0\0\0" + bytes(200)],
        "png": lambda: [
            _png(card_files.text(card)),
            _png(card_files.itxt(card, packed=True)),
            _png(card_files.ztxt(card)),
        ],
        "yaml": lambda: [b"name: Mira\ncontext: |\n  A ferrywoman.\ngreeting: Hi, {{user}}!\n"],
        "books": lambda: [b"entries:\n  a: {key: [fog], content: Wet.}\n", b'{"entries": []}'],
        "chats": lambda: [text.encode() for text in exchange_chats.EVERY_TEXT.values()],
        "config": lambda: [b'theme = "dark"\ntemp = 0.7\nban = ["a"]\nctx = 4096\n'],
        "share": lambda: [sharing.line_of(_shared()).encode()],
        "pattern": lambda: [rb"/b(?:o+|\x61{2,3})[a-z\d]\p{L}*?(?<n>x)\k<n>/giu", rb"(?<=a)b|[^\w-]"],
        "tokenizer": lambda: [_tokenizer()],
        "pieces": lambda: [b"\x0a\x0a\x0a\x01a\x15\0\0\0\0\x18\x02\x12\x04\x18\x02\x28\x01"],
    }
    return made[name]()


def _safetensors() -> bytes:
    path = place() / "seed.safetensors"
    tiny.write_safetensors(path, {"a": tiny.Random(1).weight(4, 4)}, "F16")
    return path.read_bytes()


def _shared() -> sharing.Shared:
    model, played = ModelRef("m", "1-2", "m"), PlayedWith(ctx=512)
    return sharing.Shared("1", "1", model, "chat", "start", "", {}, played, "seed", [{}], ["a"], -1, [], b"")


def _png(chunks: bytes) -> bytes:
    return card_files.HEAD + chunks + card_files.PIXELS + card_files.END


def _tokenizer() -> bytes:
    tiny.write_tokenizer(place())
    return (place() / "tokenizer.json").read_bytes()


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
    "png": lambda data: parse_card(data, "card.png"),
    "yaml": lambda data: parse_card(data, "card.yaml"),
    "books": from_file(load_book, ".yaml"),
    "chats": lambda data: [chat.save("x") for chat in reading.parse(data, "chat.json")],
    "config": from_file(config.arguments, ".toml"),
    "share": text(sharing.read),
    "pattern": text(lambda said: compile_pattern(said, ignore_case=True)),
    "tokenizer": tokenizer,
    "pieces": pieces,
    "kv": from_file(lambda path: kv_file.read(path, kv_file.KvKey("", "", "")), ".kv"),
}


def try_one(name: str, data: bytes) -> None:
    """Parse; what a user would be told is no fault."""
    try:
        PARSERS[name](data)
    except TOLD:
        return
