// threads.mjs PROGRAM: runs `thread_locals` in three threads of Node, one after the other, on one memory.
import { readFileSync } from 'node:fs';
import { Worker, isMainThread, workerData, parentPort } from 'node:worker_threads';

function start(file, memory, thread) {
    const module = new WebAssembly.Module(readFileSync(file));
    const { exports } = new WebAssembly.Instance(module, { env: { memory } });
    // Each thread's own block lies behind the others', above the data.
    const size = Math.ceil(exports.__tls_size.value / 64) * 64;
    exports.__wasm_init_tls(Math.ceil(exports.__heap_base.value / 64) * 64 + thread * size);
    return exports;
}

function say(thread, { bump, last, wide, shared }) {
    return `thread ${thread}: bump ${bump(0)} ${bump(0)} ${bump(1)}, last ${last()}, wide ${wide()}, shared ${shared()}`;
}

if (isMainThread) {
    const file = process.argv[2];
    const memory = new WebAssembly.Memory({ initial: 2, maximum: 1024, shared: true });
    const main = start(file, memory, 0);
    console.log(say(0, main));
    for (const thread of [1, 2]) {
        const worker = new Worker(new URL(import.meta.url), { workerData: { file, memory, thread } });
        console.log(await new Promise((said, failed) => worker.once('message', said).once('error', failed)));
    }
    console.log(`thread 0 again: bump ${main.bump(0)}, shared ${main.shared()}`);
} else {
    const { file, memory, thread } = workerData;
    parentPort.postMessage(say(thread, start(file, memory, thread)));
}
