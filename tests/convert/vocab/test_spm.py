"""SentencePiece models through GGUF: llama.cpp must give the ids that sentencepiece gives."""

import random
import shutil
from pathlib import Path
from typing import Any

import pytest
import sentencepiece
from hypothesis import given, settings
from hypothesis import strategies as st

from advrepl.engines import vocabulary
from advrepl.engines.hf import vocab as folder_vocab
from advrepl.engines.llama.log import Log
from advrepl.engines.llama.vocab_file import VocabularyFile
from advrepl.prompt.segments import Segment
from convert import ConvertError
from convert.vocab.folder import check_vocab, read_vocab
from convert.vocab.table import BYTE, CONTROL, NORMAL, UNKNOWN, UNUSED, USER_DEFINED
from tests import real, tiny
from tests.convert.vocab.texts import TEXTS, column, vocab_gguf


@pytest.fixture(scope="module")
def llama(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, sentencepiece.SentencePieceProcessor]:
    folder = tmp_path_factory.mktemp("llama")
    shutil.copy(real.sentencepiece_model(), folder / "tokenizer.model")
    model = sentencepiece.SentencePieceProcessor(model_file=str(folder / "tokenizer.model"))
    return vocab_gguf(folder, 32000), model


def test_sentencepiece_ids_are_those_of_sentencepiece(
    llama: tuple[Path, sentencepiece.SentencePieceProcessor],
) -> None:
    file, model = llama
    assert tiny.token_ids(file, [t.encode() for t in TEXTS]) == [model.encode(t) for t in TEXTS]


WORDS = st.text(min_size=1, max_size=60).filter(lambda text: "\x00" not in text)


@settings(max_examples=8, deadline=None)
@given(st.lists(WORDS, min_size=6, max_size=10))
def test_sentencepiece_ids_of_any_text(
    llama: tuple[Path, sentencepiece.SentencePieceProcessor], texts: list[str]
) -> None:
    file, model = llama  # opened anew for each list
    assert tiny.token_ids(file, [text.encode() for text in texts]) == [model.encode(text) for text in texts]


def test_bytes_that_are_no_utf8_are_kept_as_bytes(llama: tuple[Path, sentencepiece.SentencePieceProcessor]) -> None:
    file, model = llama
    pieces = [model.id_to_piece(i) for i in tiny.token_ids(file, [b"a\xff\xfeb"])[0]]
    assert pieces[:3] == ["▁a", "<0xFF>", "<0xFE>"]


def test_markers_of_llama_models_are_ordinary_text(
    llama: tuple[Path, sentencepiece.SentencePieceProcessor],
) -> None:
    file, _ = llama
    plain, special = (tiny.token_ids(file, [b"<|system|>"], special=flag)[0] for flag in (False, True))
    assert plain == special
    assert len(plain) == 5


def test_types_scores_and_settings_of_a_llama_tokenizer(tmp_path: Path) -> None:
    shutil.copy(real.sentencepiece_model(), tmp_path / "tokenizer.model")
    tiny.write_json(tmp_path / "added_tokens.json", {"<|pad|>": 32000, "zqxword": 32001})
    fields = read_vocab(tmp_path, 32004)
    types, tokens, scores = (column(fields, name) for name in ("token_type", "tokens", "scores"))
    assert types[:4] == [UNKNOWN, CONTROL, CONTROL, BYTE]
    assert (types[258], types[259]) == (BYTE, NORMAL)
    assert list(zip(tokens[32000:], types[32000:], scores[32000:], strict=True)) == [
        ("<|pad|>", CONTROL, -1000.0),
        ("zqxword", USER_DEFINED, -1000.0),
        ("[PAD32002]", UNUSED, -10000.0),
        ("[PAD32003]", UNUSED, -10000.0),
    ]
    assert {k.removeprefix("tokenizer.ggml."): v for k, v in fields.items() if not isinstance(v, list)} == {
        "model": "llama", "pre": "default", "bos_token_id": 1, "eos_token_id": 2, "unknown_token_id": 0,
        "add_bos_token": True, "add_eos_token": False, "add_space_prefix": True,
    }  # fmt: skip


def test_added_tokens_are_one_id_in_the_players_text_too(tmp_path: Path) -> None:
    shutil.copy(real.sentencepiece_model(), tmp_path / "tokenizer.model")
    tiny.write_json(tmp_path / "added_tokens.json", {"<|user|>": 32000})
    file = vocab_gguf(tmp_path, 32001)
    assert tiny.token_ids(file, [b"<|user|>"], special=True) == [[32000]]
    assert len(tiny.token_ids(file, [b"<|user|>"])[0]) == 5


def test_pygmalion_2_has_its_end_token_as_padding(tmp_path: Path) -> None:
    shutil.copy(real.sentencepiece_model(), tmp_path / "tokenizer.model")
    names = {"bos_token": "<s>", "eos_token": {"content": "</s>"}, "pad_token": "</s>", "unk_token": "<unk>"}
    tiny.write_json(tmp_path / "special_tokens_map.json", names)
    assert read_vocab(tmp_path, 32000)["tokenizer.ggml.padding_token_id"] == 2


def trained(folder: Path, **chosen: Any) -> Path:
    """A small SentencePiece model as LLaMA's, but for what is chosen."""
    words = " ".join(f"{a}{b}{c}" for a in "bdfgklm" for b in "aeiou" for c in "nrst")
    like_llama: dict[str, Any] = {"model_type": "bpe", "byte_fallback": True, "normalization_rule_name": "identity"}
    like_llama |= {"remove_extra_whitespaces": False, "vocab_size": 330, "minloglevel": 2}
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter([words] * 3), model_prefix=str(folder / "tokenizer"), **like_llama | chosen
    )
    return folder


@pytest.mark.parametrize(
    ("chosen", "sentence"),
    [
        ({"normalization_rule_name": "nmt_nfkc"}, "rewrites text before tokenizing it"),
        (
            {"model_type": "unigram", "vocab_size": 300},
            "a Unigram model of SentencePiece, which llama.cpp encodes otherwise",
        ),
        ({"model_type": "char", "vocab_size": 280}, "a Char model of SentencePiece"),
        ({"byte_fallback": False, "vocab_size": 60}, "has no byte pieces"),
    ],
)
def test_a_model_that_llama_cpp_encodes_otherwise_is_refused(
    tmp_path: Path, chosen: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(ConvertError, match=sentence):
        read_vocab(trained(tmp_path, **chosen), 330)


def test_user_defined_pieces_are_found_in_any_text(tmp_path: Path) -> None:
    own = ["<cut>", "ban", "two▁words", "龍"]
    model = sentencepiece.SentencePieceProcessor(
        model_file=str(trained(tmp_path, user_defined_symbols=own, vocab_size=340) / "tokenizer.model")
    )
    check_vocab(tmp_path, read_vocab(tmp_path, 340))
    texts = ["den<cut>far", "ban banban bandar", "mes two words lar", "龍龍bas", "<cut><cut> <cut>"]
    # llama.cpp puts its own blank behind each such piece too; the engine does not let it.
    file = vocab_gguf(tmp_path, 340, **{"tokenizer.ggml.add_space_prefix": False})
    assert tiny.token_ids(file, [f" {text}".encode() for text in texts]) == [model.encode(text) for text in texts]


RUNS = ["▁▁", "▁▁▁▁▁", "two▁words"]


@pytest.mark.parametrize("listed", [False, True])
def test_a_mark_of_a_blank_is_one_where_such_pieces_are_looked_for(tmp_path: Path, listed: bool) -> None:
    """`listed`: transformers writes these pieces into tokenizer.json as added tokens, spelled with the mark."""
    trained(tmp_path, user_defined_symbols=RUNS, vocab_size=340)
    model = sentencepiece.SentencePieceProcessor(model_file=str(tmp_path / "tokenizer.model"))
    if listed:
        added = [{"id": model.piece_to_id(piece), "content": piece, "special": False} for piece in RUNS]
        metaspace = {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": False}
        tiny.write_json(tmp_path / "tokenizer.json", {"added_tokens": added, "pre_tokenizer": metaspace})
    check_vocab(tmp_path, read_vocab(tmp_path, 340))
    vocabularies: list[vocabulary.Vocabulary] = [folder_vocab.Vocabulary(tmp_path, 340)]
    vocabularies.append(VocabularyFile(vocab_gguf(tmp_path, 340), Log(tmp_path / "log")))
    rng = random.Random(1)
    for _ in range(300):
        text = "a" + "".join(rng.choices((" ", "  ", "▁", "▁ ", "▁▁▁", "ban", "two", "words", "\n"), k=8))
        ids = [list(each.encode(Segment("", text), True)) for each in vocabularies]
        assert ids == [model.encode(text)] * 2, text
