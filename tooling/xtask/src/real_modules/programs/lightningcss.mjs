// Minifies a style sheet and lowers it for old browsers.

import { ensure, stream } from "../support.mjs";

function sheet(rules, seed) {
    const next = stream(seed);
    let css = "@import url('x.css') screen;\n:root { --main: color-mix(in oklab, red 30%, blue); }\n";
    for (let i = 0; i < rules; i++) {
        css += `.a${next(400)} > .b${i}:is(:hover, :focus-visible) {
  color: rgb(${next(256)} ${next(256)} ${next(256)} / ${next(100)}%); margin: ${next(9)}px ${next(9)}px ${next(9)}px ${next(9)}px;
  width: calc(100% - (2 * ${next(50)}px + ${next(5)}em)); background: linear-gradient(to right, #ff${next(10)}${next(10)}00 0%, lab(5${next(10)}% 40 ${next(90)}) 50%);
  &.nested { inset-inline: ${next(20)}px; transform: translate(${next(9)}px, 0) rotate(${next(360)}deg); }
  @media (width >= ${next(900)}px) { display: flex; transition: opacity .${next(9)}s ease-in-out, color 1${next(9)}0ms; }
}
@keyframes k${i} { from { opacity: 0.${next(9)} } 50.0% { opacity: 1.0 } }
`;
    }
    return css;
}

export default async (packages) => {
    const css = await packages.import("lightningcss-wasm/wasm-node.mjs");
    const code = Buffer.from(sheet(250, 6));
    const run = (options) => {
        const { code: out, map, exports } = css.transform({ filename: "a.css", code, ...options });
        // The exports stand in a table with a random order.
        return [Buffer.from(out).toString(), map ? Buffer.from(map).toString() : null, Object.entries(exports ?? {}).sort()];
    };
    return {
        work() {
            const answers = {
                pretty: run({}),
                minified: run({ minify: true, sourceMap: true }),
                lowered: run({ minify: true, targets: { chrome: 80 << 16, safari: 13 << 16, firefox: 70 << 16 } }),
                modules: run({ cssModules: true }),
            };
            ensure(answers.minified[0].length < code.length * 0.9, "that the minified sheet is shorter");
            let message = null;
            try {
                run({ code: Buffer.from("a { color: ") , errorRecovery: false, targets: { ie: 11 << 16 } });
            } catch (error) {
                message = String(error.message);
            }
            answers.error = [message];
            return answers;
        },
    };
};
