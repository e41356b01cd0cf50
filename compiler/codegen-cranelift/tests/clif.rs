//! File tests: each `tests/clif/*.clif` is emitted, validated, compared with the WAT recorded in its comments
//! (lines that begin with `;;`), and its `; run:` lines are executed in wasmtime, with the mid-end on and off.
//!
//! `BLESS=1 cargo test -p codegen-cranelift --test clif` records the WAT anew. `; trap: %f(1)` expects a trap.

mod common;

use codegen_cranelift::MidEnd;
use cranelift_reader::{RunCommand, parse_run_command, parse_test};
use std::fmt::Write as _;
use std::path::Path;

fn check(path: &Path, bless: bool, failures: &mut String) {
    let text = std::fs::read_to_string(path).unwrap();
    let source: String = text
        .lines()
        .filter(|l| !l.starts_with(";;"))
        .map(|l| format!("{l}\n"))
        .collect();
    let test = parse_test(&source, cranelift_reader::ParseOptions::default())
        .unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let funcs: Vec<_> = test.functions.iter().map(|(f, _)| f.clone()).collect();
    let mut runs = 0;
    for mid_end in [MidEnd::All, MidEnd::Off] {
        let bytes = common::build(&funcs, mid_end);
        if mid_end == MidEnd::All {
            let wat = functions_of(&wasmprinter::print_bytes(&bytes).unwrap());
            let recorded: String = text
                .lines()
                .filter(|l| l.starts_with(";;"))
                .map(|l| format!("{l}\n"))
                .collect();
            if bless {
                std::fs::write(path, format!("{}\n{wat}", source.trim_end())).unwrap();
            } else if recorded != wat {
                writeln!(
                    failures,
                    "{}: output differs\n--- recorded\n{recorded}--- now\n{wat}",
                    path.display()
                )
                .unwrap();
            }
        }
        let mut running = common::Running::new(&bytes);
        for (func, details) in &test.functions {
            for comment in &details.comments {
                let (text, trap) = match comment
                    .text
                    .trim_start_matches([';', ' '])
                    .strip_prefix("trap:")
                {
                    Some(rest) => (format!("run:{rest} == 0"), true),
                    None => (comment.text.to_owned(), false),
                };
                let sig = &func.signature;
                let command = parse_run_command(&text, sig)
                    .unwrap_or_else(|e| panic!("{}: {e}: {text}", path.display()));
                let Some(command) = command else { continue };
                runs += 1;
                if trap {
                    let RunCommand::Run(call, ..) = &command else {
                        continue;
                    };
                    if let Ok(v) = running.call(&call.func, sig, &call.args) {
                        writeln!(
                            failures,
                            "{}: {call} gave {v:?} instead of a trap",
                            path.display()
                        )
                        .unwrap();
                    }
                } else if let Err(e) = command.run(|name, args| running.call(name, sig, args)) {
                    writeln!(failures, "{} (mid-end: {mid_end:?}): {e}", path.display()).unwrap();
                }
            }
        }
    }
    if runs == 0 {
        writeln!(failures, "{}: no `; run:` line", path.display()).unwrap();
    }
}

/// The functions of a module's text, as comments.
fn functions_of(wat: &str) -> String {
    let mut out = String::new();
    let mut inside = false;
    for line in wat.lines() {
        if line.starts_with("  (func ") {
            inside = true;
        }
        if inside {
            writeln!(out, ";;{}", &line[1..]).unwrap();
        }
        if line == "  )"
            || (line.starts_with("  (func ")
                && line.ends_with(')')
                && line.matches('(').count() == line.matches(')').count())
        {
            inside = false;
        }
    }
    out
}

#[test]
fn files() {
    let bless = std::env::var_os("BLESS").is_some();
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clif");
    let mut paths: Vec<_> = std::fs::read_dir(dir)
        .unwrap()
        .map(|e| e.unwrap().path())
        .collect();
    paths.sort();
    paths.retain(|p| p.extension().is_some_and(|e| e == "clif"));
    assert!(!paths.is_empty());
    let mut failures = String::new();
    for path in paths {
        check(&path, bless, &mut failures);
    }
    assert!(failures.is_empty(), "\n{failures}");
}
