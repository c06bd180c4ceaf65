#!/usr/bin/env bash
# llama.cpp as in llama-cpp-python 0.3.36, with LLaMA's SentencePiece and special tokens that a fine-tune added (ChatML).
#
# Expected: the ids of the model's own tokenizer.json. Since 2023 most say `prepend_scheme: first` or `legacy: false`:
# the blank that SentencePiece puts before a text stands at the beginning of the prompt only.
# Seen: llama.cpp puts that blank behind every special token, as what transformers calls a legacy tokenizer: "user"
# behind <|im_start|> is ▁user, and a line end behind <|im_end|> is two tokens. No key of a GGUF says which of the two
# it is: `add_space_prefix` false takes the blank at the beginning away as well.
# Cure: tokenize with add_space_prefix false, and put the blanks there oneself, by a key of one's own.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q llama-cpp-python==0.3.36 gguf==0.19.0 tokenizers==0.23.3
cat > look.py <<'PY'
import sys

import gguf
from llama_cpp import Llama
from tokenizers import AddedToken, Tokenizer
from tokenizers.models import BPE
from tokenizers.pre_tokenizers import Metaspace

words = ["▁user", "user", "▁Hello", "Hello"]
pieces = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256)), "▁", *sorted({*"".join(words)} - {"▁"})]
merges = []
for word in words:
    for end in range(2, len(word) + 1):
        if word[:end] not in pieces:
            pieces.append(word[:end])
            merges.append((word[: end - 1], word[end - 1]))
marks = ["<|im_start|>", "<|im_end|>"]

writer = gguf.GGUFWriter("vocab.gguf", "llama")
writer.add_block_count(1)
writer.add_tokenizer_model("llama")
writer.add_tokenizer_pre("default")
writer.add_token_list(pieces + marks)
writer.add_token_scores([float(-i) for i in range(len(pieces + marks))])
kinds = gguf.TokenType
kind = {"<unk>": kinds.UNKNOWN} | dict.fromkeys(["<s>", "</s>", *marks], kinds.CONTROL)
writer.add_token_types([kind.get(p, kinds.BYTE if p.startswith("<0x") else kinds.NORMAL) for p in pieces + marks])
writer.add_bos_token_id(1)
writer.add_eos_token_id(2)
writer.add_add_space_prefix(True)
writer.write_header_to_file()
writer.write_kv_data_to_file()
writer.write_tensors_to_file()
writer.close()
theirs = Llama("vocab.gguf", vocab_only=True, verbose=False)

text = "Hello<|im_start|>user\nHello<|im_end|>\n"
found = [(pieces + marks)[i] for i in theirs.tokenize(text.encode(), add_bos=False, special=True)]
print("llama.cpp       ", found)
seen = {}
for scheme in ("first", "always"):
    own = Tokenizer(BPE({piece: i for i, piece in enumerate(pieces)}, merges, byte_fallback=True, fuse_unk=True))
    own.pre_tokenizer = Metaspace(prepend_scheme=scheme, split=False)
    own.add_special_tokens([AddedToken(mark, special=True, normalized=False) for mark in marks])
    seen[scheme] = own.encode(text, add_special_tokens=False).tokens
    print(f"tokenizers, {scheme:6}", seen[scheme])
sys.exit(not (found == seen["always"] != seen["first"]))
PY
venv/bin/python look.py 2> errors && echo "as found: a blank behind each special token" || { cat errors; echo "changed"; exit 1; }
