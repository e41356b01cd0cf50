// run-tests.mjs PROGRAM: runs each test of a libtest program compiled for WASI and prints `NAME ok`, `NAME ignored` or
// `NAME FAILED`, sorted by name.
//
// A panic ends the program, so the test it happened in has failed and the rest runs in a new instance.
import { WASI } from 'node:wasi';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const module = await WebAssembly.compile(readFileSync(process.argv[2]));
const folder = mkdtempSync(join(tmpdir(), 'run-tests-'));

/** The program's standard output with these arguments. */
async function run(args) {
    const path = join(folder, 'out');
    const out = openSync(path, 'w');
    const wasi = new WASI({ version: 'preview1', args: ['tests', ...args], env: {}, stdout: out, stderr: out, returnOnExit: true });
    try {
        const instance = await WebAssembly.instantiate(module, wasi.getImportObject());
        wasi.start(instance);
    } catch {
        // The last line names the test in which it ended.
    }
    closeSync(out);
    return readFileSync(path, 'utf8');
}

const listed = (await run(['--list'])).matchAll(/^(.+): test$/gm);
let left = [...listed].map((match) => match[1]);
const results = new Map();
while (left.length > 0) {
    const text = await run(['--test-threads=1', '--exact', ...left]);
    let last;
    // `name ... ok`, `name - should panic ... ignored, reason`; a test that printed or ended the program has no word behind it.
    for (const match of text.matchAll(/^test (\S+)(?: - should panic)? \.\.\. (ok|ignored|FAILED)?/gm)) {
        last = match[1];
        results.set(last, match[2] ?? 'FAILED');
    }
    const before = left.length;
    left = left.filter((name) => !results.has(name));
    if (left.length === before) {
        // Not even one began: nothing more can be learnt.
        left.forEach((name) => results.set(name, 'FAILED'));
        left = [];
    }
}
rmSync(folder, { recursive: true });
for (const name of [...results.keys()].sort()) {
    console.log(`${name} ${results.get(name)}`);
}
