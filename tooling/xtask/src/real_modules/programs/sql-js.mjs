// Fills a table, asks for groups, joins, a window and a recursive query, and writes the database out.

import { digest, ensure, stream } from "../support.mjs";

export default async (packages) => {
    const SQL = await packages.require("sql.js")();
    return {
        work() {
            const db = new SQL.Database();
            db.run("CREATE TABLE sale (id INTEGER PRIMARY KEY, shop TEXT, amount REAL, day INTEGER); CREATE INDEX by_shop ON sale (shop, day)");
            const next = stream(7);
            const insert = db.prepare("INSERT INTO sale (shop, amount, day) VALUES (?, ?, ?)");
            db.run("BEGIN");
            let total = 0;
            for (let i = 0; i < 10000; i++) {
                const amount = next(100000) / 8;
                total += amount;
                insert.run([`shop ${next(40)}`, amount, next(365)]);
            }
            db.run("COMMIT");
            insert.free();
            const ask = (sql) => db.exec(sql)[0].values;
            const [[count, sum]] = ask("SELECT count(*), sum(amount) FROM sale");
            ensure(count === 10000 && sum === total, "that the database counts as JavaScript does");
            const answers = {
                groups: ask("SELECT shop, count(*), round(avg(amount), 6), group_concat(id % 7, '') FROM sale GROUP BY shop ORDER BY 3 DESC"),
                join: ask("SELECT a.day, count(*) FROM sale a JOIN sale b ON a.shop = b.shop AND b.day = a.day + 1 GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 30"),
                window: ask("SELECT id, sum(amount) OVER (PARTITION BY shop ORDER BY day, id) FROM sale ORDER BY id LIMIT 400"),
                recursive: ask("WITH RECURSIVE f(n, a, b) AS (SELECT 1, 0, 1 UNION ALL SELECT n + 1, b, a + b FROM f WHERE n < 80) SELECT n, b FROM f"),
                text: ask("SELECT upper(shop), hex(shop), printf('%08.3f|%x|%e', amount, id, amount), json_object('d', day) FROM sale WHERE shop LIKE '%7' ORDER BY id LIMIT 200"),
                plan: ask("EXPLAIN QUERY PLAN SELECT * FROM sale WHERE shop = 'x' ORDER BY day"),
            };
            answers.file = digest(db.export());
            db.close();
            return answers;
        },
    };
};
