#!/usr/bin/env bash
# sillytavern 1.19.0 (npm): importing a character card.
#
# Expected: the character has the name that the card gives it; only the file needs one that a disk can hold.
# Seen: what no file name may hold goes out of the name in the card itself, in `data` and beside it: "Re:Zero?" becomes
# "ReZero", "AC/DC" "ACDC", a dot at the end goes; a card of "Con", "Aux" or "Nul", devices of Windows, is refused with an
# error that does not say why, on any system. {{char}}, prompts and every later export have the new name, while greetings
# that spell it out, and lore that filters by it, have the old one.
# Cure: let texts of a card say {{char}}; after an import, put the name back.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
npm pack --silent sillytavern@1.19.0 > /dev/null
tar xzf sillytavern-1.19.0.tgz
npm install --silent --no-save --prefix . lodash@4.17.21 sanitize-filename@1.6.3
cat > look.mjs <<'JS'
import path from 'node:path';
import fs from 'node:fs';
import lodash from 'lodash';
import sanitize from 'sanitize-filename';
// Its own importer, with stand-ins for the web server and the disk around it.
const anything = new Proxy(function () {}, { get: (_, key) => key === Symbol.toPrimitive ? () => '' : key === 'then' ? undefined : anything, apply: () => anything, construct: () => anything });
const handlers = {};
let upload = '', written = null;
const known = {
    path, _: lodash, sanitize, Buffer, MemoryLimitedMap: class { keys() { return []; } }, getConfigValue: () => false, humanizedDateTime: () => 'now',
    tryParse: JSON.parse, getFileNameValidationFunction: () => anything, getUniqueName: name => name, importRisuSprites: () => {},
    express: { Router: () => new Proxy({}, { get: (_, method) => (at, ...each) => { handlers[`${method} ${at}`] = each.at(-1); } }) },
    fs: { readFileSync: () => upload, unlinkSync: () => {}, existsSync: () => false }, write: (_, data) => { written = JSON.parse(data); return data; }, sync: () => {},
};
globalThis.OUTSIDE = new Proxy(known, { get: (all, name) => name in all ? all[name] : anything, has: () => true });
const source = fs.readFileSync('package/src/endpoints/characters.js', 'utf8').replace(/^import\s+(?:(\w+)\s*,?\s*)?(\{[\s\S]*?\})?\s*from '[^']*';/gm,
    (_, one, names) => `${one ? `const ${one} = globalThis.OUTSIDE.${one};` : ''} ${names ? `const ${names.replace(/\bas\b/g, ':')} = globalThis.OUTSIDE;` : ''}`);
fs.writeFileSync('characters.mjs', source);
await import('./characters.mjs');
const log = console.log;
console.log = console.info = console.warn = console.error = () => {};
async function imported(name) {
    upload = JSON.stringify({ spec: 'chara_card_v2', spec_version: '2.0', data: { name, description: 'd', first_mes: `${name} waves.`, extensions: {} } });
    written = null;
    const request = { body: { file_type: 'json' }, file: { destination: '/', filename: 'upload' }, user: { profile: {}, directories: { characters: '/' } } };
    await handlers['post /import'](request, { send: () => {}, sendStatus: () => {} });
    return written && [written.name, written.data.name, written.data.first_mes];
}
let right = true;
for (const [name, expected] of [['Ada', 'Ada'], ['Re:Zero?', 'ReZero'], ['AC/DC', 'ACDC'], ['Ada Jr.', 'Ada Jr']]) {
    const found = await imported(name);
    log(JSON.stringify(name), '->', JSON.stringify(found));
    right &&= found?.[0] === expected && found[1] === expected && found[2] === `${name} waves.`;
}
const con = await imported('Con');
log('"Con" ->', JSON.stringify(con));
process.exit(right && con === null ? 0 : 1);
JS
node look.mjs
