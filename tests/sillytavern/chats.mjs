// Reads and writes a chat with the functions of SillyTavern's own server.
import fs from 'node:fs';
import { answer, load, question } from './runner.mjs';

const { path, write } = question();
const known = {
    tryReadFileSync: file => fs.readFileSync(file, 'utf8'),
    tryWriteFileSync: (file, data) => fs.writeFileSync(file, data),
    tryParse: text => { try { return JSON.parse(text); } catch { return undefined; } },
};
const chats = await load('endpoints/chats.js', [], known, 'src');
if (write) await chats.trySaveChat(write, path, true, 'user', 'card', '/nowhere');
answer(chats.getChatData(path));
process.exit(0);
