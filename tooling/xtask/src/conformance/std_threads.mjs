// std_threads.mjs PROGRAM: runs `std_threads` in five threads of Node at once, on one memory.
import { readFileSync } from 'node:fs';
import { Worker, isMainThread, workerData, parentPort } from 'node:worker_threads';

const STACK = 1 << 17;

function start(file, memory) {
    const module = new WebAssembly.Module(readFileSync(file));
    return new WebAssembly.Instance(module, { env: { memory } }).exports;
}

if (isMainThread) {
    const file = process.argv[2];
    const memory = new WebAssembly.Memory({ initial: 64, maximum: 1024, shared: true });
    const main = start(file, memory);
    const thread = (name) => {
        // Each thread has its stack, and its own thread-local data behind it.
        const stack = main.block(STACK + main.__tls_size.value + 64) + 63 & ~63;
        const worker = new Worker(new URL(import.meta.url), { workerData: { file, memory, stack, name } });
        return new Promise((said, failed) => worker.once('message', said).once('error', failed));
    };
    const said = await Promise.all([thread(0), thread(1), thread(2), thread(3)]);
    said.forEach((line) => console.log(line));
    console.log(`pushed ${main.pushed()}, calls ${main.calls()}, initialised ${main.initialised()}`);
    console.log(`thread 0: ${main.work(0, 0)}`);
} else {
    const { file, memory, stack, name } = workerData;
    const exports = start(file, memory);
    exports.__stack_pointer.value = stack + STACK;
    exports.__wasm_init_tls(stack + STACK);
    parentPort.postMessage(name === 0
        ? `a thread that waited: ${exports.wait()}`
        : `thread ${name}: ${exports.work(name, 20000)}`);
}
