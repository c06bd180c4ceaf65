#!/usr/bin/env bash
# transformers 5.17.0, a LLaMA fine-tune's folder of 2023: a tokenizer.json of transformers 4 with ChatML tokens, whose
# tokenizer_config.json says nothing of `legacy`.
#
# Expected: the ids of its tokenizer.json, which `tokenizers` reads and transformers 4 used as it is: its normalizer
# (Prepend) puts a blank before the text behind each special token, too, so the model was trained on ▁user.
# Seen: LlamaTokenizer takes only vocabulary and merges out of that file and builds its own cutting, with the blank at
# the beginning only: `user` and, for a role that is one piece only with the blank, several pieces. tokenizer_config.json
# decides instead: with "legacy": true in it the ids are those of the file again. Nothing is said.
# Cure: write "legacy": true into tokenizer_config.json of such a folder, or use tokenizers.Tokenizer.from_file.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q transformers==5.17.0 tokenizers==0.23.3
cat > look.py <<'PY'
import json, sys
from pathlib import Path

from tokenizers import Tokenizer
from transformers import AutoTokenizer

pieces = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256)), "▁", *"user"]
merges, word = [], "▁"
for letter in "user":
    merges.append(f"{word} {letter}")
    word += letter
    pieces.append(word)
plain = dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized"), False)
specials = [{"id": i, "content": text, "special": True} | plain for i, text in enumerate(pieces[:3])]
marks = ["<|im_start|>", "<|im_end|>"]
specials += [{"id": len(pieces) + i, "content": text, "special": True} | plain for i, text in enumerate(marks)]
folder = Path("model")
folder.mkdir()
(folder / "tokenizer.json").write_text(json.dumps({
    "version": "1.0", "truncation": None, "padding": None, "added_tokens": specials, "pre_tokenizer": None,
    "normalizer": {"type": "Sequence", "normalizers": [
        {"type": "Prepend", "prepend": "▁"}, {"type": "Replace", "pattern": {"String": " "}, "content": "▁"},
    ]},
    "post_processor": None,
    "decoder": {"type": "Sequence", "decoders": [
        {"type": "Replace", "pattern": {"String": "▁"}, "content": " "}, {"type": "ByteFallback"}, {"type": "Fuse"},
    ]},
    "model": {
        "type": "BPE", "dropout": None, "unk_token": "<unk>", "fuse_unk": True, "byte_fallback": True,
        "vocab": {piece: i for i, piece in enumerate(pieces)}, "merges": merges,
    },
}))
text = "<|im_start|>user<|im_end|>"
file = Tokenizer.from_file("model/tokenizer.json").encode(text, add_special_tokens=False).tokens
print("tokenizer.json     ", file)
read = {}
for named in ({}, {"legacy": False}, {"legacy": True}):
    settings = {"tokenizer_class": "LlamaTokenizer", "bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings | named))
    tokenizer = AutoTokenizer.from_pretrained(folder)
    read[str(named)] = tokenizer.convert_ids_to_tokens(tokenizer(text, add_special_tokens=False)["input_ids"])
    print(f"transformers {named}", read[str(named)])
usual, off, on = read.values()
sys.exit(not (on == file == ["<|im_start|>", "▁user", "<|im_end|>"] and usual == off != file))
PY
venv/bin/python look.py 2> errors && echo "as found: the blanks of tokenizer.json are not put" || { cat errors; echo "changed"; exit 1; }
