// Parses JavaScript from nothing and again after an edit, and asks the tree; the grammar is a module of its own, linked at run time.

import { ensure, digest, javascript } from "../support.mjs";

export default async (packages) => {
    const { Parser, Language, Query } = await packages.import("web-tree-sitter/web-tree-sitter.js");
    await Parser.init({ locateFile: (file) => packages.path(`web-tree-sitter/${file}`) });
    const language = await Language.load(packages.read("tree-sitter-javascript/tree-sitter-javascript.wasm"));
    const parser = new Parser();
    parser.setLanguage(language);
    const query = new Query(language, "(class_declaration name: (identifier) @class) (method_definition name: (_) @method) (number) @number");
    const source = javascript(60, 5);
    const broken = source.replace("switch (", "switch [");
    return {
        work() {
            const tree = parser.parse(source);
            ensure(!tree.rootNode.hasError && tree.rootNode.endIndex === source.length, "that all of the source is parsed");
            const captures = query.captures(tree.rootNode).map(({ name, node }) => [name, node.startIndex, node.text]);
            const at = source.indexOf("switch (") + 7;
            const row = source.slice(0, at).split("\n").length - 1;
            const column = at - source.lastIndexOf("\n", at) - 1;
            tree.edit({
                startIndex: at,
                oldEndIndex: at + 1,
                newEndIndex: at + 1,
                startPosition: { row, column },
                oldEndPosition: { row, column: column + 1 },
                newEndPosition: { row, column: column + 1 },
            });
            const edited = parser.parse(broken, tree);
            ensure(edited.rootNode.hasError, "that the fault is found");
            const answers = {
                tree: digest(tree.rootNode.toString()),
                captures,
                edited: digest(edited.rootNode.toString()),
                changed: tree.getChangedRanges(edited).map(({ startIndex, endIndex }) => [startIndex, endIndex]),
            };
            edited.delete();
            tree.delete();
            return answers;
        },
    };
};
