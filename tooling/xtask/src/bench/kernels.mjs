// Times every kernel of two modules in turn, in one process: `node kernels.mjs OURS PEER ROUNDS`.
// Prints JSON: { kernel: [[ours, peer], …] } in milliseconds. Answers that differ are an error.
import { readFileSync } from "node:fs";

const SIZES = { sieve: 3000, matmul: 250, nbody: 200000, sha256: 4000, sort: 1500, words: 5000, mandelbrot: 600, dispatch: 8000 };
const [ours, peer, rounds] = process.argv.slice(2);
const load = async (path) => (await WebAssembly.instantiate(readFileSync(path), {})).instance.exports;
const modules = [await load(ours), await load(peer)];

const result = {};
for (const [kernel, size] of Object.entries(SIZES)) {
  const time = (module) => {
    const start = performance.now();
    const answer = module[kernel](size);
    return [performance.now() - start, answer];
  };
  result[kernel] = [];
  // The first round warms up: engines compile hot code again while it runs.
  for (let round = 0; round <= rounds; round++) {
    const order = round % 2 === 0 ? [0, 1] : [1, 0];
    const pair = [];
    const answers = order.map((side) => {
      const [milliseconds, answer] = time(modules[side]);
      pair[side] = milliseconds;
      return answer;
    });
    if (answers[0] !== answers[1]) throw new Error(`${kernel}: ${answers[0]} is not ${answers[1]}`);
    if (round > 0) result[kernel].push(pair);
  }
}
console.log(JSON.stringify(result));
