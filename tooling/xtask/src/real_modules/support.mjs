// What the programs share: a place to load packages from, and inputs that are the same on every machine and day.

import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { pathToFileURL } from "node:url";

/** The packages of one tree: the original modules, or the recompiled ones. */
export class Packages {
    /** @param {string} root the folder above `node_modules` */
    constructor(root) {
        this.root = path.resolve(root);
        this.require = createRequire(path.join(this.root, "index.js"));
    }

    /** The path of a package's file. */
    path(file) {
        return path.join(this.root, "node_modules", file);
    }

    /** The bytes of a package's file. */
    read(file) {
        return readFileSync(this.path(file));
    }

    /** Imports a package's file as an ECMAScript module. */
    import(file) {
        return import(pathToFileURL(this.path(file)).href);
    }
}

/** A stream of numbers that depends on the seed alone (xorshift32). */
export function stream(seed) {
    let state = seed >>> 0 || 1;
    return (limit) => {
        state ^= state << 13;
        state ^= state >>> 17;
        state ^= state << 5;
        state >>>= 0;
        return state % limit;
    };
}

const WORDS = (
    "module function memory table global export import segment block loop branch value number string letter paper " +
    "river mountain window garden yellow seven quickly under between because while nothing always never remember"
).split(" ");

/** Text of about as many bytes: lines of words, with numbers and repetition, so that compressors and parsers have work. */
export function text(bytes, seed) {
    const next = stream(seed);
    const lines = [];
    let size = 0;
    while (size < bytes) {
        let line = `${lines.length}:`;
        for (let i = 4 + next(9); i > 0; i--) {
            line += next(7) === 0 ? ` ${next(100000)}` : ` ${WORDS[next(WORDS.length)]}`;
        }
        lines.push(line);
        size += line.length + 1;
    }
    return lines.join("\n");
}

/** Source text in JavaScript: classes, closures, templates, regular expressions, JSON. */
export function javascript(functions, seed) {
    const next = stream(seed);
    const word = () => WORDS[next(WORDS.length)];
    let out = "'use strict';\n";
    for (let i = 0; i < functions; i++) {
        const [a, b] = [word(), word()];
        out += `// ${text(60, next(1 << 30)).slice(0, 60).replaceAll("\n", " ")}
export class ${a}${i} extends Object {
    #${b} = ${next(1000)};
    static ${b}${i}(first, { second = ${next(99)}, ...rest } = {}, ...others) {
        const list = [...others, first ?? second].map((x) => x * ${next(50)} + \`\${x}:${word()}\`.length);
        for (const [key, value] of Object.entries(rest)) if (/^${word()}[a-z0-9_]+$/iu.test(key)) list.push(value || null);
        switch (list.length % 3) { case 0: return async () => await list; case 1: throw new Error("${word()}"); default: break; }
        return list.reduce((x, y) => (x === y ? x ** 2 : x - y), ${JSON.stringify({ [word()]: next(9), list: [next(9), word()] })}.list[0]);
    }
    get ${a}() { return this.#${b}--; }
}
`;
    }
    return out;
}

/** A digest of bytes or text, short enough to be shown. */
export function digest(data) {
    return createHash("sha256").update(data).digest("hex").slice(0, 32);
}

/** Stops the program when something known without the module does not hold. */
export function ensure(condition, what) {
    if (!condition) {
        throw new Error(`${what} does not hold`);
    }
}
