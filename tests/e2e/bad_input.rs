//! What goes wrong for users: each case gives one clear message with the cause and the next step, the right exit code,
//! no panic and no artefact that looks finished.

use crate::support::{Output, Project, cargo_wasm, set_up};
use std::fs;
use std::process::Command;

#[test]
fn a_crate_that_does_not_compile_keeps_rustcs_own_words() {
    set_up();
    let project = Project::new(
        "broken",
        "",
        &[("src/main.rs", "fn main() { let x: u32 = \"text\"; }\n")],
    );
    let output = Output::of(&mut project.cargo_wasm(["build"])).exited(1);
    output.says(&["error[E0308]", "src/main.rs:1"]);
    assert!(project.artefacts().is_empty());
}

#[test]
fn an_unsupported_type_in_an_export_is_named_at_its_place() {
    set_up();
    let source = "use std::collections::HashMap;\n#[wasm::export]\npub fn count(words: HashMap<String, u32>) -> u32 { words.len() as u32 }\n";
    let project = Project::guest("unsupported", source);
    let output = Output::of(&mut project.cargo_wasm(["build"])).exited(1);
    output.says(&["HashMap<String, u32>", "src/lib.rs:3"]);
    assert!(project.artefacts().is_empty());
}

#[test]
fn a_wit_syntax_error_points_into_the_macro() {
    set_up();
    let source = "wasm::wit! {\n    package demo:bad;\n    interface things {\n        frobnicate: fnc(x: u32) -> u32;\n    }\n    world bad { export things; }\n}\n";
    let project = Project::guest_with("bad-wit", &["wit"], source);
    let output = Output::of(&mut project.cargo_wasm(["build"])).exited(1);
    output.says(&["src/lib.rs:4"]);
}

#[test]
fn two_exports_of_one_name_are_refused() {
    set_up();
    let source = "mod a {\n    #[wasm::export]\n    pub fn same() -> u32 { 1 }\n}\nmod b {\n    #[wasm::export]\n    pub fn same() -> u32 { 2 }\n}\n";
    let project = Project::guest("clash", source);
    let output = Output::of(&mut project.cargo_wasm(["build"])).exited(1);
    output.says(&["same"]);
}

#[test]
fn an_unknown_export_is_answered_with_those_that_exist() {
    set_up();
    let source = "#[wasm::export]\npub fn double(x: u32) -> u32 { x * 2 }\n";
    let project = Project::guest("doubler", source);
    Output::of(&mut project.cargo_wasm(["run", "--", "--invoke", "double(21)"]))
        .succeeded()
        .prints(&["42"]);
    Output::of(&mut project.cargo_wasm(["run", "--", "--invoke", "duoble(21)"]))
        .exited(1)
        .says(&["duoble", "double"]);
    Output::of(&mut project.cargo_wasm(["run", "--", "--invoke", "double(\"x\")"]))
        .exited(1)
        .says(&["u32"]);
    Output::of(&mut project.cargo_wasm(["run", "--", "--invoke", "double(1, 2)"]))
        .exited(1)
        .says(&["double"]);
    Output::of(&mut project.cargo_wasm(["run", "--", "--invoke", "double(21"]))
        .exited(1)
        .says(&["double"]);
}

#[test]
fn a_file_that_is_not_wasm_is_refused() {
    let project = Project::new(
        "files",
        "",
        &[("a.wasm", "hello"), ("b.wasm", "\0asm\u{1}\0\0\0\u{7}")],
    );
    for name in ["a.wasm", "b.wasm"] {
        let file = project.path().join(name);
        for command in ["inspect", "componentize"] {
            let output = Output::of(
                cargo_wasm()
                    .arg(command)
                    .arg(&file)
                    .current_dir(project.path()),
            )
            .exited(1);
            output.says(&[name]);
        }
    }
    assert_eq!(project.artefacts().len(), 0, "nothing new under target/");
}

#[test]
fn a_target_folder_that_cannot_be_written_is_named() {
    set_up();
    let project = Project::new(
        "nowhere",
        "",
        &[
            ("src/main.rs", "fn main() {}\n"),
            ("taken", "a file, not a folder\n"),
        ],
    );
    let output = Output::of(&mut project.cargo_wasm(["build", "--target-dir", "taken/target"]));
    assert_ne!(output.code, Some(0));
    output.says(&[
        "the target folder `taken/target` cannot be made",
        "--target-dir",
    ]);
}

#[test]
fn a_full_disk_leaves_no_half_artefact() {
    set_up();
    let project = Project::new(
        "full",
        "",
        &[("src/main.rs", "fn main() { println!(\"{}\", 1); }\n")],
    );
    // Files are limited to 64 KiB: what a full disk does, without one.
    let mut command = Command::new("bash");
    command
        .arg("-c")
        .arg("trap '' XFSZ; ulimit -f 64; exec \"$@\"")
        .arg("bash")
        .arg(env!("CARGO_BIN_EXE_cargo-wasm"));
    command
        .arg("build")
        .env("WASMRUST_FRONTEND", "stock")
        .current_dir(project.path())
        .env("NO_COLOR", "1");
    let output = Output::of(&mut command);
    assert_ne!(output.code, Some(0));
    output.says(&["error"]);
    for artefact in project.artefacts() {
        assert!(
            !artefact.parent().is_some_and(|p| p.ends_with("debug")),
            "{} looks finished",
            artefact.display()
        );
    }
    Output::of(&mut project.cargo_wasm(["run", "--quiet"]))
        .succeeded()
        .prints(&["1"]);
}

#[test]
fn a_missing_tool_is_named_with_the_command_that_brings_it() {
    let home = tempfile::tempdir().expect("a temporary folder");
    let mut command = cargo_wasm();
    // A machine with nothing on it: no PATH but an empty folder, no rustup, an empty cache.
    command
        .arg("doctor")
        .env("PATH", home.path())
        .env("HOME", home.path())
        .env("WASMRUST_HOME", home.path().join("cache"));
    command
        .env("RUSTUP_HOME", home.path().join("rustup"))
        .env("CARGO_HOME", home.path().join("cargo"));
    command.env("WASMRUST_SEARCH_ROOT", home.path());
    let output = Output::of(&mut command).exited(1);
    assert!(output.stdout.contains("rustc"), "{}", output.stdout);
}

#[test]
fn a_corrupt_cache_is_noticed_and_mended() {
    set_up();
    let project = Project::new(
        "mended",
        "",
        &[("src/main.rs", "fn main() { println!(\"mended\"); }\n")],
    );
    let home = tempfile::tempdir().expect("a temporary folder");
    // An interrupted set-up leaves a folder without its completion stamp.
    fs::create_dir_all(home.path().join("sysroots/half-made")).expect("folders can be made");
    let mut command = project.cargo_wasm(["run", "--quiet", "--setup"]);
    command.env("WASMRUST_HOME", home.path());
    Output::of(&mut command).succeeded().prints(&["mended"]);
    // Damage what was made: every library is cut short.
    let mut folders = vec![home.path().to_path_buf()];
    let mut cut = 0;
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("readable").flatten() {
            let path = entry.path();
            // Links lead to the real toolchain, which is nobody's to damage.
            let kind = entry.file_type().expect("a kind");
            if kind.is_dir() {
                folders.push(path);
            } else if kind.is_file() && path.extension().is_some_and(|e| e == "rlib") {
                fs::write(&path, b"cut").expect("writable");
                cut += 1;
            }
        }
    }
    assert!(cut > 0, "the set-up made libraries");
    project.write("src/main.rs", "fn main() { println!(\"mended again\"); }\n");
    let mut command = project.cargo_wasm(["run", "--quiet", "--setup"]);
    command.env("WASMRUST_HOME", home.path());
    Output::of(&mut command)
        .succeeded()
        .prints(&["mended again"]);
}
