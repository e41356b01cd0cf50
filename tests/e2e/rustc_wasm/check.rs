//! `cargo wasm check`: rustc's own words, and no code.

use super::{Fixture, files};
use crate::support::Output;
use std::path::{Path, PathBuf};

/// Mistakes that rustc finds at different stages: names, types, borrows, a lint, and an error of constant evaluation.
const WRONG: [&str; 5] = [
    "fn main() {\n    let x = missing::name();\n}\n",
    "fn main() {\n    let x: u32 = \"text\";\n    let y: String = part::of(1);\n}\n",
    "fn main() {\n    let a = String::new();\n    let b = a;\n    println!(\"{a}{b}\");\n    let mut v = vec![1];\n    for x in &v {\n        v.push(*x);\n    }\n}\n",
    "fn main() {\n    let unused = 1;\n    let mut never_changed = 2;\n    println!(\"{never_changed}\");\n}\nfn nobody_calls() {}\n",
    "const N: usize = [1, 2][5];\nfn main() {\n    println!(\"{N}\");\n}\n",
];

#[test]
fn the_words_are_those_of_the_stock_compiler() {
    let Some(fixture) = Fixture::new("words") else {
        return;
    };
    for source in WRONG {
        fixture.project.write("src/main.rs", source);
        let said = |frontend: &str| {
            let words = ["check", "--message-format", "json", "--frontend", frontend];
            let mut command = fixture.project.cargo_wasm(words);
            command.arg("--target-dir").arg(fixture.target());
            let output = Output::of(&mut command);
            let messages = output
                .stdout
                .lines()
                .filter(|line| line.contains("\"compiler-message\""));
            let messages: Vec<String> = messages.map(str::to_owned).collect();
            (output.code, messages)
        };
        let (ours, stock) = (said("rustc-wasm"), said("stock"));
        assert!(
            !stock.1.is_empty(),
            "rustc has something to say of\n{source}"
        );
        assert_eq!(ours, stock, "of\n{source}");
    }
}

#[test]
fn nothing_is_compiled() {
    let Some(fixture) = Fixture::new("checked") else {
        return;
    };
    let mut command = fixture.project.cargo_wasm([
        "check",
        "--frontend",
        "rustc-wasm",
        "--timings",
        "--message-format",
        "json",
    ]);
    command.arg("--target-dir").arg(fixture.target());
    Output::of(&mut command).succeeded();
    let deps = fixture.target().join("wasm32-wasip1/debug/deps");
    assert_eq!(
        files(&deps, "rmeta").len(),
        2,
        "what later crates need to be checked"
    );
    let made = below(fixture.target());
    let code = |path: &&PathBuf| {
        let name = path.to_string_lossy();
        [".wasm", ".rlib", ".o", ".a"]
            .iter()
            .any(|end| name.ends_with(end))
            || name.contains("wasmir-bodies")
    };
    let code: Vec<_> = made.iter().filter(code).collect();
    assert!(code.is_empty(), "{code:?}");
    // What is checked is not built, and what is built afterwards is whole.
    Output::of(&mut fixture.build()).succeeded();
    fixture.bytes();
}

/// All files below a folder.
fn below(folder: &Path) -> Vec<PathBuf> {
    let (mut files, mut folders) = (Vec::new(), vec![folder.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
            let path = entry.path();
            match path.is_dir() {
                true => folders.push(path),
                false => files.push(path),
            }
        }
    }
    files
}
