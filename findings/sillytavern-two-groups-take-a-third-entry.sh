#!/usr/bin/env bash
# sillytavern 1.19.0 (npm): lore entries in inclusion groups, of which one is told; an entry may be in several ("g, h").
#
# Expected: an entry that loses is not told, and one that is in no group has nothing to do with it.
# Seen: an entry that loses in both of its groups takes another one with it, the last of those that are found, though that
# is in no group: the second time it is no longer in the list, its place there is -1, and splice(-1, 1) cuts the last.
# Which entry goes missing depends on their order; nothing is told to the player.
# Cure: one group for an entry; programs that follow SillyTavern should not follow it here.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
npm pack --silent sillytavern@1.19.0 > /dev/null
tar xzf sillytavern-1.19.0.tgz package/public/scripts/world-info.js
cp "$here/sillytavern.mjs" .
cat > look.mjs <<'JS'
import { entry, log, told } from './sillytavern.mjs';
const leader = group => ({ group, groupOverride: true });
const book = both => ({
    0: entry(0, { group: both, order: 40 }), 1: entry(1, { ...leader('g'), order: 30 }), 2: entry(2, { ...leader('h'), order: 20 }),
    3: entry(3, { comment: 'in no group', order: 10 }),
});
const one = await told(book('g'), ['An owl.']), two = await told(book('g, h'), ['An owl.']);
log('entry 0 in group g:       told', one.join(' '));
log('entry 0 in groups g and h: told', two.join(' '));
process.exit(one.join() === '1,2,3' && two.join() === '1,2' ? 0 : 1);
JS
node look.mjs
