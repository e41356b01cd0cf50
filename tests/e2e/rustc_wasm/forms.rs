//! What is written beside the module, and what a build says of its time.

use super::{Fixture, OUTPUT};
use crate::support::{Output, validated};
use std::fs;

#[test]
fn every_form_of_the_program_can_be_seen() {
    let Some(fixture) = Fixture::new("forms") else {
        return;
    };
    let build = |forms: &str| {
        let words = ["build", "--frontend", "rustc-wasm", "--emit", forms];
        let mut command = fixture.project.cargo_wasm(words);
        command.arg("--target-dir").arg(fixture.target());
        Output::of(&mut command).succeeded()
    };
    build("mir,wir,clif,wat,core");
    let read = |suffix: &str| {
        let path = fixture
            .target()
            .join("wasm/debug")
            .join(format!("forms.{suffix}"));
        fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
    };
    let mir = read("mir");
    assert!(
        mir.contains("fn main() -> ()"),
        "the program's own functions\n{mir}"
    );
    assert!(
        mir.contains("of(") && !mir.contains("fn of("),
        "calls of others, not their bodies\n{mir}"
    );
    let wir = wasmir::parse_module(&read("wir")).expect("WasmIR can be read back");
    wasmir::verify_module(&wir).expect("it is valid");
    assert!(wir.exports.iter().any(|export| export.name == "_start"));
    let clif = read("clif");
    assert!(clif.contains("; forms::main\n"), "functions are named");
    assert!(clif.matches("\nfunction u0:").count() > 10);
    // What was built, as text.
    assert!(read("wat").starts_with("(component"));
    validated(&fixture.target().join("wasm/debug/forms.core.wasm"));
    // Alone, and again after somebody removed it, though Cargo has nothing to do.
    let file = fixture.target().join("wasm/debug/forms.mir");
    fs::remove_file(&file).expect("the MIR can be removed");
    build("mir").says(&["forms.mir (MIR, "]);
    assert_eq!(read("mir"), mir);
}

#[test]
fn the_stock_compilers_mir_can_be_seen_too() {
    let Some(fixture) = Fixture::new("stock-mir") else {
        return;
    };
    let words = ["build", "--frontend", "stock", "--emit", "mir,component"];
    Output::of(&mut fixture.project.cargo_wasm(words)).succeeded();
    let folder = fixture.project.path().join("target/wasm/debug");
    let mir = fs::read_to_string(folder.join("stock-mir.mir")).expect("MIR is written");
    assert!(mir.contains("fn main() -> ()"), "{mir}");
    validated(&folder.join("stock-mir.wasm"));
}

#[test]
fn timings_look_into_the_compilers_and_the_linker() {
    let Some(fixture) = Fixture::new("timed-inside") else {
        return;
    };
    let mut command = fixture.build();
    command.arg("--timings");
    let output = Output::of(&mut command).succeeded().says(&[
        " cargo ",
        " front end ",
        " code generation ",
        " read ",
        " reach ",
        " passes ",
        " emit ",
        " write ",
    ]);
    // Both crates of ours are named.
    output.says(&[" part ", " timed_inside "]);
    fixture.unlink();
    let mut command = fixture.build();
    command.args(["--timings", "--message-format", "json"]);
    let output = Output::of(&mut command).succeeded();
    let messages: Vec<serde_json::Value> = output
        .stdout
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect();
    let seconds = |stage: &str| {
        let of = |m: &&serde_json::Value| m["reason"] == "wasm-stage" && m["stage"] == stage;
        let message = messages
            .iter()
            .find(of)
            .unwrap_or_else(|| panic!("no stage {stage}"));
        message["seconds"].as_f64().expect("a number")
    };
    assert!(seconds("front end") > 0.0 && seconds("passes") > 0.0);
    assert!(
        messages
            .iter()
            .any(|m| m["stage"] == "emit" && m["part_of"] == "cargo")
    );
    let crates: Vec<_> = messages
        .iter()
        .filter(|m| m["reason"] == "wasm-crate")
        .collect();
    // The dependency was fresh.
    assert_eq!(crates.len(), 1, "{crates:?}");
    assert_eq!(crates[0]["name"], "timed_inside");
    assert!(crates[0]["front_end"].as_f64().is_some_and(|s| s > 0.0));
}

#[test]
fn a_trap_names_file_and_line() {
    let Some(fixture) = Fixture::new("traps") else {
        return;
    };
    let culprit = "#[inline(never)]\nfn culprit(values: &[u32], i: usize) -> u32 {\n    values[i]\n}\nfn main() {\n    println!(\"{}\", culprit(&[1], std::env::args().count() + 8));\n}\n";
    fixture.project.write("src/main.rs", culprit);
    let mut command = fixture
        .project
        .cargo_wasm(["run", "--quiet", "--frontend", "rustc-wasm"]);
    Output::of(&mut command)
        .exited(134)
        .says(&["index out of bounds", "src/main.rs:3:5"]);
    fixture.project.write("src/main.rs", super::MAIN);
    let mut command = fixture
        .project
        .cargo_wasm(["run", "--quiet", "--frontend", "rustc-wasm"]);
    assert_eq!(Output::of(&mut command).succeeded().stdout, OUTPUT);
}
