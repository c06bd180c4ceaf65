#!/usr/bin/env bash
# tavern-card 0.1.1 (PyPI): writing and reading V3 character cards.
#
# Expected: a V3 card that it takes comes back as it was, or is refused.
# Seen: it is written under the keyword `chara` alone, which the V3 specification keeps for V2 cards (its own is `ccv3`),
# and comes back with `spec` "chara_card_v3" but without the fields that are V3's: `nickname`, which {{char}} stands for,
# `group_only_greetings`, `assets`. A reader of `ccv3` finds no card in the picture.
# Cure: write V3 cards with something else; when reading, look into `chara` for V3 cards too.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check tavern-card==0.1.1
cat > look.py <<'EOF'
import tavern_card

texts = ("description", "personality", "scenario", "first_mes", "mes_example", "creator_notes", "system_prompt",
         "post_history_instructions", "creator", "character_version")
icon = {"type": "icon", "uri": "ccdefault:", "name": "main", "ext": "png"}
data = dict.fromkeys(texts, "x") | {"name": "Ada", "alternate_greetings": [], "tags": [], "extensions": {},
                                    "nickname": "Addie", "group_only_greetings": ["Hi all."], "assets": [icon]}
picture = tavern_card.write_png_card({"spec": "chara_card_v3", "spec_version": "3.0", "data": data})
back = tavern_card.parse_png_card(picture)
print("keywords:", *(word for word in ("chara", "ccv3") if word.encode() + b"\0" in picture))
print("spec:", back["spec"])
print("lost:", *sorted(data.keys() - {key for key, value in back["data"].items() if value == data.get(key)}))
EOF
venv/bin/python look.py | tee seen.txt
printf 'keywords: chara\nspec: chara_card_v3\nlost: assets group_only_greetings nickname\n' > expected.txt
diff seen.txt expected.txt && echo "as found" || { echo "changed"; exit 1; }
