//! Dev builds through WasmIR: the same answers from less code, in every form, and only when there is something to do.

use crate::support::{Output, Project, set_up, stripped, validated};
use std::fs;
use std::path::PathBuf;

/// A program whose answers depend on iterators, formatting, hashing, sorting and its arguments.
const PROGRAM: &str = r#"
use std::collections::HashMap;

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let mut counts: HashMap<&str, usize> = HashMap::new();
    for word in &words {
        *counts.entry(word).or_default() += 1;
    }
    let mut list: Vec<_> = counts.into_iter().collect();
    list.sort();
    for (word, count) in list {
        println!("{word:>8}: {count} {:.3}", (count as f64).sqrt());
    }
    println!("{} words", words.len());
}
"#;

fn program(name: &str) -> Project {
    set_up();
    Project::new(name, "", &[("src/main.rs", PROGRAM)])
}

fn made(project: &Project, file: &str) -> PathBuf {
    project.path().join("target/wasm/debug").join(file)
}

#[test]
fn a_dev_build_answers_the_same_from_less_code() {
    let project = program("counts");
    let run = |way: &[&str]| {
        let words = ["run", "--quiet"].iter().chain(way);
        let words = words.chain(&["--", "b", "a", "b", "c", "b"]);
        Output::of(&mut project.cargo_wasm(words))
            .succeeded()
            .stdout
    };
    let expected = "       a: 1 1.000\n       b: 3 1.732\n       c: 1 1.000\n5 words\n";
    assert_eq!(run(&[]), expected);
    assert_eq!(run(&["--no-wasmir"]), expected);
    assert_eq!(run(&["--release"]), expected);

    Output::of(&mut project.cargo_wasm(["build", "--emit", "core"])).succeeded();
    let with = stripped(&validated(&made(&project, "counts.core.wasm")));
    Output::of(&mut project.cargo_wasm(["build", "--emit", "core", "--no-wasmir"])).succeeded();
    let without = made(&project, "counts.core.wasm");
    let linked = project
        .path()
        .join("target/wasm32-wasip1/debug/counts.wasm");
    assert!(
        fs::read(&without).unwrap() == fs::read(&linked).unwrap(),
        "--no-wasmir leaves the module as it was linked"
    );
    // Most of it is the standard library, which was compiled with optimisations.
    let without = stripped(&validated(&without));
    assert!(with * 100 <= without * 85, "{with} of {without} bytes");
}

#[test]
fn packages_may_leave_wasmir_out() {
    let project = program("plain");
    let manifest = fs::read_to_string(project.path().join("Cargo.toml")).unwrap();
    let setting = "\n[package.metadata.wasm]\nwasmir = false\n";
    project.write("Cargo.toml", &(manifest + setting));
    let output = Output::of(&mut project.cargo_wasm(["build", "--timings", "--emit", "core"]));
    let output = output.succeeded();
    assert!(!output.stderr.contains("passes"), "{}", output.stderr);
    let linked = project.path().join("target/wasm32-wasip1/debug/plain.wasm");
    assert!(fs::read(made(&project, "plain.core.wasm")).unwrap() == fs::read(linked).unwrap());
}

#[test]
fn forms_of_the_middle_can_be_read() {
    let project = program("middle");
    Output::of(&mut project.cargo_wasm(["build", "--emit", "wir,clif,core"])).succeeded();
    let wir = fs::read_to_string(made(&project, "middle.wir")).expect("WasmIR is written");
    let module = wasmir::parse_module(&wir).expect("WasmIR can be read back");
    wasmir::verify_module(&module).expect("it is valid");
    assert!(module.exports.iter().any(|export| export.name == "_start"));
    let clif = fs::read_to_string(made(&project, "middle.clif")).expect("CLIF is written");
    assert!(clif.contains("; middle::main\n"), "functions are named");
    assert!(clif.matches("\nfunction u0:").count() > 10);
    validated(&made(&project, "middle.core.wasm"));
    // Of a release build the middle is shown, and the artefact left alone.
    Output::of(&mut project.cargo_wasm(["build", "--release", "--emit", "wir,core"])).succeeded();
    let release = project.path().join("target/wasm/release");
    let wir = fs::read_to_string(release.join("middle.wir")).expect("WasmIR is written");
    wasmir::parse_module(&wir).expect("WasmIR can be read back");
}

#[test]
fn timings_are_told_by_stage() {
    let project = program("timed");
    let output = Output::of(&mut project.cargo_wasm(["build", "--timings"])).succeeded();
    output.says(&[
        " cargo ", " lift ", " reach ", " passes ", " emit ", " encode ", " total ",
    ]);
    let mut command = project.cargo_wasm(["build", "--timings", "--message-format", "json"]);
    let output = Output::of(&mut command).succeeded();
    let stages = output
        .stdout
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .filter(|message| message["reason"] == "wasm-stage");
    let stages: Vec<_> = stages.collect();
    assert_eq!(stages[0]["stage"], "cargo");
    assert!(stages[0]["seconds"].as_f64().is_some_and(|s| s > 0.0));
}

#[test]
fn what_was_linked_anew_but_is_the_same_is_not_made_again() {
    let project = program("again");
    let build = || {
        Output::of(&mut project.cargo_wasm(["build"]))
            .succeeded()
            .stderr
    };
    assert!(!build().contains("unchanged"));
    assert!(build().contains("unchanged"), "nothing to do");
    project.write(
        "src/main.rs",
        &format!("{PROGRAM}// A comment changes nothing.\n"),
    );
    let second = build();
    assert!(second.contains("Compiling again"), "{second}");
    assert!(second.contains("unchanged"), "{second}");
    project.write("src/main.rs", &PROGRAM.replace("words\"", "words!\""));
    assert!(!build().contains("unchanged"));
}

#[test]
fn the_number_of_threads_does_not_show() {
    let project = program("threads");
    let mut bytes = Vec::new();
    for threads in ["1", "3"] {
        // Without what the build before left behind.
        let _ = fs::remove_dir_all(project.path().join("target/wasm"));
        let mut command = project.cargo_wasm(["build"]);
        command.env("RAYON_NUM_THREADS", threads);
        Output::of(&mut command).succeeded();
        bytes.push(fs::read(made(&project, "threads.wasm")).unwrap());
    }
    // And from the cache of finished bodies.
    fs::remove_file(made(&project, "threads.wasm")).unwrap();
    Output::of(&mut project.cargo_wasm(["build"])).succeeded();
    bytes.push(fs::read(made(&project, "threads.wasm")).unwrap());
    assert!(bytes[0] == bytes[1] && bytes[1] == bytes[2]);
}
