"""Byte-level BPE through GGUF: llama.cpp must give the ids that tokenizers gives."""

import json
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tokenizers

from convert import ConvertError
from convert.vocab.folder import read_vocab
from convert.vocab.table import CONTROL, UNUSED, USER_DEFINED
from tests import real, tiny
from tests.convert.vocab.texts import TEXTS, column, vocab_gguf


@pytest.fixture(scope="module")
def smollm(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, tokenizers.Tokenizer]:
    folder = real.smollm_folder(tmp_path_factory.mktemp("smollm"), dtype="")
    return vocab_gguf(folder, 49152), tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))


def test_bpe_ids_are_those_of_tokenizers(smollm: tuple[Path, tokenizers.Tokenizer]) -> None:
    file, model = smollm
    expected = [model.encode(t, add_special_tokens=False).ids for t in TEXTS]
    assert tiny.token_ids(file, [t.encode() for t in TEXTS], special=True) == expected


# Byte-level BPE


def gptj_files(folder: Path) -> Path:
    """vocab.json and merges.txt as GPT-J has them, in small."""
    tiny.write_tokenizer(folder)
    model = json.loads((folder / "tokenizer.json").read_text())["model"]
    (folder / "tokenizer.json").unlink()
    (folder / "tokenizer_config.json").unlink()
    tiny.write_json(folder / "vocab.json", model["vocab"])
    (folder / "merges.txt").write_text("#version: 0.2\n" + "\n".join(model["merges"]) + "\n", encoding="utf-8")
    tiny.write_json(folder / "added_tokens.json", {f"<|extratoken_{n}|>": 264 + n for n in range(1, 4)})
    tiny.write_json(folder / "config.json", {"bos_token_id": 256, "eos_token_id": 256})
    return folder


def test_gpt2_files_give_the_same_ids_as_tokenizers(tmp_path: Path) -> None:
    file = vocab_gguf(gptj_files(tmp_path), 320)
    reference = tokenizers.ByteLevelBPETokenizer(str(tmp_path / "vocab.json"), str(tmp_path / "merges.txt"))
    plain = [t for t in TEXTS if "</s>" not in t]
    assert tiny.token_ids(file, [t.encode() for t in plain]) == [reference.encode(t).ids for t in plain]


def test_gptj_extra_tokens_are_control_and_the_rest_is_padding(tmp_path: Path) -> None:
    fields = read_vocab(gptj_files(tmp_path), 320)
    tokens, types = column(fields, "tokens"), column(fields, "token_type")
    assert (tokens[265], types[265]) == ("<|extratoken_1|>", CONTROL)
    assert (tokens[268], types[268]) == ("[PAD268]", UNUSED)
    assert len(tokens) == len(types) == 320
    assert fields["tokenizer.ggml.eos_token_id"] == fields["tokenizer.ggml.bos_token_id"] == 256
    assert (fields["tokenizer.ggml.pre"], fields["tokenizer.ggml.add_bos_token"]) == ("gpt-2", False)


def edited(folder: Path, edit: Callable[[dict[str, Any]], object]) -> Path:
    tiny.write_tokenizer(folder)
    value = json.loads((folder / "tokenizer.json").read_text())
    edit(value)
    tiny.write_json(folder / "tokenizer.json", value)
    return folder


LLAMA3 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)


PATTERNS = {"llama-bpe": LLAMA3, "qwen2": LLAMA3.replace("{1,3}", ""), "tekken": tiny.TEKKEN}


@pytest.mark.parametrize("pre", PATTERNS)
def test_newer_pre_tokenizers_give_the_same_ids(tmp_path: Path, pre: str) -> None:
    edited(tmp_path, lambda t: tiny.cut_by(t, PATTERNS[pre], pre != "qwen2"))
    assert read_vocab(tmp_path, 320)["tokenizer.ggml.pre"] == pre
    reference = tokenizers.Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    expected = [reference.encode(t, add_special_tokens=False).ids for t in TEXTS]
    assert tiny.token_ids(vocab_gguf(tmp_path, 320), [t.encode() for t in TEXTS], special=True) == expected


def test_runs_of_spaces_that_gpt_neox_added_are_found_in_any_text(tmp_path: Path) -> None:
    """They are no markers, so they count in the player's text too; NFC in front changes none of these texts."""

    def spaced(tokenizer: dict[str, Any]) -> None:
        tokenizer["normalizer"] = {"type": "NFC"}
        flags = {"special": False, "single_word": False, "lstrip": False, "rstrip": False, "normalized": True}
        tokenizer["added_tokens"] += [{"id": 263 + n, "content": " " * n} | flags for n in range(2, 9)]

    edited(tmp_path, spaced)
    assert column(read_vocab(tmp_path, 320), "token_type")[265] == USER_DEFINED
    reference = tokenizers.Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    texts = [t for t in TEXTS if unicodedata.is_normalized("NFC", t) and "</s>" not in t]
    expected = [reference.encode(t, add_special_tokens=False).ids for t in texts]
    assert tiny.token_ids(vocab_gguf(tmp_path, 320), [t.encode() for t in texts]) == expected
    assert 265 in expected[2]


def test_a_prompt_begins_with_the_token_the_post_processor_puts_there(tmp_path: Path) -> None:
    single = [{"SpecialToken": {"id": "<|endoftext|>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}]
    template = {"type": "TemplateProcessing", "single": single}
    edited(
        tmp_path,
        lambda t: t.update(post_processor={"type": "Sequence", "processors": [{"type": "ByteLevel"}, template]}),
    )
    assert read_vocab(tmp_path, 320)["tokenizer.ggml.add_bos_token"] is True


@pytest.mark.parametrize(
    ("edit", "sentence"),
    [
        (lambda t: t["model"].update(type="Unigram"), "Unigram is neither byte-level BPE nor LLaMA's pieces"),
        (lambda t: t["model"].update(byte_fallback=True), "has no piece <0x00>, so it cannot read every text"),
        (lambda t: t.update(normalizer={"type": "Lowercase"}), "normalizer 'Lowercase' is not supported"),
        (lambda t: t.update(pre_tokenizer={"type": "Whitespace"}), "not known to llama.cpp: Whitespace"),
        (lambda t: t.update(pre_tokenizer=None), "not known to llama.cpp: none"),
        (lambda t: t["pre_tokenizer"].update(add_prefix_space=True), "add_prefix_space is not supported"),
        (lambda t: tiny.cut_by(t, r"\w+"), r"not known to llama.cpp: \\w\+ then raw bytes"),
        (lambda t: tiny.cut_by(t, LLAMA3, ignore_merges=False), "ignore_merges is unusual for a llama-bpe tokenizer"),
        (lambda t: t["model"]["merges"].append("onlyone"), "'onlyone' is no merge"),
        (lambda t: t["model"]["vocab"].update(far=5000), "token 'far' has id 5000, the embedding only 320 rows"),
        (lambda t: t["model"]["vocab"].update(bad=-1), "'-1' is no token id"),
        (lambda t: t["added_tokens"].append({"id": 300, "content": "the"}), "tokens 259 and 300 are both 'the'"),
        (lambda t: t["added_tokens"].append({"id": 3, "content": "new"}), "added token 'new' would replace"),
    ],
)  # fmt: skip
def test_a_tokenizer_llama_cpp_would_get_wrong_is_refused(
    tmp_path: Path, edit: Callable[[dict[str, Any]], object], sentence: str
) -> None:
    with pytest.raises(ConvertError, match=sentence):
        read_vocab(edited(tmp_path, edit), 320)
