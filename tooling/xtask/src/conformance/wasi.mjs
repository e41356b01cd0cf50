// wasi.mjs FOLDER ABSOLUTE PROGRAM ARGUMENT…: runs a program for WASI preview 1.
//
// FOLDER is what the program sees as its current folder, and also under the path ABSOLUTE. The exit code is the program's, or 134
// after a trap, whose message goes to standard error.
import { WASI } from 'node:wasi';
import { readFileSync } from 'node:fs';

const [folder, absolute, program, ...args] = process.argv.slice(2);
const preopens = { '.': folder, '/': folder };
if (absolute) preopens[absolute] = folder;
const wasi = new WASI({ version: 'preview1', args: ['program', ...args], env: {}, preopens, returnOnExit: true });
const module = await WebAssembly.compile(readFileSync(program));
try {
    const instance = await WebAssembly.instantiate(module, wasi.getImportObject());
    process.exitCode = wasi.start(instance);
} catch (error) {
    console.error(String(error));
    process.exitCode = 134;
}
