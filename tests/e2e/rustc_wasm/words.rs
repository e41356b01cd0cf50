//! What the compiler says to a user's mistakes, all of it. `cargo xtask conformance` runs the long suites.

use super::ready;
use xtask::ui;

#[test]
fn a_users_mistakes_are_answered_as_recorded() {
    if !ready() {
        return;
    }
    let options = ui::Options {
        cargo_wasm: Some(env!("CARGO_BIN_EXE_cargo-wasm").into()),
        ..ui::Options::default()
    };
    let report = ui::run(&options).expect("the cases can be compiled");
    assert!(
        report.wrong.is_empty(),
        "{} of {} cases:\n{}",
        report.wrong.len(),
        report.cases,
        report.wrong.join("\n")
    );
    assert!(report.cases > 100, "{}", report.cases);
}
