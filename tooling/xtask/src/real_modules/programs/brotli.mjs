// Compresses text at several levels and decompresses it; Node's own decompressor must agree.

import { brotliDecompressSync } from "node:zlib";
import { digest, ensure, text } from "../support.mjs";

export default async (packages) => {
    const brotli = packages.require("brotli-wasm");
    const input = Buffer.from(text(300000, 1));
    return {
        work() {
            const answers = {};
            for (const quality of [1, 5, 9]) {
                const small = brotli.compress(input, { quality });
                ensure(brotliDecompressSync(small).equals(input), "that another decompressor gives the input back");
                ensure(input.equals(brotli.decompress(small)), "that decompression gives the input back");
                answers[`level ${quality}`] = [small.length, digest(small)];
            }
            return answers;
        },
    };
};
