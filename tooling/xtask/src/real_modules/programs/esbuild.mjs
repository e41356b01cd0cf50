// Transforms, minifies and bundles JavaScript and TypeScript.

import { ensure, javascript } from "../support.mjs";

export default async (packages) => {
    const esbuild = packages.require("esbuild-wasm");
    const source = javascript(120, 14);
    const typed = "enum Colour { Red = 1, Green = Red << 3 }\nexport const f = <T extends { x: number }>(t: T): number => t.x! + Colour.Green;\nnamespace N { export const y = 2 }\n@dec class A { declare z: string; constructor(private readonly p: number) {} }\nfunction dec(x: any) { return x }\nexport { N, A }";
    return {
        async work() {
            const files = { "a.js": "import { f } from 'b'; import data from './c.json'; console.log(f(data.list), `x${f}`)", "b": source + "\nexport const f = (x) => x.length, unused = () => 1", "./c.json": '{"list": [1, 2, 3]}' };
            const plugin = {
                name: "memory",
                setup(build) {
                    build.onResolve({ filter: /.*/ }, ({ path }) => ({ path, namespace: "memory" }));
                    build.onLoad({ filter: /.*/, namespace: "memory" }, ({ path }) => ({ contents: files[path], loader: path.endsWith("json") ? "json" : "js" }));
                },
            };
            const transform = async (input, options) => {
                const { code, map, warnings } = await esbuild.transform(input, options);
                return [code, map, warnings.map((warning) => warning.text)];
            };
            const answers = {
                minified: await transform(source, { minify: true, sourcemap: true, sourcefile: "a.js" }),
                lowered: await transform(source.replaceAll("await list", "list").replaceAll("async ()", "()"), { target: "es2017" }),
                typed: await transform(typed, { loader: "ts", tsconfigRaw: { compilerOptions: { experimentalDecorators: true } } }),
                error: await esbuild.transform("let x = = 1", {}).catch((error) => error.errors.map(({ text, location }) => [text, location.column])),
            };
            const { outputFiles } = await esbuild.build({ entryPoints: ["a.js"], bundle: true, write: false, plugins: [plugin], minifySyntax: true, format: "iife" });
            answers.bundle = outputFiles[0].text;
            ensure(answers.minified[0].length < source.length && new Function(answers.bundle), "that the bundle is a program, the minified one a short one");
            return answers;
        },
        end: () => esbuild.stop(),
    };
};
