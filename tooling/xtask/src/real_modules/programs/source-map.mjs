// Reads a source map and asks where generated code comes from.

import { ensure, stream } from "../support.mjs";

export default async (packages) => {
    const { SourceMapConsumer, SourceMapGenerator } = packages.require("source-map");
    const generator = new SourceMapGenerator({ file: "out.js" });
    const next = stream(15);
    for (let line = 1; line <= 3000; line++) {
        for (let column = next(5); column < 100; column += 3 + next(20)) {
            const original = { line: 1 + next(4000), column: next(120) };
            generator.addMapping({ generated: { line, column }, original, source: `s${next(9)}.js`, name: next(3) ? undefined : `n${next(50)}` });
        }
    }
    const map = generator.toString();
    return {
        work: () =>
            SourceMapConsumer.with(map, null, (consumer) => {
                const next = stream(16);
                const answers = { originals: [], generated: [] };
                for (let i = 0; i < 3000; i++) {
                    const found = consumer.originalPositionFor({ line: 1 + next(3000), column: next(110) });
                    answers.originals.push(found);
                    if (found.source) {
                        answers.generated.push(consumer.allGeneratedPositionsFor({ source: found.source, line: found.line, column: found.column }));
                    }
                }
                ensure(answers.generated.length > 2000 && answers.generated.every((all) => all.length > 0), "that the way back exists");
                return answers;
            }),
    };
};
