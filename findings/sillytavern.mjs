// SillyTavern's own world-info.js, unpacked below package/, with stand-ins for what it imports from the page around it.
import fs from 'node:fs';

const anything = new Proxy(function () {}, { get: (_, key) => key === Symbol.toPrimitive ? () => '' : key === Symbol.iterator ? function* () {} : key === 'then' ? undefined : anything, apply: () => anything, construct: () => anything });
const characters = [{ name: 'Mo', avatar: 'Mo.png' }], context = { extensionPrompts: {}, tagMap: {}, characters, characterId: 0 };
export const chat_metadata = { world_info: 'book' };
const known = {
    getContext: () => context, characters, this_chid: 0, chat_metadata, power_user: {}, eventSource: { emit: async () => {} }, FilterHelper: class {},
    StructuredCloneMap: class extends Map { constructor() { super(); } get(name) { return structuredClone(super.get(name)); } },
    substituteParams: text => text, getRegexedString: text => text, getTokenCountAsync: async text => text.length / 4, getCharaFilename: () => 'Mo',
    escapeRegex: text => text.replace(/[.*+?^${}()|[\]\\\/]/g, '\\$&'), shouldWIAddPrompt: false, extension_prompt_roles: { SYSTEM: 0 }, debounce: each => each,
    getStringHash: text => [...text].reduce((sum, letter) => (sum * 31 + letter.codePointAt(0)) | 0, 7),
};
globalThis.$ = anything;
globalThis.OUTSIDE = new Proxy(known, { get: (all, name) => name in all ? all[name] : anything, has: () => true });
export const log = console.log;
console.log = console.debug = () => {};
const source = fs.readFileSync('package/public/scripts/world-info.js', 'utf8');
fs.writeFileSync('world-info.mjs', source.replace(/^import\s*(\{[\s\S]*?\})\s*from '[^']*';/gm, (_, names) => `const ${names} = globalThis.OUTSIDE;`));
export const lore = await import(`file://${process.cwd()}/world-info.mjs`);
lore.updateWorldInfoSettings({ world_info_depth: 2, world_info_recursive: true, world_info_match_whole_words: true, world_info_budget: 25 });
export const entry = (uid, more) => ({ ...lore.newWorldInfoEntryTemplate, uid, key: ['owl'], content: `text ${uid}`, ...more });

// Which entries are told after these messages, by their uid.
export async function told(entries, chat) {
    lore.worldInfoCache.set('book', { entries });
    const found = await lore.checkWorldInfo([...chat].reverse(), 4096, false, { trigger: 'normal' });
    return [...found.allActivatedEntries].map(each => each.uid).sort();
}
