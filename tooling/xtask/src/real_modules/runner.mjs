// Runs one program and tells what it answered and how long its work took.
//
// `node runner.mjs PROGRAM ROOT ROUNDS` loads PROGRAM with the packages below ROOT and prints one line of JSON: `answers` and `times`
// (milliseconds, one per round, after a second of warming up: the engine optimises what runs long).
//
// A program is a module whose default export takes a `Packages` and gives `{ work, end? }`. `work()` does the same work whenever it
// is called, and gives its answers as an object; `end()` frees what would keep the process running.

import { pathToFileURL } from "node:url";
import { ensure, Packages } from "./support.mjs";

const [program, root, rounds] = process.argv.slice(2);
const report = process.stdout.write.bind(process.stdout);
// What packages print is no part of the report.
process.stdout.write = process.stderr.write.bind(process.stderr);

// JSON has no word for these, and would take them for null.
const exact = (_, value) =>
    value === undefined || typeof value === "bigint" || (typeof value === "number" && (!Number.isFinite(value) || Object.is(value, -0)))
        ? `${typeof value} ${Object.is(value, -0) ? "-0" : value}`
        : ArrayBuffer.isView(value)
          ? Array.from(value)
          : value;

const { default: start } = await import(pathToFileURL(program).href);
const { work, end } = await start(new Packages(root));
const time = async () => {
    const from = performance.now();
    await work();
    return performance.now() - from;
};
const answers = JSON.stringify(await work(), exact);
for (let spent = 0, i = 0; i < 100 && spent < 1000; i++) {
    spent += await time();
}
const times = [];
for (let round = 0; round < Number(rounds); round++) {
    times.push(await time());
}
ensure(JSON.stringify(await work(), exact) === answers, "that the last answers are the first ones");
await end?.();
// Workers and timers of packages must not keep the process.
report(`{"answers":${answers},"times":${JSON.stringify(times)}}\n`, () => process.exit(0));
