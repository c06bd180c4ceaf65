#!/usr/bin/env bash
# sillytavern 1.19.0 (npm): lore entries with `sticky` and `cooldown`, where messages are deleted (undone) and said anew.
#
# Expected: what began in the deleted messages has not begun; its code removes an effect whose chat has not advanced.
# Seen: a cooldown that began when `sticky` ended is protected from that: back at the message where the entry was told
# first, it is not told again, and it stays away until the chat is as long as it would have been. The sticky effect itself
# is gone for good, though at that message it had just begun.
# Cure: an entry with a cooldown and no `sticky` comes back when it is undone; a program that keeps such states should keep
# them with the message.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
npm pack --silent sillytavern@1.19.0 > /dev/null
tar xzf sillytavern-1.19.0.tgz package/public/scripts/world-info.js
cp "$here/sillytavern.mjs" .
cat > look.mjs <<'JS'
import { chat_metadata, entry, log, told } from './sillytavern.mjs';
const chat = Array.from({ length: 12 }, (_, at) => at === 1 ? 'An owl.' : 'Hm.');
async function run(rules) {
    delete chat_metadata.timedWorldInfo;
    const seen = [];
    for (const length of [2, 4, 6, 8, 2, 4]) seen.push((await told({ 1: entry(1, rules) }, chat.slice(0, length))).length ? 'told' : '-');
    return seen.join(' ');
}
const alone = await run({ scanDepth: 1, cooldown: 20 }), both = await run({ scanDepth: 1, sticky: 3, cooldown: 20 });
log('asked at messages 2 4 6 8, then undone to 2, and 4; the key is in message 2:');
log('  cooldown 20:          ', alone);
log('  sticky 3, cooldown 20:', both);
process.exit(alone === 'told - - - told -' && both === 'told told - - - -' ? 0 : 1);
JS
node look.mjs
