"""The tokens of a folder, against those of the GGUF that is made of it; with tokenizers and sentencepiece, no torch."""

import json
import random
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer

from advrepl import AdvreplError
from advrepl.engines.base import LoadOptions
from advrepl.engines.hf.vocab import Vocabulary
from advrepl.engines.llama import vocab
from advrepl.engines.llama.log import Log
from advrepl.engines.llama.model import LlamaModel
from advrepl.engines.llama.vocab_file import VocabularyFile
from advrepl.prompt.segments import Segment
from convert import run
from tests import real, tiny
from tests.convert.vocab.test_spm import trained
from tests.convert.vocab.texts import vocab_gguf

TEXTS = (
    "Hello, world!", " two  spaces ", "\n\nlines\n", "the other hour in a tower", "Ärger 🐉 龍", "tab\there", "x", "",
    "You: 1234.5 don't  \n", "</s><|endoftext|>", "\ue000", "<0x0A>", "it's\u200b",
)  # fmt: skip


@dataclass
class Pair:
    mine: Vocabulary
    llama_cpp: vocab.Vocabulary


def gpt2_files(folder: Path) -> None:
    """The same tokenizer, as GPT-2 wrote it; `<|endoftext|>` is a word of vocab.json there."""
    tokenizer = json.loads((folder / "tokenizer.json").read_text())
    (folder / "tokenizer.json").unlink()
    tiny.write_json(folder / "vocab.json", tokenizer["model"]["vocab"])
    (folder / "merges.txt").write_text("#version: 0.2\n" + "\n".join(tokenizer["model"]["merges"]) + "\n")


def folder_of(kind: str, folder: Path) -> tuple[Path, int]:
    if kind == "smollm":
        return real.smollm_folder(folder, dtype=""), 49152
    spm = kind in ("spm", "pieces")
    rows = 32002 if spm else tiny.ROWS
    if kind == "tekken":
        return tiny.nemo(folder), rows
    config, tensors = tiny.llama(7, vocab_size=rows)
    tiny.write_folder(folder, config | ({"bos_token_id": 1, "eos_token_id": 2} if spm else {}), tensors)
    if kind == "gpt2 files":
        gpt2_files(folder)
    if kind == "nfc":
        tokenizer = json.loads((folder / "tokenizer.json").read_text())
        tiny.write_json(folder / "tokenizer.json", tokenizer | {"normalizer": {"type": "NFC"}})
    if spm:
        for file in folder.glob("tokenizer*"):
            file.unlink()
        if kind == "spm":
            shutil.copy(real.sentencepiece_model(), folder / "tokenizer.model")
        else:
            real.write_pieces_tokenizer(folder)
        tiny.write_json(folder / "added_tokens.json", {"<|system|>": 32000, "Seraphina": 32001})
    return folder, rows


@pytest.fixture(scope="module", params=["bytes", "gpt2 files", "smollm", "spm", "pieces", "nfc", "tekken"])
def pair(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    place = tmp_path_factory.mktemp("vocab")
    folder, rows = folder_of(request.param, place / "m")
    file = real.smollm_gguf() if request.param == "smollm" else place / "m.gguf"
    if not file.exists():
        run.convert(run.prepare(run.Request(folder, file, "F32")), lambda title: lambda label, done, total: None)
    loaded = LlamaModel(file, LoadOptions(ctx=128, threads=1), Log(place / "log"))
    yield Pair(Vocabulary(folder, rows), loaded.vocab)
    loaded.close()


def test_text_is_composed_where_the_tokenizer_does_it(pair: Pair, request: pytest.FixtureRequest) -> None:
    """GPT-NeoX's does (NFC), and llama.cpp does not."""
    composes = request.node.callspec.params["pair"] == "nfc"
    for vocabulary in (pair.mine, pair.llama_cpp):
        assert (vocabulary.plain("cafe\u0301") == vocabulary.plain("caf\u00e9")) == composes


def check(pair: Pair, segment: Segment) -> None:
    for first in (True, False):
        assert pair.mine.encode(segment, first) == pair.llama_cpp.encode(segment, first)


@pytest.mark.parametrize("text", TEXTS)
def test_the_same_ids_as_in_llama_cpp(pair: Pair, text: str) -> None:
    for segment in (Segment("", text), Segment(text, ""), Segment("<|user|>", text), Segment("\nYou:", text)):
        check(pair, segment)
    ids = pair.mine.encode(Segment("", text), False)
    assert b"".join(map(pair.mine.piece, ids)).decode() == text


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(st.characters(exclude_categories=["Cs", "Cn", "Co"]), max_size=40))
def test_the_same_ids_whatever_the_text(pair: Pair, text: str) -> None:
    # A byte that is no token (SmolLM2 has none for some control characters) is left out by both, by tokenizers before
    # its neighbours merge.
    spelled = b"".join(map(pair.llama_cpp.piece, pair.llama_cpp.plain(text)))
    assume(len(spelled) >= len(text.encode()))
    check(pair, Segment("", text))


def test_pieces_specials_and_ends_are_the_same(pair: Pair) -> None:
    assert (pair.mine.bos, pair.mine.eos, pair.mine.size) == (
        pair.llama_cpp.bos, pair.llama_cpp.eos, pair.llama_cpp.size
    )  # fmt: skip
    for token in range(pair.mine.size):
        assert pair.mine.piece(token) == pair.llama_cpp.piece(token)
        if pair.mine.ends(token):
            assert pair.llama_cpp.ends(token)
    assert pair.mine.ends(pair.mine.eos)
    for token in (pair.mine.bos, pair.mine.eos):
        assert pair.mine.special(token) == pair.llama_cpp.special(token)
    assert pair.mine.opening((5,)) == pair.llama_cpp.opening((5,))
    assert pair.mine.opening((pair.mine.bos,)) == ()


def test_specials_are_found_in_marks_and_never_in_text(pair: Pair) -> None:
    name = pair.mine.special(pair.mine.eos)
    assert pair.mine.encode(Segment(name, ""), False) == (pair.mine.eos,)
    assert pair.mine.eos not in pair.mine.encode(Segment("", name), False)


CHATML = (
    Segment("<|im_start|>ban\n", "del mor."),
    Segment("<|im_end|>\n<|im_start|>ger\n", " far lit"),
    Segment("<|im_end|><|im_end|>", "kun."),
    Segment("<|im_end|>\n<|im_start|>mas\n", ""),
)


@pytest.mark.parametrize(
    ("newer", "model", "changed", "blank"),
    [
        (False, False, {}, True),
        (True, False, {}, False),
        (False, True, {"legacy": False}, True),  # tokenizer.json goes first, as in transformers until its version 5
        (True, True, {"legacy": True}, False),
        (None, True, {}, True),
        (None, True, {"legacy": True}, True),
        (None, True, {"legacy": False}, False),
    ],
)
def test_text_behind_a_special_token_begins_as_in_the_models_own_tokenizer(
    tmp_path: Path, newer: bool | None, model: bool, changed: dict[str, bool], blank: bool
) -> None:
    """With a blank before it in those that transformers calls legacy; llama.cpp always puts one there."""
    flags = dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized"), False)
    added = {i: {"content": name, "special": True} | flags for i, name in ((330, "<|im_start|>"), (331, "<|im_end|>"))}
    real.write_pieces_tokenizer(tmp_path, newer is not False, trained(tmp_path) / "tokenizer.model")
    file = tmp_path / "tokenizer.json"
    tokenizer = json.loads(file.read_text())
    tokenizer["added_tokens"] += [{"id": i} | token for i, token in added.items()]
    tiny.write_json(file, tokenizer)
    tiny.write_json(tmp_path / "tokenizer_config.json", {"added_tokens_decoder": added, **changed})
    reference = Tokenizer.from_file(str(file))
    if not model:
        (tmp_path / "tokenizer.model").unlink()
    if newer is None:
        file.unlink()
    there = VocabularyFile(vocab_gguf(tmp_path, 332), Log(tmp_path / "log"))
    for vocabulary in (Vocabulary(tmp_path, 332), there):
        roles = [vocabulary.encode(Segment(f"<|im_start|>{role}", ""), False)[1] for role in ("ban", "ger", "mas")]
        assert [vocabulary.special(i).startswith("▁") for i in roles] == [blank] * 3
        if newer is not None:
            ids = [token for at, each in enumerate(CHATML) for token in vocabulary.encode(each, at == 0)]
            assert ids == reference.encode("".join(map(str, CHATML)), add_special_tokens=False).ids


def marked(folder: Path, newer: bool = True, **flags: bool) -> tuple[Tokenizer, list[Any]]:
    """The trained pieces with ChatML's two marks, which have these flags: its own tokenizer, and ours in both engines.

    The first mark is special, so is the second by its look.
    """
    plain = dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized"), False)
    added = {i: {"content": mark, "special": i == 330} | plain | flags for i, mark in ((330, START), (331, END))}
    real.write_pieces_tokenizer(folder, newer, trained(folder) / "tokenizer.model")
    (folder / "tokenizer.model").unlink()
    file = folder / "tokenizer.json"
    tokenizer = json.loads(file.read_text())
    tokenizer["added_tokens"] += [{"id": i} | token for i, token in added.items()]
    tiny.write_json(file, tokenizer)
    ours = [Vocabulary(folder, 332), VocabularyFile(vocab_gguf(folder, 332), Log(folder / "log"))]
    return Tokenizer.from_file(str(file)), ours


START, END = "<|im_start|>", "<|im_end|>"


@pytest.mark.parametrize("newer", [True, False])
@pytest.mark.parametrize("flags", [("lstrip",), ("rstrip",), ("lstrip", "rstrip")], ids=" ".join)
def test_blanks_beside_a_mark_go_where_the_models_own_tokenizer_takes_them_off(
    tmp_path: Path, flags: tuple[str, ...], newer: bool
) -> None:
    reference, ours = marked(tmp_path, newer, **dict.fromkeys(flags, True))
    rng = random.Random(str(flags))
    for _ in range(200):
        blanks = rng.choices(("", " ", "\n", "\n\n", " \n"), k=6)
        mark = "{}".join((START + "ban", END, START + "mas", "")).format(*blanks)
        text = rng.choice(("", " ", "\n")) + rng.choice(("kun.", "far  lit", "del mor "))
        for vocabulary in ours:
            found = list(vocabulary.encode(Segment(mark, text), True))
            assert found == reference.encode(mark + text, add_special_tokens=False).ids, repr(mark + text)


@pytest.mark.parametrize("newer", [True, False])
def test_a_prompt_that_begins_with_a_blank_gets_one_more_where_the_models_own_tokenizer_puts_it(
    tmp_path: Path, newer: bool
) -> None:
    reference, ours = marked(tmp_path, newer)
    texts = ["".join(each) for each in product((" ", "  ", " \n", "\n ", "▁", ""), ("", "ban", "far lit", START, " "))]
    for text, vocabulary in product(texts, ours):
        due = reference.encode(text, add_special_tokens=False).ids
        assert list(vocabulary.encode(Segment(text, ""), True)) == due, repr(text)
        if START not in text:
            assert list(vocabulary.encode(Segment("", text), True)) == due, repr(text)
            behind = reference.encode(START + text, add_special_tokens=False).ids
            assert list(vocabulary.encode(Segment(START, text), True)) == behind, repr(text)


def test_a_file_that_is_called_phi_3_and_is_none_opens(tmp_path: Path) -> None:
    trained(tmp_path)
    tiny.write_json(tmp_path / "added_tokens.json", {START: 330, END: 331})
    named, usual = (
        VocabularyFile(vocab_gguf(tmp_path, 332, **{"general.name": name}), Log(tmp_path / "log"))
        for name in ("My PHI-3 merge", "Mira")
    )
    for each in CHATML:
        assert named.encode(each, False) == usual.encode(each, False)


def test_blanks_that_llama_cpp_takes_off_behind_a_mark_are_taken_off(tmp_path: Path) -> None:
    """As for all models that are called Phi-3, whose tokenizer does so."""
    trained(tmp_path)
    tiny.write_json(tmp_path / "added_tokens.json", {"<|user|>": 330, "<|end|>": 331, "<|endoftext|>": 332})
    for name, alike in (("Phi-3-mini", True), ("Mira", False)):
        file = vocab_gguf(tmp_path, 333, **{"general.name": name})
        vocabulary = VocabularyFile(file, Log(tmp_path / "log"))
        marks = ("<|end|>\n<|user|>\n", "<|end|><|user|>")
        first, second = (vocabulary.encode(Segment(mark, "ban"), False) for mark in marks)
        assert (first == second) == alike


def test_half_a_character_is_no_text(pair: Pair) -> None:
    assert pair.mine.encode(Segment("", "a\ud83d"), False) == pair.mine.encode(Segment("", "a?"), False)


def test_generation_config_names_more_ends(tmp_path: Path) -> None:
    folder, rows = folder_of("bytes", tmp_path / "m")
    tiny.write_json(folder / "generation_config.json", {"eos_token_id": [257, 65]})
    assert Vocabulary(folder, rows).ends(65) and not Vocabulary(folder, rows).ends(66)


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (lambda folder: (folder / "tokenizer.json").unlink(), "no tokenizer"),
        (lambda folder: (folder / "tokenizer.json").write_text("{"), "not readable as JSON"),
        (
            lambda folder: tiny.write_json(
                folder / "tokenizer.json",
                json.loads((folder / "tokenizer.json").read_text())
                | {"model": {"type": "BPE", "vocab": {"a": 0, "b": 1}, "merges": ["a b"]}},
            ),
            "its tokenizer merges a and b, which are no tokens of it",
        ),
    ],
)
def test_a_damaged_tokenizer_is_one_sentence(tmp_path: Path, harm: object, message: str) -> None:
    folder, rows = folder_of("bytes", tmp_path / "m")
    harm(folder)  # type: ignore[operator]
    with pytest.raises(AdvreplError, match=message):
        Vocabulary(folder, rows)
