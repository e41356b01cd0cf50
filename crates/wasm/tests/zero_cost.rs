//! What the library adds to optimised code: nothing.
//!
//! `tests/zero-cost/pairs.rs` has each function twice, with the library and without. Optimised by LLVM, both must consist of the same
//! instructions, as many of each, in LLVM's text form; the names of values and the order of independent instructions may differ.

mod support;

use std::collections::BTreeMap;
use std::path::Path;
use support::Library;

/// The instructions of each function of a module in LLVM's text form, sorted; an alias has those of what it stands for.
fn functions(module: &str) -> BTreeMap<String, Vec<String>> {
    let mut bodies = BTreeMap::new();
    let mut aliases = Vec::new();
    let mut lines = module.lines();
    while let Some(line) = lines.next() {
        if line.starts_with("define ") {
            let body = lines.by_ref().take_while(|line| *line != "}");
            let mut body: Vec<String> = body
                .filter(|line| line.starts_with("  "))
                .map(instruction)
                .collect();
            body.sort();
            bodies.insert(name_in(line), body);
        } else if line.starts_with('@') && line.contains(" alias ") {
            let target = line.rsplit('@').next().unwrap_or_default().to_owned();
            aliases.push((name_in(line), target));
        }
    }
    for (alias, target) in aliases {
        if let Some(body) = bodies.get(&target).cloned() {
            bodies.insert(alias, body);
        }
    }
    bodies
}

/// The first name with `@`.
fn name_in(line: &str) -> String {
    let rest = line.split_once('@').map_or("", |(_, rest)| rest);
    rest.chars()
        .take_while(|c| c.is_alphanumeric() || matches!(c, '_' | '.' | '$'))
        .collect()
}

/// An instruction without metadata (`, !noundef !4`), references to attributes (`#3`), and the names of values.
fn instruction(line: &str) -> String {
    let line = line.split(", !").next().unwrap_or(line);
    let mut out = String::new();
    let mut chars = line.trim().chars().peekable();
    while let Some(c) = chars.next() {
        out.push(c);
        if c == '%' && chars.next_if_eq(&'"').is_some() {
            chars.by_ref().find(|c| *c == '"');
        } else if matches!(c, '%' | '#') {
            while chars
                .next_if(|c| c.is_alphanumeric() || matches!(c, '_' | '.' | '$'))
                .is_some()
            {}
        }
    }
    out
}

#[test]
fn optimised_code_is_the_same_with_the_library_and_without() {
    let library = Library::with("wit,linear-guard", "abort");
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/zero-cost/pairs.rs");
    let output = library.compile(
        &program,
        &[
            "--crate-type=lib",
            "--emit=llvm-ir",
            "-Cpanic=abort",
            "-Copt-level=3",
            "-Ccodegen-units=1",
        ],
    );
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let module = Path::new(env!("CARGO_TARGET_TMPDIR")).join("pairs.ll");
    let module = std::fs::read_to_string(module).expect("rustc wrote the module");
    let functions = functions(&module);
    let pairs: Vec<&str> = functions
        .keys()
        .filter_map(|name| name.strip_suffix("_wasm"))
        .collect();
    assert_eq!(
        pairs,
        [
            "bytes", "call", "chunks", "differs", "get", "handle", "load", "loop", "option"
        ]
    );
    for pair in pairs {
        let with = &functions[&format!("{pair}_wasm")];
        let without = &functions[&format!("{pair}_plain")];
        assert!(!without.is_empty(), "{pair} has instructions");
        if pair == "differs" {
            assert_ne!(with, without, "the comparison sees a difference");
        } else {
            assert_eq!(with, without, "{pair}");
        }
    }
}
