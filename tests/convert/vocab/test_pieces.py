"""LLaMA's tokenizer out of a tokenizer.json alone: the ids that sentencepiece has with the tokenizer.model."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sentencepiece

from convert import ConvertError
from convert.vocab.folder import check_vocab, read_vocab
from convert.vocab.table import BYTE, CONTROL, NORMAL, STRIPS_LEFT, STRIPS_RIGHT, UNKNOWN
from tests import real, tiny
from tests.convert.vocab.texts import TEXTS, column, vocab_gguf


@pytest.mark.parametrize("newer", [True, False])
def test_the_ids_are_those_of_sentencepiece(tmp_path: Path, newer: bool) -> None:
    real.write_pieces_tokenizer(tmp_path, newer)
    model = sentencepiece.SentencePieceProcessor(model_file=str(real.sentencepiece_model()))
    texts = [text for text in TEXTS if "<s>" not in text and "<unk>" not in text]  # words that no merge makes
    got = tiny.token_ids(vocab_gguf(tmp_path, 32000), [text.encode() for text in texts])
    assert got == [model.encode(text) for text in texts]


def test_kinds_specials_and_the_space_are_told(tmp_path: Path) -> None:
    real.write_pieces_tokenizer(tmp_path)
    fields = read_vocab(tmp_path, 32000)
    types = column(fields, "token_type")
    assert types[:4] == [UNKNOWN, CONTROL, CONTROL, BYTE] and types[-1] == NORMAL
    named = {name: fields[f"tokenizer.ggml.{name}"] for name in ("bos_token_id", "eos_token_id", "add_bos_token")}
    assert named == {"bos_token_id": 1, "eos_token_id": 2, "add_bos_token": True}
    assert fields["tokenizer.ggml.add_space_prefix"] is True and fields["tokenizer.ggml.unknown_token_id"] == 0


def small(folder: Path, edit: Callable[[dict[str, Any]], object]) -> Path:
    """A tokenizer of this kind with bytes, a few letters and two merges, then changed."""
    names = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256)), "▁", "e", "l", "ll", "ell"]
    tokenizer: dict[str, Any] = {
        "pre_tokenizer": {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "first", "split": False},
        "model": {
            "type": "BPE", "unk_token": "<unk>", "fuse_unk": True, "byte_fallback": True,
            "vocab": {name: i for i, name in enumerate(names)}, "merges": ["l l", "e ll"],
        },
    }  # fmt: skip
    edit(tokenizer)
    tiny.write_json(folder / "tokenizer.json", tokenizer)
    tiny.write_json(folder / "tokenizer_config.json", {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"})
    return folder


def test_a_small_one_is_taken(tmp_path: Path) -> None:
    small(tmp_path, lambda t: None)
    check_vocab(tmp_path, read_vocab(tmp_path, 300))


@pytest.mark.parametrize(
    ("edit", "sentence"),
    [
        (lambda t: t.update(normalizer={"type": "NFKC"}), "'NFKC' changes text before it is tokenized"),
        (lambda t: t.update(pre_tokenizer=None), "does not say how blanks are written"),
        (lambda t: t["pre_tokenizer"].update(split=True), "changes text before it is tokenized"),
        (lambda t: t["model"]["vocab"].pop("<0x41>"), "has no piece <0x41>"),
        # llama.cpp makes "ell" of "e" and "ll" all the same.
        (lambda t: t["model"]["merges"].remove("e ll"), "llama.cpp would read .* as other tokens"),
    ],
)
def test_what_llama_cpp_would_read_otherwise_is_refused(
    tmp_path: Path, edit: Callable[[dict[str, Any]], object], sentence: str
) -> None:
    small(tmp_path, edit)
    with pytest.raises(ConvertError, match=sentence):
        check_vocab(tmp_path, read_vocab(tmp_path, 300))


def test_tokens_that_only_tokenizer_json_names_are_not_lost_beside_a_tokenizer_model(tmp_path: Path) -> None:
    real.write_pieces_tokenizer(tmp_path)
    tokenizer = json.loads((tmp_path / "tokenizer.json").read_text())
    tokenizer["added_tokens"].append({"id": 32000, "content": "<|im_end|>", "special": True})
    tiny.write_json(tmp_path / "tokenizer.json", tokenizer)
    tiny.write_json(tmp_path / "tokenizer_config.json", {"eos_token": "<|im_end|>"})
    shutil.copy(real.sentencepiece_model(), tmp_path / "tokenizer.model")
    fields = read_vocab(tmp_path, 32001)
    assert column(fields, "tokens")[32000] == "<|im_end|>" and fields["tokenizer.ggml.eos_token_id"] == 32000


@pytest.mark.parametrize(("flag", "text"), [("lstrip", "a SAID b"), ("rstrip", "a SAID b"), ("single_word", "aSAIDb")])
def test_a_token_of_any_text_that_takes_blanks_or_is_a_word_alone_is_refused(
    tmp_path: Path, flag: str, text: str
) -> None:
    """As llama.cpp has no word for that; a special one is found in marks alone, where the engines follow it."""

    def added(special: bool) -> Callable[[dict[str, Any]], object]:
        return lambda t: t.update(added_tokens=[{"id": 264, "content": "SAID", "special": special, flag: True}])

    small(tmp_path, added(special=False))
    with pytest.raises(ConvertError, match=f"would read '{text}' as other tokens, since the added token 'SAID'"):
        read_vocab(tmp_path, 300)
    small(tmp_path, added(special=True))
    noted = {"lstrip": STRIPS_LEFT, "rstrip": STRIPS_RIGHT}
    if flag in noted:
        assert read_vocab(tmp_path, 300)[noted[flag]] == "264"
    # Without a row it is never read.
    small(tmp_path, lambda t: t.update(added_tokens=[{"id": 300, "content": "SAID", flag: True}]))
    read_vocab(tmp_path, 300)
