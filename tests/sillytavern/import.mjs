// Answers what SillyTavern's own importer makes of each of `files` (`format`, `bytes` or `archive` with the files of a
// zip, all in base64): the picture that it writes, and the card that its parser reads in that; or why there is none.
import fs from 'node:fs';
import path from 'node:path';
import zlib from 'node:zlib';
import { anything, answer, load, packaged, question } from './runner.mjs';

const { files, blank } = question();
const bytes = text => Buffer.from(text, 'base64');
const handlers = {}, given = { path: '/upload', bytes: null, archive: {} };
let written = null;
const known = {
    Buffer, path, extract: packaged('png-chunks-extract'), PNGtext: packaged('png-chunk-text'), crc32: zlib.crc32,
    _: packaged('lodash'), sanitize: packaged('sanitize-filename'), yaml: packaged('yaml'),
    express: { Router: () => new Proxy({}, { get: (_, method) => (at, ...each) => { handlers[`${method} ${at}`] = each.at(-1); } }) },
    getConfigValue: (_, usual) => usual === true ? false : usual, MemoryLimitedMap: class { has() { return false; } set() {} keys() { return []; } },
    humanizedDateTime: () => 'now', DEFAULT_AVATAR_PATH: '/blank', getUniqueName: name => name, urlJoin: path.posix.join,
    tryParse: text => { try { return JSON.parse(text); } catch { return undefined; } },
    getArrayBufferSlice: buffer => buffer, getFileNameValidationFunction: () => anything, sanitizeSafeCharacterReplacements: '',
    fs: {
        existsSync: () => false, unlinkSync: () => {}, mkdirSync: () => {}, promises: { readFile: async () => bytes(blank) },
        readFileSync: (file, as) => { const found = file === given.path ? given.bytes : bytes(blank); return as ? found.toString(as) : found; },
    },
    promises: { readFile: async file => file === given.path ? given.bytes : bytes(blank), unlink: async () => {} },
    Jimp: { read: async () => { throw new Error('none'); }, fromBuffer: async () => { throw new Error('none'); } },
    sync: (file, data) => { if (file.endsWith('.png')) written = data; },
    extractFileFromZipBuffer: async (_, name) => name in given.archive ? bytes(given.archive[name]) : null,
    extractFilesFromZipBuffer: async () => new Map(), importRisuSprites: () => {},
    normalizeZipEntryPath: name => name,
};
const kept = ['character-card-parser.js', 'png/encode.js', 'charx.js', 'byaf.js'];
await load('endpoints/characters.js', kept, known, 'src');
const { read } = await load('character-card-parser.js', kept, known, 'src');

async function imported({ format, bytes: text, archive }) {
    [given.bytes, given.archive, written] = [bytes(text ?? ''), archive ?? {}, null];
    const directories = { characters: '/characters', chats: '/chats', userImages: '/images', root: '/' };
    const request = { body: { file_type: format, user_name: 'Ann' }, file: { destination: '/', filename: 'upload' }, user: { profile: {}, directories } };
    let said = null;
    await handlers['post /import'](request, { send: value => { said = value; }, sendStatus: value => { said = value; } });
    return written ? { picture: written.toString('base64'), card: JSON.parse(read(written)) } : { refused: said };
}

const found = [];
for (const file of files) found.push(await imported(file));
answer(found);
