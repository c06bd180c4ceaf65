#!/usr/bin/env bash
# @risuai/ccardlib 0.4.2 (npm): converting a card from V2 to V3.
#
# Expected: what an entry of the lorebook says of its keys is kept, also `use_regex`, which V3 took over from the books
# that SillyTavern writes into V2 cards.
# Seen: every entry of the V3 card says `use_regex: false`, whatever it said before, so a key `owls?` is looked for as
# five characters from then on; the way back to V2 drops the field. A `nickname` in the V2 card becomes "".
# Cure: convert cards without it, or put `use_regex` and `nickname` back from the original.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
npm install --silent --no-save --prefix . @risuai/ccardlib@0.4.2
cat > look.cjs <<'EOF'
const { CCardLib } = require('@risuai/ccardlib');
const entry = { keys: ['owls?'], content: 'Pip', extensions: {}, enabled: true, insertion_order: 1, use_regex: true };
const data = {
    name: 'Ada', description: 'd', personality: '', scenario: '', first_mes: 'Hi', mes_example: '', creator_notes: '',
    system_prompt: '', post_history_instructions: '', alternate_greetings: [], tags: [], creator: '',
    character_version: '', extensions: {}, nickname: 'Addie', character_book: { extensions: {}, entries: [entry] },
};
const third = CCardLib.character.convert({ spec: 'chara_card_v2', spec_version: '2.0', data }, { from: 'v2', to: 'v3' });
const second = CCardLib.character.convert(third, { from: 'v3', to: 'v2' });
const told = card => JSON.stringify([card.data.character_book.entries[0].use_regex ?? null, card.data.nickname ?? null]);
console.log(`use_regex and nickname: [true,"Addie"], in V3 ${told(third)}, in V2 again ${told(second)}`);
EOF
node look.cjs | tee seen.txt
grep -qF 'in V3 [false,""], in V2 again [null,null]' seen.txt && echo "as found" || { echo "changed"; exit 1; }
