// Compresses text at several levels, with and without a dictionary, and decompresses it.

import { digest, ensure, text } from "../support.mjs";

export default async (packages) => {
    const zstd = packages.require("@bokuweb/zstd-wasm");
    await zstd.init();
    const input = Buffer.from(text(600000, 2));
    const dictionary = Buffer.from(text(20000, 4));
    return {
        work() {
            const answers = {};
            for (const level of [1, 7, 15]) {
                const small = zstd.compress(input, level);
                ensure(input.equals(zstd.decompress(small)), "that decompression gives the input back");
                answers[`level ${level}`] = [small.length, digest(small)];
            }
            const context = zstd.createCCtx();
            const small = zstd.compressUsingDict(context, input, dictionary, 5);
            const back = zstd.createDCtx();
            ensure(input.equals(zstd.decompressUsingDict(back, small, dictionary)), "that the dictionary serves both ways");
            zstd.freeCCtx?.(context);
            zstd.freeDCtx?.(back);
            answers.dictionary = [small.length, digest(small)];
            return answers;
        },
    };
};
