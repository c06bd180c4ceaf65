#!/usr/bin/env bash
# aichar 1.0.5 (PyPI): reading a character card from a PNG picture.
#
# Expected: the card is the text chunk with the keyword `chara`, wherever it stands among the chunks.
# Seen: all bytes from `chara` to the last text chunk are taken for one base64 text: a card with any text chunk behind
# it, a comment or the `ccv3` copy that most programs write there, fails with "Error while decoding base64". The same
# chunks in another order are read.
# Cure: write `chara` as the last text chunk of a picture, behind `ccv3`.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check aichar==1.0.5
cat > look.py <<'EOF'
import base64
import json
import zlib

import aichar


def chunk(kind, body):
    return len(body).to_bytes(4, "big") + kind + body + zlib.crc32(kind + body).to_bytes(4, "big")


def card(keyword, version):
    data = dict.fromkeys(("description", "personality", "scenario", "first_mes", "mes_example"), "x") | {"name": "Ada"}
    text = json.dumps({"spec": f"chara_card_v{version}", "spec_version": f"{version}.0", **data, "data": data})
    return chunk(b"tEXt", keyword + b"\0" + base64.b64encode(text.encode()))


chara, ccv3, comment = card(b"chara", 2), card(b"ccv3", 3), chunk(b"tEXt", b"Comment\0made by hand")
head = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", b"\0\0\0\1\0\0\0\1\x08\0\0\0\0") + chunk(b"IDAT", zlib.compress(b"\0\0"))
for name, chunks in {"chara": chara, "ccv3, chara": ccv3 + chara, "chara, ccv3": chara + ccv3,
                     "comment, chara": comment + chara, "chara, comment": chara + comment}.items():
    with open("card.png", "wb") as file:
        file.write(head + chunks + chunk(b"IEND", b""))
    try:
        print(f"{name}: {aichar.load_character_card_file('card.png').name}")
    except ValueError as error:
        print(f"{name}: {str(error).split(':')[0]}")
EOF
venv/bin/python look.py | tee seen.txt
cat > expected.txt <<'EOF'
chara: Ada
ccv3, chara: Ada
chara, ccv3: Error while decoding base64 character data
comment, chara: Ada
chara, comment: Error while decoding base64 character data
EOF
diff seen.txt expected.txt && echo "as found" || { echo "changed"; exit 1; }
