//! The commands and flags of `cargo wasm`, each used once in earnest.

use crate::support::{Output, Project, cargo_wasm, set_up, validated};

#[test]
fn new_build_run_test_and_check_work_in_a_row() {
    set_up();
    let folder = tempfile::tempdir().expect("a temporary folder");
    Output::of(
        cargo_wasm()
            .args(["new", "greeter"])
            .current_dir(folder.path()),
    )
    .succeeded();
    let package = folder.path().join("greeter");
    for command in [
        &["check"][..],
        &["build"],
        &["run"],
        &["test"],
        &["build", "--release"],
    ] {
        Output::of(cargo_wasm().args(command).current_dir(&package)).succeeded();
    }
}

#[test]
fn the_guests_exit_code_is_ours() {
    set_up();
    let project = Project::new(
        "seven",
        "",
        &[("src/main.rs", "fn main() { std::process::exit(7) }\n")],
    );
    Output::of(&mut project.cargo_wasm(["run", "--quiet"])).exited(7);
}

#[test]
fn a_trap_shows_the_functions_that_led_to_it() {
    set_up();
    let source = "#[inline(never)]\nfn culprit(values: &[u32], i: usize) -> u32 { values[i] }\nfn main() { println!(\"{}\", culprit(&[1], std::env::args().count() + 8)); }\n";
    let project = Project::new("trapper", "", &[("src/main.rs", source)]);
    let trap = |more: &[&str]| {
        let words = ["run", "--quiet"].iter().chain(more);
        let output = Output::of(&mut project.cargo_wasm(words));
        assert_ne!(output.code, Some(0));
        output.says(&["index out of bounds"]).stderr
    };
    let as_linked = trap(&["--no-wasmir"]);
    assert!(as_linked.contains("trapper::culprit"), "{as_linked}");
    assert!(as_linked.contains("src/main.rs:2:47\n"), "{as_linked}");
    // Inlined or not: the backtrace has the line that went wrong, in a function of the program.
    let optimised = trap(&[]);
    let frame = optimised.split("0: trapper::").nth(1);
    let place = frame.and_then(|rest| rest.lines().nth(1));
    let place = place.unwrap_or_else(|| panic!("no frame of the program\n{optimised}"));
    assert!(place.ends_with("src/main.rs:2:47"), "{optimised}");
}

#[test]
fn unit_tests_run_inside_wasm() {
    set_up();
    let source = "#[test]\nfn here() { assert!(cfg!(target_arch = \"wasm32\")); }\n#[test]\nfn there() { assert_eq!(size_of::<usize>(), 4); }\n";
    let good = Project::new("tested", "", &[("src/lib.rs", source)]);
    Output::of(&mut good.cargo_wasm(["test"]))
        .succeeded()
        .prints(&["2 passed"]);
    let bad = Project::new(
        "untested",
        "",
        &[(
            "src/lib.rs",
            "#[test]\nfn fails() { assert_eq!(1 + 1, 3) }\n",
        )],
    );
    let output = Output::of(&mut bad.cargo_wasm(["test"]));
    assert_ne!(output.code, Some(0));
}

#[test]
fn a_member_of_a_workspace_is_chosen_as_cargo_chooses_it() {
    set_up();
    let member = |name: &str| {
        format!("[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2024\"\n")
    };
    let project = Project::new("unused", "", &[]);
    project.write(
        "Cargo.toml",
        "[workspace]\nresolver = \"3\"\nmembers = [\"one\", \"two\"]\n",
    );
    for name in ["one", "two"] {
        project.write(&format!("{name}/Cargo.toml"), &member(name));
        project.write(
            &format!("{name}/src/main.rs"),
            &format!("fn main() {{ println!(\"I am {name}\"); }}\n"),
        );
    }
    Output::of(&mut project.cargo_wasm(["run", "--quiet", "-p", "two"]))
        .succeeded()
        .prints(&["I am two"]);
    let mut inside = cargo_wasm();
    inside
        .args(["run", "--quiet"])
        .current_dir(project.path().join("one/src"));
    Output::of(&mut inside).succeeded().prints(&["I am one"]);
    Output::of(&mut project.cargo_wasm(["build", "--workspace"])).succeeded();
    assert!(project.artefacts().len() >= 2);
}

#[test]
fn the_last_line_names_artefact_size_and_time() {
    set_up();
    let project = Project::new("lines", "", &[("src/main.rs", "fn main() {}\n")]);
    let output = Output::of(&mut project.cargo_wasm(["build"])).succeeded();
    let last = output.stderr.lines().last().unwrap_or_default().to_owned();
    assert!(
        last.contains("lines.wasm") && last.contains("KiB") && last.contains('s'),
        "{last}"
    );
    assert!(
        !output.stderr.contains('\u{1b}'),
        "no colour where NO_COLOR is set"
    );
}

#[test]
fn each_form_that_emit_names_is_written_and_valid() {
    set_up();
    let source = "#[wasm::export]\npub fn double(x: u32) -> u32 { x * 2 }\n";
    let project = Project::guest("forms", source);
    Output::of(&mut project.cargo_wasm(["build", "--emit", "core,component,wit,wat"])).succeeded();
    let artefacts = project.artefacts();
    assert!(artefacts.len() >= 2, "{artefacts:?}");
    for artefact in &artefacts {
        validated(artefact);
    }
    let mut wit = None;
    let mut folders = vec![project.path().join("target")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
            if entry.path().is_dir() {
                folders.push(entry.path());
            } else if entry.path().extension().is_some_and(|e| e == "wit") {
                wit = Some(std::fs::read_to_string(entry.path()).expect("readable"));
            }
        }
    }
    let wit = wit.expect("a .wit file is written");
    assert!(wit.contains("double: func(x: u32) -> u32;"), "{wit}");
}

#[test]
fn inspect_shows_imports_exports_and_sizes() {
    set_up();
    let project = Project::guest(
        "looked-at",
        "#[wasm::export]\npub fn double(x: u32) -> u32 { x * 2 }\n",
    );
    let built = Output::of(&mut project.cargo_wasm(["build"])).succeeded();
    drop(built);
    Output::of(&mut project.cargo_wasm(["inspect"]))
        .succeeded()
        .prints(&["double"]);
    let json = Output::of(&mut project.cargo_wasm(["inspect", "--json"]))
        .succeeded()
        .stdout;
    serde_json::from_str::<serde_json::Value>(&json).expect("inspect --json prints JSON");
}

#[test]
fn wrong_usage_is_told_apart_from_a_wrong_program() {
    Output::of(cargo_wasm().arg("--no-such-flag"))
        .exited(2)
        .says(&["--no-such-flag"]);
    Output::of(cargo_wasm().arg("biuld"))
        .exited(2)
        .says(&["biuld"]);
    let empty = tempfile::tempdir().expect("a temporary folder");
    Output::of(cargo_wasm().arg("build").current_dir(empty.path()))
        .exited(1)
        .says(&["Cargo.toml"]);
    for shell in ["bash", "zsh", "fish"] {
        Output::of(cargo_wasm().args(["completions", shell]))
            .succeeded()
            .prints(&["wasm"]);
    }
    Output::of(cargo_wasm().arg("--version"))
        .succeeded()
        .prints(&[env!("CARGO_PKG_VERSION")]);
}
