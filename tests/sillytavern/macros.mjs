// Answers what SillyTavern's macro engine makes of each of `texts`: {result, local, global}, each from empty variables.
import { answer, anything, load, packaged, question, version } from './runner.mjs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { pathToFileURL } from 'node:url';

const asked = question();
const { names, card, chat, settings, now } = asked;
const moment = packaged('moment');
moment.now = () => Date.parse(now);
const at = path.join(path.resolve(process.env.ADVREPL_SILLYTAVERN), 'index.js');
const chevrotain = await import(pathToFileURL(createRequire(at).resolve('chevrotain')).href);

const chat_metadata = { variables: {}, chat_id_hash: 7, lastInContextMessageId: settings.firstIncluded };
const extension_settings = { variables: { global: {} }, note: { chara: [], default: '' } };
const known = {
    chevrotain, moment, seedrandom: packaged('seedrandom'), droll: packaged('droll'),
    chat, chat_metadata, extension_settings, name1: names.user, name2: names.char,
    characters: [{ name: names.char }], groups: [], selected_group: null, main_api: 'textgenerationwebui',
    getCharacterCardFieldsLazy: () => card, getGeneratingModel: () => settings.model,
    getMaxPromptTokens: () => settings.maxPrompt, getMaxContextTokens: () => settings.maxContext,
    getMaxResponseTokens: () => settings.maxResponse, isMobile: () => false, getCurrentChatId: () => 'chat',
    extension_prompts: settings.outlets, inject_ids: { CUSTOM_WI_OUTLET: name => name }, textgenerationwebui_banned_in_macros: [],
    power_user: { instruct: {}, sysprompt: { enabled: true, content: settings.system }, context: { example_separator: '***', chat_start: '' }, prefer_character_prompt: true },
    parseMesExamples: text => [text], saveMetadataDebounced: () => {}, saveSettingsDebounced: () => {}, SlashCommandClosure: class {},
    StructuredCloneMap: Map, FilterHelper: class {}, debounce_timeout: {},
    findExtension: () => null, event_types: {}, eventSource: { on: () => {} },
};
globalThis.document = { querySelector: selector => selector === '#send_textarea' ? { value: settings.input } : null };
globalThis.window = globalThis;
const kept = ['scripts/macros/', 'scripts/utils.js', 'scripts/variables.js'];
const variables = await load('scripts/variables.js', kept, known);
const scope = kind => Object.fromEntries(Object.entries({ get: 'get', set: 'set', del: 'delete', add: 'add', inc: 'increment', dec: 'decrement', has: 'exists' })
    .map(([short, long]) => [short, variables[`${long}${kind}Variable`]]));
globalThis.SillyTavern = { getContext: () => ({ variables: { local: scope('Local'), global: scope('Global') } }) };
const system = await load('scripts/macros/macro-system.js', kept, known);
system.initRegisterMacros();
const { engine, envBuilder, registry } = system.macros;

const results = asked.texts.map(text => {
    chat_metadata.variables = {};
    extension_settings.variables.global = {};
    let used = false;
    const original = () => { const value = used ? '' : settings.original; used = true; return value; };
    const env = envBuilder.buildFromRawEnv({ content: text, replaceCharacterCard: true, original: settings.original, dynamicMacros: {} });
    env.functions.original = original;
    const result = engine.evaluate(text, env);
    return { result, local: chat_metadata.variables, global: extension_settings.variables.global };
});
answer({ version, results, macros: registry.getAllMacros().map(macro => [macro.name, macro.minArgs, macro.maxArgs, macro.list !== null]) });
