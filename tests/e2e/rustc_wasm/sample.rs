//! A sample of the conformance suites that is short enough for every change: `cargo xtask conformance` runs them whole, against
//! LLVM. Programs run in our runner, for a machine need not have Node.

use super::ready;
use xtask::conformance::{Options, sample};

/// The cases of a suite whose names contain `only`.
#[track_caller]
fn passes(suite: &str, only: Option<&str>, least: usize) {
    if !ready() {
        return;
    }
    let work = tempfile::tempdir().expect("a temporary folder");
    let options = Options {
        suite: Some(suite.to_owned()),
        only: only.map(str::to_owned),
        work: Some(work.path().to_owned()),
        runner: Some(env!("CARGO_BIN_EXE_cargo-wasm").into()),
        ..Options::default()
    };
    let sample = sample(&options).expect("the suite can run");
    assert!(sample.wrong.is_empty(), "{}", sample.wrong.join("\n"));
    assert!(sample.passed >= least, "{}", sample.passed);
}

#[test]
fn every_program_prints_what_it_has_to() {
    // Those with C in them need a clang.
    passes("programs", None, 17);
}

#[test]
fn generated_programs_print_what_llvms_print() {
    passes("generated", Some("seeds-0-19"), 20);
}
