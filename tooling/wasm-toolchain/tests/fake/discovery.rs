//! What is found on machines of many kinds, each made of fake tools in a temporary folder.

use crate::machine::Machine;
use wasm_toolchain::discover::{Origin, find_linker, find_rust, find_wasi_libc, find_wasm_opt};
use wasm_toolchain::{Error, State, Target, doctor, missing};

#[test]
fn an_empty_machine_is_told_what_to_do() {
    let machine = Machine::new();
    let error = find_rust(&machine.env()).unwrap_err();
    assert!(matches!(error, Error::NoRustc { .. }), "{error}");
    let hint = error.hint().unwrap();
    assert!(
        hint.contains("cargo wasm setup --yes") && hint.contains("rustup toolchain install 1.96.0"),
        "{hint}"
    );
    assert_eq!(missing(&machine.env()).len(), 1);
    // Everything that a build will need is named at once, not only what is missing first.
    let findings = doctor(&machine.env());
    for name in [
        "rustc",
        "linker",
        "library source",
        "wasi-libc",
        "std for wasm32-unknown-unknown",
        "std for wasm32-wasip1",
    ] {
        assert!(
            findings
                .iter()
                .any(|f| f.name == name && f.state == State::Missing && f.remedy.is_some()),
            "{name}: {findings:?}"
        );
    }
}

#[test]
fn a_rustup_toolchain_with_targets_needs_nothing_else() {
    let machine = Machine::distribution();
    let at = "rustup/toolchains/1.96.0-x86_64-unknown-linux-gnu";
    machine.rust(at, "1.96.0");
    for target in Target::ALL {
        machine.target(at, target.triple());
    }
    let rust = find_rust(&machine.env()).unwrap();
    assert_eq!(
        rust.origin,
        Origin::Rustup("1.96.0-x86_64-unknown-linux-gnu".into())
    );
    assert!(rust.has_target(Target::WasiP1));
    assert_eq!(missing(&machine.env()), Vec::<String>::new());
}

#[test]
fn a_bare_rustup_toolchain_yields_to_a_distribution_that_can_be_completed() {
    let machine = Machine::distribution();
    machine.rust(
        "rustup/toolchains/1.96.0-x86_64-unknown-linux-gnu",
        "1.96.0",
    );
    assert_eq!(
        find_rust(&machine.env()).unwrap().origin,
        Origin::Distribution
    );
    // With the library's source both can be completed; the user's own toolchain goes first.
    machine.source("rustup/toolchains/1.96.0-x86_64-unknown-linux-gnu");
    assert!(matches!(
        find_rust(&machine.env()).unwrap().origin,
        Origin::Rustup(_)
    ));
}

#[test]
fn other_releases_are_named_and_passed_over() {
    let machine = Machine::new();
    machine.rust(
        "rustup/toolchains/stable-x86_64-unknown-linux-gnu",
        "1.95.0",
    );
    machine.rust(
        "rustup/toolchains/nightly-x86_64-unknown-linux-gnu",
        "1.97.0-nightly",
    );
    machine.rust(
        "rustup/toolchains/1.95.0-x86_64-unknown-linux-gnu",
        "1.95.0",
    );
    let error = find_rust(&machine.env()).unwrap_err().to_string();
    assert!(
        error.contains("stable-x86_64") && error.contains("1.95.0"),
        "{error}"
    );
    // Folders that say by their name that they are another release were not even asked.
    assert_eq!(machine.rustc_runs(), 1);
}

#[test]
fn rustups_proxies_are_not_mistaken_for_compilers() {
    let machine = Machine::new();
    machine.script("path/rustup", "exit 0");
    machine.script("path/rustc", "exit 1");
    assert!(matches!(
        find_rust(&machine.env()),
        Err(Error::NoRustc { .. })
    ));
    let elsewhere = Machine::new();
    elsewhere.rust("opt", "1.96.0");
    let env = elsewhere.env_with(&[("PATH", &elsewhere.path("opt/bin"))]);
    assert_eq!(find_rust(&env).unwrap().origin, Origin::Path);
}

#[test]
fn what_the_user_names_goes_first_and_must_work() {
    let machine = Machine::distribution();
    machine.rust("mine", "1.96.1");
    let mine = machine.path("mine/bin/rustc");
    let rust = find_rust(&machine.env_with(&[("WASMRUST_RUSTC", &mine)])).unwrap();
    assert_eq!(
        (rust.rustc.as_path(), rust.version.release.as_str()),
        (mine.as_path(), "1.96.1")
    );
    machine.script("broken", "echo not a compiler");
    let error =
        find_rust(&machine.env_with(&[("WASMRUST_RUSTC", &machine.path("broken"))])).unwrap_err();
    assert!(matches!(error, Error::BadOverride { .. }), "{error}");
    let error =
        find_rust(&machine.env_with(&[("WASMRUST_RUSTC", &machine.path("nowhere"))])).unwrap_err();
    assert!(error.to_string().contains("nowhere"), "{error}");
}

#[test]
fn a_compiler_without_cargo_is_reported_as_such() {
    let machine = Machine::new();
    machine.rust("usr", "1.96.0");
    std::fs::remove_file(machine.path("usr/bin/cargo")).unwrap();
    assert!(matches!(
        find_rust(&machine.env()),
        Err(Error::NoCargo { .. })
    ));
}

#[test]
fn linker_libc_and_optimiser_are_found_where_they_usually_are() {
    let machine = Machine::new();
    assert_eq!(find_linker(&machine.env(), None), None);
    assert_eq!(find_wasi_libc(&machine.env()), None);
    assert_eq!(find_wasm_opt(&machine.env()), None);
    machine.script("usr/bin/lld-22", "exit 0");
    assert_eq!(
        find_linker(&machine.env(), None).unwrap().origin,
        Origin::Distribution
    );
    machine.linker("rustup/toolchains/stable-x86_64-unknown-linux-gnu");
    assert!(matches!(
        find_linker(&machine.env(), None).unwrap().origin,
        Origin::Rustup(_)
    ));
    machine.wasi_libc("usr/lib/wasm32-wasi");
    assert_eq!(
        find_wasi_libc(&machine.env()).unwrap().path,
        machine.path("usr/lib/wasm32-wasi")
    );
    machine.script("path/wasm-opt", "exit 0");
    assert_eq!(find_wasm_opt(&machine.env()).unwrap().origin, Origin::Path);
    let named = machine.env_with(&[("WASMRUST_WASI_LIBC", &machine.path("home"))]);
    assert_eq!(
        find_wasi_libc(&named),
        None,
        "a folder without `libc.a` is no wasi-libc, whoever names it"
    );
}

#[test]
fn a_version_is_asked_for_once() {
    let machine = Machine::distribution();
    let runs = |expected: usize| {
        find_rust(&machine.env()).unwrap();
        assert_eq!(machine.rustc_runs(), expected);
    };
    runs(1);
    runs(1);
    // Another executable in its place, or a damaged memory, and it is asked again.
    machine.rust("usr", "1.96.0");
    runs(2);
    machine.write("cache/rustc-versions.json", "{ not json");
    runs(3);
}

#[test]
fn the_parts_that_are_missing_are_all_named_at_once() {
    let machine = Machine::new();
    machine.rust("usr", "1.96.0");
    let missing = missing(&machine.env()).join("; ");
    for part in ["source", "wasi-libc", "linker"] {
        assert!(missing.contains(part), "{missing}");
    }
}
