//! A program that is one crate of many lines that people wrote: `sqlparser` (56,000 lines), of which `main` parses what it is given
//! and writes it again.
//!
//! The package is fetched as it was published; its root module becomes that of a program, so that all of it is compiled with the
//! line that is edited.

use std::fs;

use anyhow::{Context, Result};

use super::session::{Project, Session, copy};

const PACKAGE: &str = "sqlparser";
const VERSION: &str = "0.59.0";

/// What the program needs of what the package's own manifest says. Features that are not taken are named all the same: rustc warns at
/// every mention of one that the manifest does not know, nine hundred of them.
const MANIFEST: &str = r#"edition = "2021"

[features]
default = ["std"]
std = []
bigdecimal = []
recursive-protection = []
serde = []
visitor = []

[dependencies]
log = "0.4"
"#;

/// Reads SQL; `--repeat N` says how often it is parsed and written.
const MAIN: &str = r#"
fn main() {
    let mut text = std::string::String::new();
    std::io::Read::read_to_string(&mut std::io::stdin(), &mut text).expect("the input is text");
    let times = std::env::args().nth(2).map_or(1, |n| n.parse::<u32>().expect("a number"));
    let mut written = 0;
    for _ in 0..times {
        let statements = parser::Parser::parse_sql(&dialect::GenericDialect {}, &text);
        let statements = statements.expect("the input is SQL");
        written += statements.iter().map(|s| std::string::ToString::to_string(s).len()).sum::<usize>();
    }
    std::println!("{written} bytes");
}
"#;

/// What it is given.
pub(super) const INPUT: &str = "\
SELECT a.id, b.title, COUNT(*) AS n FROM accounts AS a JOIN books b ON a.id = b.owner
  WHERE a.made > '2020-01-01' AND (b.price BETWEEN 1 AND 2.5 OR b.title LIKE '%wasm%')
  GROUP BY a.id, b.title HAVING COUNT(*) > 3 ORDER BY n DESC LIMIT 10;
INSERT INTO logs (at, level, message) VALUES (now(), 'info', 'started'), (now(), 'warn', CONCAT('x', 1 + 2 * 3));
CREATE TABLE t (id BIGINT PRIMARY KEY, name VARCHAR(40) NOT NULL DEFAULT '', FOREIGN KEY (id) REFERENCES u (id));
WITH RECURSIVE r (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < 100)
  SELECT SUM(n) OVER (PARTITION BY n % 3 ORDER BY n ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) FROM r;
UPDATE t SET v = CASE WHEN v > 3 THEN v * 2 WHEN v IS NULL THEN 0 ELSE v END
  WHERE id IN (SELECT id FROM u WHERE EXISTS (SELECT 1 FROM w WHERE w.id = u.id));
";

/// The program, ready to be built.
pub(super) fn project(session: &Session, name: &str) -> Result<Project> {
    let package = session.published(PACKAGE, VERSION)?;
    let root = fs::read_to_string(package.join("src/lib.rs"))
        .with_context(|| format!("`{PACKAGE}` has no root module"))?;
    let project = session.written(name, MANIFEST, &format!("{root}{MAIN}"))?;
    let folder = project.folder().join("src");
    copy(&package.join("src"), &folder)?;
    fs::remove_file(folder.join("lib.rs")).context("cannot remove the root module's copy")?;
    Ok(project)
}
