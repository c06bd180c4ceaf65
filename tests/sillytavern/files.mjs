// Answers what SillyTavern reads of each of `pictures` (PNG in base64) and `archives` (files of a .byaf by their names).
import fs from 'node:fs';
import path from 'node:path';
import { answer, load, packaged, question } from './runner.mjs';

const known = {
    extract: packaged('png-chunks-extract'), PNGtext: packaged('png-chunk-text'), Buffer, fs, path,
    promises: { readFile: async () => Buffer.alloc(0) }, urlJoin: path.posix.join,
    extractFileFromZipBuffer: async (archive, name) => name in archive ? Buffer.from(JSON.stringify(archive[name])) : null,
};
const { read } = await load('character-card-parser.js', [], known, 'src');
const { ByafParser } = await load('byaf.js', [], known, 'src');
const { pictures, archives } = question();
answer({
    pictures: pictures.map(picture => JSON.parse(read(Buffer.from(picture, 'base64')))),
    archives: await Promise.all(archives.map(async archive => (await new ByafParser(archive).parse()).card)),
});
