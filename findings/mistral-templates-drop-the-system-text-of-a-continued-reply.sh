#!/usr/bin/env bash
# The chat template of Mistral Nemo as axolotl 0.19.0 (mistral_v3_tekken.jinja) carries it, and the one of Mistral 7B v0.3
# (mistral_v2v3.jinja), with jinja2 3.1.6 and the environment that transformers makes for it.
#
# Expected: a conversation with a system message has its text in the prompt also where its last message is a reply that is
# to be continued (transformers' continue_final_message, "prefill" elsewhere).
# Seen: the template puts the system text before the last message, if that is the user's. Where a reply is the last one,
# it stands nowhere, and nothing is said of it: a card, or the rules of a game, are gone for just the continued reply. So
# are they if the template renders the conversation without a generation prompt, for a count of its tokens for one.
# Where the user is last, the text moves on with each turn, so that nothing behind it can be kept in a cache.
# Cure: put the system text into the first user message.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q --no-deps axolotl==0.19.0 jinja2==3.1.6 markupsafe==3.0.3
cat > system.py <<'PY'
import glob
import sys
from pathlib import Path

from jinja2.sandbox import ImmutableSandboxedEnvironment

SYSTEM = {"role": "system", "content": "You are a pirate."}
TURNS = [
    {"role": "user", "content": "Hello."},
    {"role": "assistant", "content": "Ahoy."},
    {"role": "user", "content": "Who are you?"},
    {"role": "assistant", "content": "I am"},
]


def refuse(why: str) -> None:
    raise ValueError(why)


there = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)
there.globals["raise_exception"] = refuse
folder = glob.glob("venv/lib/python3*/site-packages/axolotl/utils/chat_templates/templates")[0]
rows = []
for name in ("mistral_v3_tekken", "mistral_v2v3"):
    template = there.from_string(Path(folder, f"{name}.jinja").read_text())
    said = [
        template.render(messages=[SYSTEM, *TURNS[:turns]], bos_token="<s>", eos_token="</s>", tools=None)
        for turns in (1, 3, 4)
    ]
    places = [text.find("pirate") > text.find("Hello") if "pirate" in text else None for text in said]
    rows.append(places)
    print(name, *said, sep="\n  ")
# In the first turn it stands before the first words, in the third behind them, where a reply is last nowhere.
found = rows == [[False, True, None]] * 2
print("as found" if found else "changed")
sys.exit(not found)
PY
venv/bin/python system.py
