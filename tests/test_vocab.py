"""Tokenizers through GGUF: llama.cpp must give the ids that sentencepiece and tokenizers give."""

import json
import shutil
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sentencepiece
import tokenizers
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from convert import ConvertError
from convert.archs import Rule
from convert.vocab import BYTE, CONTROL, NORMAL, UNKNOWN, UNUSED, USER_DEFINED, read_vocab
from convert.write import write_gguf
from tests import real, tiny

TEXTS = [
    "Hello, world!",
    " leading and trailing ",
    "runs  of   spaces    and\ttabs\t\tand\n\nnewlines\n\n\n",
    "   ",
    "\n",
    "<|system|>This is a text adventure game.<|user|>Start!<|model|>",
    "<START>\nYou: hi\nAssistant:",
    "</s><s><unk> [PAD7] <0x41>",
    "don't I'll we've HE'S they're",
    "1 22 333 4444 55555 3.14159 1,000,000",
    "naïve café Straße ÆØÅ ñ",
    "日本語のテキスト 中文字符 한국어",
    "🙂 👩‍👩‍👧‍👦 🏳️‍🌈 ☕️",
    "Привет, мир! Γειά σου Κόσμε שלום مرحبا",
    "a\u0301 combining, \u200b zero width, \u00a0 no-break, \ufeff mark",
    "snake_case camelCase kebab-case /path/to/file.txt https://x.y/z?a=b&c=d#e",
    "!!! ??? ... --- *** ~~~ @@@ ### $$$ %%% ^^^ &&& (()) [[]] {{}}",
    "'single' \"double\" “curly” ‘quotes’ — dash … dots",
    "\x00\x01\x7f control",
    b"broken \xff\xc3( bytes \xf0\x9f".decode("utf-8", "replace"),
    "x" * 300,
]


def vocab_gguf(folder: Path, rows: int) -> Path:
    """A GGUF file that is all vocabulary."""
    fields: dict[str, Any] = {"general.architecture": "llama", "llama.vocab_size": rows, "llama.context_length": 64}
    fields |= {"llama.embedding_length": 32, "llama.block_count": 1, "llama.feed_forward_length": 32}
    fields |= {"llama.attention.head_count": 1, "llama.attention.layer_norm_rms_epsilon": 1e-6}
    out = folder / "vocab.gguf"
    rules = [Rule("output_norm.weight", (32,), None)]
    write_gguf(out, {**fields, **read_vocab(folder, rows)}, rules, {}, "F32", lambda *report: None)
    return out


@pytest.fixture(scope="module")
def llama(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, sentencepiece.SentencePieceProcessor]:
    folder = tmp_path_factory.mktemp("llama")
    shutil.copy(real.sentencepiece_model(), folder / "tokenizer.model")
    model = sentencepiece.SentencePieceProcessor(model_file=str(folder / "tokenizer.model"))
    return vocab_gguf(folder, 32000), model


@pytest.fixture(scope="module")
def smollm(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, tokenizers.Tokenizer]:
    folder = real.smollm_folder(tmp_path_factory.mktemp("smollm"), dtype="")
    return vocab_gguf(folder, 49152), tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))


def test_sentencepiece_ids_are_those_of_sentencepiece(
    llama: tuple[Path, sentencepiece.SentencePieceProcessor],
) -> None:
    file, model = llama
    assert tiny.token_ids(file, [t.encode() for t in TEXTS]) == [model.encode(t) for t in TEXTS]


@settings(max_examples=40, deadline=None)
@given(st.text(min_size=1, max_size=60).filter(lambda text: "\x00" not in text))
def test_sentencepiece_ids_of_any_text(llama: tuple[Path, sentencepiece.SentencePieceProcessor], text: str) -> None:
    file, model = llama
    assert tiny.token_ids(file, [text.encode()]) == [model.encode(text)]


def test_bpe_ids_are_those_of_tokenizers(smollm: tuple[Path, tokenizers.Tokenizer]) -> None:
    file, model = smollm
    expected = [model.encode(t, add_special_tokens=False).ids for t in TEXTS]
    assert tiny.token_ids(file, [t.encode() for t in TEXTS], special=True) == expected


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
    types, tokens, scores = (fields[f"tokenizer.ggml.{name}"] for name in ("token_type", "tokens", "scores"))
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
    tokens, types = fields["tokenizer.ggml.tokens"], fields["tokenizer.ggml.token_type"]
    assert (tokens[265], types[265]) == ("<|extratoken_1|>", CONTROL)
    assert (tokens[268], types[268]) == ("[PAD268]", UNUSED)
    assert len(tokens) == len(types) == 320
    assert fields["tokenizer.ggml.eos_token_id"] == fields["tokenizer.ggml.bos_token_id"] == 256
    assert (fields["tokenizer.ggml.pre"], fields["tokenizer.ggml.add_bos_token"]) == ("gpt-2", False)


def test_the_chat_template_is_carried_over(tmp_path: Path) -> None:
    tiny.write_tokenizer(tmp_path)
    several = [{"name": "tools", "template": "{{ no }}"}, {"name": "default", "template": "{{ listed }}"}]
    for written, expected in (("{{ plain }}", "{{ plain }}"), (several, "{{ listed }}")):
        tiny.write_json(tmp_path / "tokenizer_config.json", {"chat_template": written})
        assert read_vocab(tmp_path, 320)["tokenizer.chat_template"] == expected
    (tmp_path / "chat_template.jinja").write_text("{{ newer }}")
    assert read_vocab(tmp_path, 320)["tokenizer.chat_template"] == "{{ newer }}"


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


def llama3_style(tokenizer: dict[str, Any], pattern: str = LLAMA3, ignore_merges: bool = True) -> None:
    split = {"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": False}
    raw = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}
    tokenizer["pre_tokenizer"] = {"type": "Sequence", "pretokenizers": [split, raw]}
    tokenizer["model"]["ignore_merges"] = ignore_merges


@pytest.mark.parametrize("pre", ["llama-bpe", "qwen2"])
def test_newer_pre_tokenizers_give_the_same_ids(tmp_path: Path, pre: str) -> None:
    pattern = LLAMA3 if pre == "llama-bpe" else LLAMA3.replace("{1,3}", "")
    edited(tmp_path, lambda t: llama3_style(t, pattern, pre == "llama-bpe"))
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
    assert read_vocab(tmp_path, 320)["tokenizer.ggml.token_type"][265] == USER_DEFINED
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
        (lambda t: t["model"].update(type="Unigram"), "not byte-level BPE; put the model's tokenizer.model beside it"),
        (lambda t: t["model"].update(byte_fallback=True), "not byte-level BPE"),
        (lambda t: t.update(normalizer={"type": "Lowercase"}), "normalizer 'Lowercase' is not supported"),
        (lambda t: t.update(pre_tokenizer={"type": "Whitespace"}), "not known to llama.cpp: Whitespace"),
        (lambda t: t.update(pre_tokenizer=None), "not known to llama.cpp: none"),
        (lambda t: t["pre_tokenizer"].update(add_prefix_space=True), "add_prefix_space is not supported"),
        (lambda t: llama3_style(t, r"\w+"), r"not known to llama.cpp: \\w\+ then raw bytes"),
        (lambda t: llama3_style(t, ignore_merges=False), "ignore_merges is unusual for a llama-bpe tokenizer"),
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


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_a_damaged_tokenizer_is_read_or_refused(tmp_path: Path, data: st.DataObject) -> None:
    """Any value of the three JSON files, at any depth, replaced by anything."""
    tiny.write_tokenizer(tmp_path)
    tiny.write_json(tmp_path / "special_tokens_map.json", {"bos_token": {"content": "</s>"}})
    file = tmp_path / data.draw(st.sampled_from(["tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"]))
    value = json.loads(file.read_text())
    at, place = value, data.draw(st.sampled_from(sorted(value)))
    while isinstance(at[place], dict | list) and at[place] and data.draw(st.booleans()):
        at = at[place]
        place = data.draw(st.sampled_from(sorted(at)) if isinstance(at, dict) else st.integers(0, len(at) - 1))
    at[place] = data.draw(JSON)
    tiny.write_json(file, value)
    try:
        fields = read_vocab(tmp_path, 320)
    except ConvertError:
        return
    assert len(fields["tokenizer.ggml.tokens"]) == len(fields["tokenizer.ggml.token_type"]) == 320


def test_no_tokenizer_and_a_broken_one_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(ConvertError, match=r"no tokenizer \(tokenizer.model, tokenizer.json, or vocab.json"):
        read_vocab(tmp_path, 10)
    (tmp_path / "tokenizer.model").write_bytes(bytes(1000))
    with pytest.raises(ConvertError, match="not a SentencePiece model; if the folder is an XOR release"):
        read_vocab(tmp_path, 10)


def test_a_sentencepiece_model_that_rewrites_text_is_refused(tmp_path: Path) -> None:
    """Trained here with sentencepiece's default rule, NFKC, which LLaMA switched off."""
    words = " ".join(f"{a}{b}{c}" for a in "bdfgklm" for b in "aeiou" for c in "nrst")
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter([words] * 3), model_prefix=str(tmp_path / "tokenizer"), vocab_size=60,
        model_type="bpe", minloglevel=2,
    )  # fmt: skip
    with pytest.raises(ConvertError, match="rewrites text before tokenising it"):
        read_vocab(tmp_path, 60)
