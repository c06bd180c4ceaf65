// Answers which entries SillyTavern tells in each of `cases`, at each step of its chat, and where they stand.
import { answer, anything, load, question, version } from './runner.mjs';

const context = { extensionPrompts: {}, tagMap: { 'Mo.png': ['t1'] } };
const characters = [{ name: 'Mo', avatar: 'Mo.png', data: { extensions: { world: 'book' } } }];
const chat_metadata = {};
const known = {
    getContext: () => context, characters, this_chid: 0, chat_metadata, power_user: {}, shouldWIAddPrompt: false,
    eventSource: { emit: async () => {} }, debounce: each => each, FilterHelper: class {},
    StructuredCloneMap: class extends Map { constructor() { super(); } get(name) { return structuredClone(super.get(name)); } },
    substituteParams: text => text.replaceAll('{{user}}', 'Ann').replaceAll('{{char}}', 'Mo'),
    getRegexedString: text => text, getTokenCountAsync: async text => text.length, regex_placement: {},
    getCharaFilename: () => 'Mo', getTagKeyForEntity: () => 'Mo.png', extension_prompt_roles: { SYSTEM: 0 },
    escapeRegex: text => text.replace(/[.*+?^${}()|[\]\\/]/g, '\\$&'),
    parseJsonFile: async file => file.data, getSanitizedFilename: async name => name, checkOverwriteExistingData: async () => true,
    getStringHash: text => [...text].reduce((sum, letter) => (sum * 31 + letter.codePointAt(0)) | 0, 7),
};
globalThis.$ = () => ({ find: () => ({}) });
const lore = await load('scripts/world-info.js', ['scripts/world-info.js'], known);
lore.updateWorldInfoSettings({
    world_info_depth: 2, world_info_recursive: true, world_info_match_whole_words: true, world_info_budget: 25,
});

// The book of another program, as it makes a world file of it.
async function converted(data) {
    let found;
    globalThis.FormData = class { append(name, value) { if (name === 'convertedData') found = JSON.parse(value); } };
    globalThis.fetch = async () => ({ ok: false });
    globalThis.toastr = anything;
    await lore.importWorldInfo({ name: 'book.json', data });
    return found.entries;
}

async function told({ book, card, foreign, steps, budget, roll, sources }) {
    delete chat_metadata.timedWorldInfo;
    const entries = card ? lore.convertCharacterBook(card).entries : foreign ? await converted(foreign) : Object.fromEntries(Object.entries(book.entries)
        .map(([key, entry]) => [key, { ...lore.newWorldInfoEntryTemplate, ...entry }]));
    lore.worldInfoCache.set('book', { entries });
    Math.random = () => roll;
    const seen = [];
    for (const chat of steps) {
        const found = await lore.checkWorldInfo([...chat].reverse(), budget * 4, false, { trigger: 'normal', ...sources });
        seen.push({
            active: [...found.allActivatedEntries].map(entry => entry.uid).sort((a, b) => a - b),
            before: found.worldInfoBefore, after: found.worldInfoAfter, outlets: found.outletEntries,
            depth: found.WIDepthEntries.map(({ depth, role, entries }) => [depth, role, entries]),
        });
    }
    return seen;
}

const results = [];
for (const each of question().cases) results.push(await told(each));
const newest = (() => { try { return new RegExp('(?i:a)').test('A'); } catch { return false; } })();
answer({ version, results, newest });
