#!/usr/bin/env bash
# llama.cpp as in llama-cpp-python 0.3.36, with the tokenizer of Mistral-Nemo (`tokenizer.ggml.pre` "tekken").
#
# Expected: the ids of mistral-common, whose file the vocabulary is from: Tekken's pattern counts combining marks
# (\p{M}) as parts of a word, like letters.
# Seen: llama.cpp's own form of that pattern has no \p{M} among a word's characters: a word is cut before each vowel
# sign. Hindi, Bengali and Tamil are read as other tokens, and up to twice as many; Latin, Russian, Greek, Japanese and
# Thai are the same.
# Cure: none in the file: there is no other name for this tokenizer. Say so to those who play in such a language.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q llama-cpp-python==0.3.36 gguf==0.19.0 mistral-common==1.13.1
cat > look.py <<'PY'
import base64, json, sys
from importlib.util import find_spec
from pathlib import Path

import gguf
from llama_cpp import Llama
from mistral_common.tokens.tokenizers.tekken import Tekkenizer

data = Path(find_spec("mistral_common").origin).parent / "data" / "tekken_240718.json"
tekken = json.loads(data.read_text())
count, specials = (tekken["config"][f"default_{name}"] for name in ("vocab_size", "num_special_tokens"))
ranks = {base64.b64decode(entry["token_bytes"]): entry["rank"] for entry in tekken["vocab"][: count - specials]}
plain = [*range(33, 127), *range(161, 173), *range(174, 256)]  # GPT-2's letters for bytes
letters = {byte: chr(byte) for byte in plain}
letters |= {byte: chr(256 + at) for at, byte in enumerate(sorted({*range(256)} - {*plain}))}
spelled = {token: "".join(letters[byte] for byte in token) for token in ranks}
merges = sorted(
    (rank, ranks[token[:at]], spelled[token[:at]] + " " + spelled[token[at:]])
    for token, rank in ranks.items() for at in range(1, len(token)) if token[:at] in ranks and token[at:] in ranks
)
writer = gguf.GGUFWriter("vocab.gguf", "llama")
writer.add_block_count(1)
writer.add_tokenizer_model("gpt2")
writer.add_tokenizer_pre("tekken")
names = ["<unk>", "<s>", "</s>", *(f"<SPECIAL_{i}>" for i in range(3, specials))]
writer.add_token_list(names + [spelled[token] for token in sorted(ranks, key=ranks.get)])
writer.add_token_types([gguf.TokenType.CONTROL] * specials + [gguf.TokenType.NORMAL] * len(ranks))
writer.add_token_merges([merge for *_, merge in merges])
writer.add_bos_token_id(1)
writer.add_eos_token_id(2)
writer.write_header_to_file()
writer.write_kv_data_to_file()
writer.write_tensors_to_file()
writer.close()

ours, reference = Llama("vocab.gguf", vocab_only=True, verbose=False), Tekkenizer.from_file(data)
differ = {}
for name, text in {
    "English": "The old house's door was open.", "Russian": "Он вошёл в старый дом.", "Greek": "Το παλιό σπίτι ήταν ανοιχτό.",
    "Japanese": "古い家の扉は開いていた。", "Hindi": "वह पुराने घर में गया।",
    "Bengali": "সে পুরানো বাড়িতে গেল।", "Tamil": "அவன் பழைய வீட்டிற்குள் சென்றான்.", "Thai": "เขาเข้าไปในบ้านเก่า",
}.items():
    ids, wanted = ours.tokenize(text.encode(), add_bos=False), reference.encode(text, bos=False, eos=False)
    print(f"{name}: llama.cpp {len(ids)} tokens, mistral-common {len(wanted)}{'' if ids == wanted else ', others'}")
    differ[name] = ids != wanted
sys.exit([name for name, other in differ.items() if other] != ["Hindi", "Bengali", "Tamil"])
PY
venv/bin/python look.py 2> errors && echo "as found: words are cut before combining marks" || { cat errors; echo "changed"; exit 1; }
