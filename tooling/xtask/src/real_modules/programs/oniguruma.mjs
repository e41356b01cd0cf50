// Scans text for the patterns of a grammar, as an editor's highlighter does.

import { ensure, javascript } from "../support.mjs";

export default async (packages) => {
    const onig = packages.require("vscode-oniguruma");
    const wasm = packages.read("vscode-oniguruma/release/onig.wasm");
    await onig.loadWASM({ data: new Uint8Array(wasm) });
    const scanner = onig.createOnigScanner([
        "\\b(class|extends|static|return|const|for|switch|case|default)\\b",
        "(?<name>[_$\\p{L}][\\p{L}\\d_$]*)\\s*(?=\\()",
        "\\b\\d+(\\.\\d+)?(?:[eE][+-]?\\d+)?\\b",
        "([\"'`])(?:\\\\.|(?!\\1).)*+\\1",
        "//.*$",
        "(?<!\\.)\\.\\.\\.|=>|\\?\\?|[-+*/%=<>!&|^~?:]+",
        "(?i:ERROR)",
        "\\G\\s+",
        "(?<paren>\\((?:[^()]|\\g<paren>)*\\))",
    ]);
    const source = javascript(25, 9);
    const lines = source.split("\n");
    return {
        work() {
            const counts = {};
            const found = [];
            for (const [number, line] of lines.entries()) {
                const string = onig.createOnigString(line);
                for (let at = 0; at <= line.length; ) {
                    const match = scanner.findNextMatchSync(string, at);
                    if (!match) break;
                    const [{ start, end }] = match.captureIndices;
                    counts[match.index] = (counts[match.index] ?? 0) + 1;
                    found.push([number, match.index, start, end, match.captureIndices.length]);
                    at = Math.max(end, at + 1);
                }
                string.dispose();
            }
            ensure(counts[0] >= source.match(/\b(class|extends|static)\b/g).length / 2, "that words are found");
            return { counts, found };
        },
    };
};
