#!/usr/bin/env bash
# llama.cpp as in llama-cpp-python 0.3.36: `general.name` of a GGUF, with a SentencePiece vocabulary.
#
# Expected: general.name is a title for people, which any converter takes from the README or the folder; what a tokenizer
# does stands under tokenizer.ggml.
# Seen: where "phi-3" or "phi3" stands in it, in any case of letters, blanks and line ends behind every control token are
# taken off (as Phi-3's own tokenizer does); and the very same file is not opened at all ("unordered_map::at", as an
# error of the vocabulary) if it has no token <|endoftext|>. A Phi-3 that was renamed ("Samantha-mini") reads a line end
# behind <|user|> that it never saw in training; a merge that is called "Phi-3-..." by its maker loses its own.
# Cure: keep "Phi-3" in the name of what is one, out of the name of what is none, and look at general.name when the ids
# of two files with one vocabulary differ.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q llama-cpp-python==0.3.36 gguf==0.19.0
cat > look.py <<'PY'
import sys

import gguf
from llama_cpp import Llama

BYTES = [f"<0x{byte:02X}>" for byte in range(256)]


def ids(name: str, marks: list[str]) -> list[str] | str:
    tokens = ["<unk>", "<s>", "</s>", *BYTES, "▁", "H", "i", *marks]
    writer = gguf.GGUFWriter("vocab.gguf", "llama")
    writer.add_name(name)
    writer.add_block_count(1)
    writer.add_tokenizer_model("llama")
    writer.add_tokenizer_pre("default")
    writer.add_token_list(tokens)
    writer.add_token_scores([float(-i) for i in range(len(tokens))])
    kinds = gguf.TokenType
    kind = {"<unk>": kinds.UNKNOWN} | dict.fromkeys(["<s>", "</s>", *marks], kinds.CONTROL)
    writer.add_token_types([kind.get(t, kinds.BYTE if t in BYTES else kinds.NORMAL) for t in tokens])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_add_space_prefix(False)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    try:
        model = Llama("vocab.gguf", vocab_only=True, verbose=False)
    except ValueError:
        return "not opened"
    return [tokens[i] for i in model.tokenize(b"<|user|>\nHi", add_bos=False, special=True)]


usual = ids("Samantha mini", ["<|user|>", "<|endoftext|>"])
named = ids("My PHI-3 merge", ["<|user|>", "<|endoftext|>"])
lacking = ids("My PHI-3 merge", ["<|user|>"])
for told, found in (("Samantha mini", usual), ("My PHI-3 merge", named), ("the same without <|endoftext|>", lacking)):
    print(f"{told}: {found}")
sys.exit((usual, named, lacking) != (["<|user|>", "<0x0A>", "H", "i"], ["<|user|>", "H", "i"], "not opened"))
PY
venv/bin/python look.py 2> errors && echo "as found: the name decides what a mark is followed by" || { cat errors; echo "changed"; exit 1; }
