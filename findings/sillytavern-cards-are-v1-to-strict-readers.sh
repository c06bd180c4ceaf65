#!/usr/bin/env bash
# sillytavern 1.19.0 and @risuai/ccardlib 0.4.2 (npm): one writes character cards, the other tells their version.
#
# Expected: of the two cards that SillyTavern puts into a picture, `chara` is a V2 card and `ccv3` a V3 card.
# Seen: `ccv3` is the V2 card with another `spec`, without `group_only_greetings`, which V3 demands; ccardlib, which
# checks all that is demanded, falls through to what is left and calls it "v1". With a lorebook `chara` is "v1" too: the
# book that SillyTavern makes of a world file has no `extensions`. What follows a V1 reading loses greetings, lore and
# instructions. SillyTavern's own validator looks for the oldest version that fits and calls all four V1.
# Cure: go by `spec` and fill in what is missing; when writing, write all that is demanded, whatever was read.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
npm pack --silent sillytavern@1.19.0 > /dev/null
tar xzf sillytavern-1.19.0.tgz
npm install --silent --no-save --prefix . @risuai/ccardlib@0.4.2 png-chunks-extract@1.0.0 png-chunk-text@1.0.0 crc@4.3.2
cat > look.mjs <<'EOF'
import { write } from './package/src/character-card-parser.js';
import { TavernCardValidator } from './package/src/validator/TavernCardValidator.js';
import { CCardLib } from '@risuai/ccardlib';
import extract from 'png-chunks-extract';
import PNGtext from 'png-chunk-text';
import zlib from 'node:zlib';
import { crc32 } from 'crc';

const chunk = (kind, body) => {
    const head = Buffer.alloc(4), tail = Buffer.alloc(4), whole = Buffer.concat([Buffer.from(kind), body]);
    head.writeUInt32BE(body.length);
    tail.writeUInt32BE(crc32(whole));
    return Buffer.concat([head, whole, tail]);
};
const picture = Buffer.concat([
    Buffer.from('89504e470d0a1a0a', 'hex'), chunk('IHDR', Buffer.from('00000001000000010800000000', 'hex')),
    chunk('IDAT', zlib.deflateSync(Buffer.from([0, 0]))), chunk('IEND', Buffer.alloc(0)),
]);
const old = { name: 'Ada', description: 'd', personality: '', scenario: '', first_mes: 'Hi', mes_example: '' };
const data = {
    ...old, creator_notes: '', system_prompt: '', post_history_instructions: '', alternate_greetings: [], tags: [],
    creator: '', character_version: '', extensions: {},
};
// As convertWorldInfoToCharacterBook of its server makes it.
const entry = {
    id: 0, keys: ['owl'], secondary_keys: [], comment: '', content: 'Pip', constant: false, selective: true,
    insertion_order: 100, enabled: true, position: 'before_char', use_regex: true, extensions: {},
};
for (const [what, own] of [['without lore', data], ['with lore', { ...data, character_book: { entries: [entry], name: 'b' } }]]) {
    const written = write(picture, JSON.stringify({ ...old, spec: 'chara_card_v2', spec_version: '2.0', data: own }));
    for (const { name, data: body } of extract(new Uint8Array(written))) {
        if (name !== 'tEXt') continue;
        const { keyword, text } = PNGtext.decode(body);
        const card = JSON.parse(Buffer.from(text, 'base64'));
        console.log(`${what}: ${keyword} says ${card.spec}, ccardlib ${CCardLib.character.check(card)},`
            + ` SillyTavern's validator V${new TavernCardValidator(card).validate()}`);
    }
}
EOF
node look.mjs | tee seen.txt
cat > expected.txt <<'EOF'
without lore: chara says chara_card_v2, ccardlib v2, SillyTavern's validator V1
without lore: ccv3 says chara_card_v3, ccardlib v1, SillyTavern's validator V1
with lore: chara says chara_card_v2, ccardlib v1, SillyTavern's validator V1
with lore: ccv3 says chara_card_v3, ccardlib v1, SillyTavern's validator V1
EOF
diff seen.txt expected.txt && echo "as found: three of four are V1 to ccardlib" || { echo "changed"; exit 1; }
