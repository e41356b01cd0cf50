//! What the macros say to a user's mistakes.
//!
//! Each `tests/ui/NAME.rs` is compiled as a crate of its own against this one, and what rustc says is compared with `NAME.stderr`.
//! To accept what it says now, run the test with `BLESS=1`. A file whose name begins with `ok-` must compile without a word.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The library with every feature, built into the folder of the running test.
fn library(target: &Path) -> PathBuf {
    let output = Command::new(env!("CARGO"))
        .args([
            "build",
            "--package",
            "wasm",
            "--features",
            "wit",
            "--message-format",
            "json",
            "--target-dir",
        ])
        .arg(target)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo runs");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let messages = String::from_utf8(output.stdout).expect("JSON is UTF-8");
    let built = messages
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .find_map(|message| {
            let is_library =
                message["reason"] == "compiler-artifact" && message["target"]["name"] == "wasm";
            is_library.then(|| message["filenames"][0].as_str().map(PathBuf::from))?
        });
    built.expect("cargo names the library it built")
}

/// What rustc says about a case.
fn compile(case: &Path, library: &Path, target: &Path) -> String {
    let (succeeded, text) = rustc(case, library, target);
    assert_eq!(
        succeeded,
        !text.contains("error"),
        "{}: {text}",
        case.display()
    );
    text
}

/// Whether a case compiles, and what rustc says about it.
fn rustc(case: &Path, library: &Path, target: &Path) -> (bool, String) {
    // A name of its own, for tests run at the same time.
    let name = case
        .file_stem()
        .and_then(OsStr::to_str)
        .expect("a UTF-8 name")
        .replace('-', "_");
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let mut dependency = std::ffi::OsString::from("dependency=");
    dependency.push(target.join("debug/deps"));
    let mut wasm = std::ffi::OsString::from("wasm=");
    wasm.push(library);
    let output = Command::new(rustc)
        .args([
            "--edition=2024",
            "--crate-type=lib",
            &format!("--crate-name={name}"),
            "--emit=metadata",
            "--color=never",
            "--out-dir",
        ])
        .arg(env!("CARGO_TARGET_TMPDIR"))
        .args([OsStr::new("-L"), &dependency, OsStr::new("--extern"), &wasm])
        .arg(case.file_name().expect("a file"))
        .current_dir(case.parent().expect("in a folder"))
        .env("CARGO_PKG_NAME", "case")
        .env("CARGO_PKG_VERSION", "0.1.0")
        .env_remove("RUSTFLAGS")
        .output()
        .expect("rustc runs");
    let text = String::from_utf8(output.stderr).expect("rustc writes UTF-8");
    let text: String = text
        .lines()
        .map(|line| without_place(line) + "\n")
        .collect();
    (output.status.success(), text)
}

/// A line without the parts that change when this crate or the standard library does.
fn without_place(line: &str) -> String {
    let line = &line.replacen(" ::: ", " --> ", 1);
    match line.split_once("--> ") {
        Some((arrow, place)) if place.contains("/library/") => format!("{arrow}--> $RUST"),
        Some((arrow, place)) if place.contains('/') => {
            let file = place.split(':').next().unwrap_or(place);
            format!("{arrow}--> {file}")
        }
        _ => line.to_owned(),
    }
}

#[test]
fn mistakes_are_answered_at_their_place() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/ui");
    let target = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .parent()
        .expect("inside the target folder");
    let library = library(target);
    let bless = std::env::var_os("BLESS").is_some();
    let mut cases: Vec<PathBuf> = std::fs::read_dir(&here)
        .expect("the folder of cases")
        .map(|entry| entry.expect("a readable entry").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .collect();
    cases.sort();
    assert!(cases.len() > 20, "the cases are there");
    let mut wrong = String::new();
    for case in &cases {
        let said = compile(case, &library, target);
        let name = case
            .file_stem()
            .and_then(OsStr::to_str)
            .expect("a UTF-8 name");
        let expected_file = case.with_extension("stderr");
        if name.starts_with("ok-") {
            if !said.is_empty() {
                wrong += &format!("--- {name} must compile:\n{said}\n");
            }
            continue;
        }
        assert!(said.contains("error"), "{name} must not compile");
        if bless {
            std::fs::write(&expected_file, &said).expect("the folder is writable");
            continue;
        }
        let expected = std::fs::read_to_string(&expected_file).unwrap_or_default();
        if said != expected {
            wrong += &format!("--- {name}: expected\n{expected}\n--- but rustc says\n{said}\n");
        }
    }
    assert!(
        wrong.is_empty(),
        "{wrong}\nhelp: if this is right, run again with BLESS=1"
    );
}

#[test]
fn the_guides_examples_compile() {
    let guide = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/guide/components.md");
    let guide = std::fs::read_to_string(guide).expect("the guide is there");
    let target = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .parent()
        .expect("inside the target folder");
    let library = library(target);
    let examples: Vec<&str> = guide
        .split("```rust\n")
        .skip(1)
        .map(|rest| rest.split("```").next().unwrap_or(rest))
        .collect();
    assert!(examples.len() >= 5, "the guide has examples");
    for (index, example) in examples.iter().enumerate() {
        let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("guide-{index}.rs"));
        std::fs::write(&file, example).expect("a writable folder");
        let (succeeded, said) = rustc(&file, &library, target);
        assert!(succeeded, "{example}\n{said}");
    }
}
