//! The examples, built and run as their ReadMes say, and compared with the same code run natively.

use crate::support::{Output, Project, cargo_wasm, root, set_up, shared_target, validated};
use std::process::Command;

/// `cargo wasm run examples/NAME -- ARGUMENTS`, in the shared target folder.
fn run(name: &str, arguments: &[&str]) -> Command {
    set_up();
    let mut command = cargo_wasm();
    command
        .current_dir(root())
        .args(["run", "--quiet"])
        .arg(format!("examples/{name}"));
    command
        .arg("--target-dir")
        .arg(shared_target())
        .arg("--")
        .args(arguments);
    command
}

/// The same program as an ordinary host binary.
fn native(name: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO"));
    command
        .args(["run", "--quiet", "--manifest-path"])
        .arg(root().join("examples").join(name).join("Cargo.toml"));
    command
        .arg("--target-dir")
        .arg(shared_target().join("native"))
        .arg("--")
        .args(arguments);
    command.env_remove("CARGO_TARGET_DIR");
    command
}

/// A host program that links an example's library and prints what `expression` gives, so that the guest's answers have something to be
/// held against that shares no part of the component path.
fn native_library(name: &str, expression: &str, input: &str) -> String {
    let dependency = format!(
        "{name} = {{ path = {:?} }}",
        root().join("examples").join(name)
    );
    let source = format!(
        "use std::io::Read;\nfn main() {{\n    let mut input = String::new();\n    std::io::stdin().read_to_string(&mut input).unwrap();\n    let _ = &input;\n    print!(\"{{}}\", {expression});\n}}\n"
    );
    let project = Project::new(
        &format!("native-{name}"),
        &dependency,
        &[("src/main.rs", &source)],
    );
    let mut command = Command::new(env!("CARGO"));
    command
        .args(["run", "--quiet", "--target-dir"])
        .arg(shared_target().join("native"))
        .current_dir(project.path());
    Output::fed(&mut command, input).succeeded().stdout
}

#[test]
fn hello_greets_as_it_does_natively() {
    let guest = Output::of(&mut run("hello", &[])).succeeded();
    let host = Output::of(&mut native("hello", &[])).succeeded();
    assert_eq!(guest.stdout, host.stdout);
    assert!(!guest.stdout.is_empty());
}

#[test]
fn wordcount_counts_standard_input_as_it_does_natively() {
    let text = "one two  three\nfour\n\nfünf 😀 sechs";
    let guest = Output::fed(&mut run("wordcount", &[]), text).succeeded();
    let host = Output::fed(&mut native("wordcount", &[]), text).succeeded();
    assert_eq!(guest.stdout, host.stdout);
    guest.prints(&["7"]);
}

#[test]
fn wordcount_reads_files_of_the_folder_it_is_given() {
    set_up();
    let project = Project::new(
        "texts",
        "",
        &[("a.txt", "a b c\n"), ("b.txt", "d e\nf g\n")],
    );
    let file = |name: &str| {
        project
            .path()
            .join(name)
            .to_str()
            .expect("UTF-8")
            .to_owned()
    };
    let host = Output::of(&mut native("wordcount", &[&file("a.txt"), &file("b.txt")])).succeeded();
    let mut command = cargo_wasm();
    command
        .current_dir(root())
        .args(["run", "--quiet", "examples/wordcount", "--target-dir"])
        .arg(shared_target());
    command
        .arg("--dir")
        .arg(project.path())
        .arg("--")
        .args([file("a.txt"), file("b.txt")]);
    let guest = Output::of(&mut command).succeeded();
    assert_eq!(guest.stdout, host.stdout);
}

#[test]
fn wordcount_cannot_read_what_it_was_not_given() {
    let project = Project::new("texts", "", &[("a.txt", "a b c\n")]);
    let file = project.path().join("a.txt");
    let refused = Output::of(&mut run("wordcount", &[file.to_str().expect("UTF-8")]));
    assert_ne!(refused.code, Some(0), "{}", refused.stdout);
}

#[test]
fn markdown_renders_the_projects_own_page_as_it_does_natively() {
    let text = std::fs::read_to_string(root().join("ReadMe.md")).expect("the page is there");
    let guest = Output::fed(&mut run("markdown", &["render"]), &text).succeeded();
    let host = native_library("markdown", "markdown::render(input)", &text);
    assert_eq!(guest.stdout.trim_end(), host.trim_end());
    assert!(host.contains("<h1"), "{host}");
}

#[test]
fn keys_hashes_as_it_does_natively() {
    let guest =
        Output::of(&mut run("keys", &["--invoke", "hash-sha256([97, 98, 99])"])).succeeded();
    // SHA-256 of "abc", the test vector of the standard.
    guest.prints(&["186, 120, 22, 191, 143, 1, 207, 234", "242, 0, 21, 173"]);
}

#[test]
fn every_example_is_a_valid_component() {
    set_up();
    for name in ["hello", "wordcount", "markdown", "keys"] {
        let mut command = cargo_wasm();
        command
            .current_dir(root())
            .args(["build", "--quiet", "--message-format", "json"]);
        command
            .arg(format!("examples/{name}"))
            .arg("--target-dir")
            .arg(shared_target());
        let built = Output::of(&mut command).succeeded();
        drop(built);
        let mut command = cargo_wasm();
        command
            .current_dir(root())
            .args(["build"])
            .arg(format!("examples/{name}"));
        command.arg("--target-dir").arg(shared_target());
        let built = Output::of(&mut command).succeeded();
        let last = built
            .stderr
            .lines()
            .last()
            .expect("a last line that names the artefact")
            .to_owned();
        let path = last
            .split_whitespace()
            .find(|word| word.ends_with(".wasm"))
            .unwrap_or_else(|| panic!("{last}"));
        let bytes = validated(&root().join(path));
        assert!(
            wasmparser::Parser::is_component(&bytes),
            "{path} is a component"
        );
    }
}
