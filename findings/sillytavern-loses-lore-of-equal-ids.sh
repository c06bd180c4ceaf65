#!/usr/bin/env bash
# sillytavern 1.19.0 (npm): the lorebook of a V2 or V3 character card becomes a world file when the card is imported.
#
# Expected: all entries are there. Their `id` is optional and, as the V2 specification says, of no use for prompts; nothing
# says that it is the only one of its kind.
# Seen: the world file is keyed by `id`, or by the place in the list where there is none. Of two entries with one id the
# last is left, and so it is where the id of one is the place of another, as in books to which a program that writes no
# ids has added to one that counts from 1. What a card of null ids says is one entry. Nothing is told to the player.
# Cure: number the entries anew before the import; when writing cards, give all of them ids, or none.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
npm pack --silent sillytavern@1.19.0 > /dev/null
tar xzf sillytavern-1.19.0.tgz package/public/scripts/world-info.js
cp "$here/sillytavern.mjs" .
cat > look.mjs <<'JS'
import { log, lore } from './sillytavern.mjs';
const book = ids => ({ extensions: {}, entries: ids.map((id, at) => ({ ...id, keys: [`key ${at}`], content: `text ${at}`, extensions: {}, enabled: true, insertion_order: at })) });
const left = ids => Object.values(lore.convertCharacterBook(book(ids)).entries).map(each => each.content);
const none = left([{}, {}, {}]), equal = left([{ id: 7 }, { id: 7 }, { id: 8 }]), mixed = left([{ id: 1 }, {}, {}]);
log('three entries without ids:   ', none.join(', '));
log('with the ids 7, 7, 8:        ', equal.join(', '));
log('the first with id 1, no other:', mixed.join(', '));
process.exit(none.length === 3 && equal.join() === 'text 1,text 2' && mixed.join() === 'text 1,text 2' ? 0 : 1);
JS
node look.mjs
