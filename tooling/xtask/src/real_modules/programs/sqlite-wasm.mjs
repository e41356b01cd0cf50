// The same database by its makers' own binding: a table, full-text search, aggregates, JSON.

import { ensure, stream, text } from "../support.mjs";

export default async (packages) => {
    const { default: init } = await packages.import("@sqlite.org/sqlite-wasm/dist/node.mjs");
    const sqlite3 = await init();
    return {
        work() {
            const db = new sqlite3.oo1.DB(":memory:");
            const ask = (sql) => db.exec({ sql, returnValue: "resultRows" });
            db.exec("CREATE TABLE line (id INTEGER PRIMARY KEY, body TEXT, weight REAL)");
            const insert = db.prepare("INSERT INTO line (body, weight) VALUES (?, ?)");
            const next = stream(11);
            db.exec("BEGIN");
            const lines = text(200000, 3).split("\n");
            for (const line of lines) {
                insert.bind([line, next(1000) / 16]).stepReset();
            }
            db.exec("COMMIT");
            insert.finalize();
            db.exec("CREATE VIRTUAL TABLE found USING fts5(body); INSERT INTO found SELECT body FROM line");
            const [[count]] = ask("SELECT count(*) FROM line");
            ensure(count === lines.length, "that all lines are in the table");
            const answers = {
                search: ask("SELECT rowid, round(bm25(found), 9), snippet(found, 0, '[', ']', '…', 5) FROM found WHERE found MATCH 'river AND garden' ORDER BY 2, 1 LIMIT 50"),
                weights: ask("SELECT substr(body, -3), count(*), sum(weight) FROM line GROUP BY 1 HAVING count(*) > 20 ORDER BY 2 DESC, 1"),
                json: ask("SELECT json_group_array(json_object('i', id, 'w', weight)) FROM line WHERE id < 50"),
                numbers: ask("SELECT round(exp(weight / 10), 6), round(sin(id), 9), weight % 3 FROM line LIMIT 200"),
                glob: ask("SELECT count(*) FROM line WHERE body GLOB '*[0-9] window*'"),
            };
            db.close();
            return answers;
        },
    };
};
