"""LLaMA folders as transformers 5 really saves them, which write no tokenizer.model: its own ids, and its logits."""

from pathlib import Path

import gguf
import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaTokenizer

from convert.vocab.table import BYTE, CONTROL, UNKNOWN
from tests import real, tiny
from tests.convert.converted import convert
from tests.convert.vocab.texts import TEXTS
from tests.golden.make_logits import reference

pytestmark = [pytest.mark.parity, pytest.mark.filterwarnings("default")]

END = "<|im_end|>"  # a fine-tune's own


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small model with LLaMA's pieces and one token more, which ends a reply; saved by transformers."""
    place = tmp_path_factory.mktemp("saved")
    vocab, merges = real.pieces()
    tokenizer = LlamaTokenizer(vocab=vocab, merges=merges, bos_token="<s>", eos_token="</s>", unk_token="<unk>")
    tokenizer.add_special_tokens({"eos_token": END})
    first = tiny.write_folder(place / "first", *tiny.llama(3, vocab_size=32000, bos_token_id=1, eos_token_id=2))
    model = AutoModelForCausalLM.from_pretrained(first, dtype=torch.float32)
    model.resize_token_embeddings(len(tokenizer), mean_resizing=False)
    model.config.eos_token_id = tokenizer.eos_token_id
    for saved in (model, tokenizer):
        saved.save_pretrained(place / "model")
    return place / "model"


def test_its_ids_its_end_and_its_logits_are_those_of_transformers(folder: Path, tmp_path: Path) -> None:
    assert not (folder / "tokenizer.model").exists() and (folder / "tokenizer.json").is_file()
    file = tmp_path / "m.gguf"
    convert(folder, file, "F32")
    fields = gguf.GGUFReader(file).fields
    kinds, eos = (fields[f"tokenizer.ggml.{name}"].contents() for name in ("token_type", "eos_token_id"))
    tokens = fields["tokenizer.ggml.tokens"]
    assert kinds[:4] == [UNKNOWN, CONTROL, CONTROL, BYTE] and (eos, kinds[eos]) == (32000, CONTROL)
    assert bytes(tokens.parts[tokens.data[eos]]).decode() == END
    own = AutoTokenizer.from_pretrained(folder)
    # Literal words of control tokens are text to a player's line; transformers finds them everywhere. A blank before
    # a text is one more than the prefix to llama.cpp, as to sentencepiece, and none to transformers 5.
    texts = [text for text in TEXTS if "<s>" not in text and "<unk>" not in text and not text.startswith(" ")]
    wanted = [own(text, add_special_tokens=False)["input_ids"] for text in texts]
    assert len(texts) >= len(TEXTS) - 4
    assert tiny.token_ids(file, [text.encode() for text in texts]) == wanted
    ids = own("You: *waves*")["input_ids"]
    got, due = tiny.logits(file, ids), reference(folder, ids, table=False)
    assert abs(got - due).max() < 1e-4
