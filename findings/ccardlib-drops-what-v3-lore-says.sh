#!/usr/bin/env bash
# @risuai/ccardlib 0.4.2 (npm), by the author of the V3 specification: telling a card's version, and V3 to V2.
#
# Expected: a V3 card whose lore entries have texts as `id` is a V3 card, as the specification has `id?: number | string`;
# what V2 has no field for is kept where other programs find it, or the entry is left out.
# Seen: such a card is "unknown". Converted to V2, an entry loses its decorators, which are lines of its text and which
# readers of V2 (SillyTavern) follow there too: what `@@dont_activate` switched off is told from then on, what
# `@@activate_only_after 20` holds back is told at once, and nothing says so.
# Cure: make ids numbers before asking; for V2 switch entries with @@dont_activate off (`enabled`), and put decorators back.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
npm install --silent --no-save --prefix . @risuai/ccardlib@0.4.2
cat > look.mjs <<'JS'
import { CCardLib } from '@risuai/ccardlib';
const card = (id, content = 'The owl is Pip.') => ({ spec: 'chara_card_v3', spec_version: '3.0', data: {
    name: 'Ada', description: '', personality: '', scenario: '', first_mes: '', mes_example: '', creator_notes: '', system_prompt: '',
    post_history_instructions: '', alternate_greetings: [], group_only_greetings: [], tags: [], creator: '', character_version: '', extensions: {},
    character_book: { extensions: {}, entries: [{ keys: ['owl'], content, extensions: {}, enabled: true, insertion_order: 1, use_regex: false, id }] },
} });
const number = CCardLib.character.check(card(4)), text = CCardLib.character.check(card('owl-4'));
console.log('a V3 card with the id 4:', number, ' with the id "owl-4":', text);
const off = CCardLib.character.convert(card(4, '@@dont_activate\nThe owl is Pip.'), { from: 'v3', to: 'v2' }).data.character_book.entries[0];
console.log('switched off by a decorator, as V2:', JSON.stringify(off));
process.exit(number === 'v3' && text === 'unknown' && off.content === 'The owl is Pip.' && off.enabled === true ? 0 : 1);
JS
node look.mjs
