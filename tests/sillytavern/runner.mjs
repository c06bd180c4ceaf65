// Loads SillyTavern's own modules under node, with stand-ins for the page around them.
// Nothing of it lies here: `make sillytavern` installs the pinned npm packages into the folder ADVREPL_SILLYTAVERN.
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

const place = path.resolve(process.env.ADVREPL_SILLYTAVERN);
const require = createRequire(path.join(place, 'index.js'));

// Whatever is asked of it, it answers with itself.
export const anything = new Proxy(function () {}, {
    get: (_, key) => key === Symbol.toPrimitive ? () => '' : key === Symbol.iterator ? function* () {} : key === 'then' ? undefined : anything,
    apply: () => anything,
    construct: () => anything,
});

const IMPORT = /^import\s+(?:(\w+)\s*,?\s*)?(?:(\{[\s\S]*?\})|\*\s+as\s+(\w+))?\s*(?:from\s+)?'([^']+)';/gm;

// Import `entry` (below public/, or another base) as it is. Modules of `kept` (paths, or folders with a slash at the end) come along;
// what is imported from any other is looked up in `known`, and is `anything` where it is not there either.
export async function load(entry, kept, known = {}, base = 'public') {
    const root = path.join(place, 'package', base);
    globalThis.OUTSIDE = new Proxy(known, { get: (all, name) => name in all ? all[name] : anything, has: () => true });
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'sillytavern-'));
    process.on('exit', () => fs.rmSync(folder, { recursive: true, force: true }));
    fs.writeFileSync(path.join(folder, 'package.json'), '{"type": "module"}');
    const comes = file => kept.some(name => name.endsWith('/') ? file.startsWith(name) : file === name);
    const copy = file => {
        const target = path.join(folder, file);
        if (fs.existsSync(target)) return;
        const source = fs.readFileSync(path.join(root, file), 'utf8');
        fs.mkdirSync(path.dirname(target), { recursive: true });
        const others = [];
        const text = source.replace(IMPORT, (whole, one, names, all, from) => {
            const other = from.startsWith('/') ? from.slice(1) : path.posix.join(path.posix.dirname(file), from);
            if (comes(other)) {
                others.push(other);
                const near = path.posix.relative(path.posix.dirname(file), other);
                return whole.replace(from, near.startsWith('.') ? near : `./${near}`);
            }
            const taken = names?.replace(/\bas\b/g, ':').replace(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, '');
            return [one && `const ${one} = globalThis.OUTSIDE.${one};`, taken && `const ${taken} = globalThis.OUTSIDE;`, all && `const ${all} = globalThis.OUTSIDE;`].filter(Boolean).join(' ');
        });
        fs.writeFileSync(target, text);
        others.forEach(copy);
    };
    copy(entry);
    return await import(pathToFileURL(path.join(folder, entry)).href);
}

export const packaged = name => require(name);

// A module of its server that imports nothing; `file` is its path in the package.
export async function alone(file) {
    const source = fs.readFileSync(path.join(place, 'package', file));
    return await import(`data:text/javascript;base64,${source.toString('base64')}`);
}
export const version = JSON.parse(fs.readFileSync(path.join(place, 'package', 'package.json'), 'utf8')).version;

// Everything that modules print is theirs: what a script has to say, it writes with this, as one line of JSON.
// Not by process.stdout: what that has not written when a script ends is lost.
console.log = console.debug = console.info = console.warn = console.error = () => {};
export const answer = value => fs.writeFileSync(1, `${JSON.stringify(value)}\n`);
export const question = () => JSON.parse(fs.readFileSync(0, 'utf8'));
