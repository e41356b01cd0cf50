//! Which compiler a command takes.

use super::{Fixture, OUTPUT, ready};
use crate::support::{Output, Project};
use std::fs;
use std::process::Command;
use wasm_toolchain::rustc_wasm::{self, Standing};

/// What `cargo wasm` with these words says of the compiler it takes.
fn chosen(fixture: &Fixture, words: &[&str], variable: Option<&str>) -> String {
    let mut command = fixture.project.cargo_wasm(words.iter().copied());
    command
        .arg("--verbose")
        .arg("--target-dir")
        .arg(fixture.target());
    with_variable(&mut command, variable);
    let said = Output::of(&mut command).succeeded().stderr;
    let line = said
        .lines()
        .find_map(|line| line.trim_start().strip_prefix("Compiler "));
    line.unwrap_or_else(|| panic!("no word of the compiler in\n{said}"))
        .to_owned()
}

fn with_variable(command: &mut Command, variable: Option<&str>) {
    match variable {
        Some(value) => command.env("WASMRUST_FRONTEND", value),
        None => command.env_remove("WASMRUST_FRONTEND"),
    };
}

#[test]
fn dev_builds_take_it_and_all_others_the_stock_rustc() {
    let Some(fixture) = Fixture::new("chosen") else {
        return;
    };
    let is = |words: &[&str], variable, compiler: &str| {
        let said = chosen(&fixture, words, variable);
        assert!(said.starts_with(compiler), "{words:?} {variable:?}: {said}");
    };
    is(&["build"], None, "rustc-wasm");
    is(&["check"], None, "rustc-wasm");
    is(&["run"], None, "rustc-wasm");
    is(&["check", "--release"], None, "stock rustc");
    is(&["check", "--release"], Some("rustc-wasm"), "stock rustc");
    is(&["check"], Some("stock"), "stock rustc");
    is(
        &["check", "--frontend", "rustc-wasm"],
        Some("stock"),
        "rustc-wasm",
    );
    is(
        &["check", "--frontend", "stock"],
        Some("rustc-wasm"),
        "stock rustc",
    );
    let manifest =
        fs::read_to_string(fixture.project.path().join("Cargo.toml")).expect("a manifest");
    let with = |setting: &str| {
        fixture.project.write(
            "Cargo.toml",
            &format!("{manifest}\n[package.metadata.wasm]\n{setting}\n"),
        );
    };
    with("frontend = \"stock\"");
    is(&["check"], None, "stock rustc");
    with("frontend = \"rustc-wasm\"");
    is(&["check"], None, "rustc-wasm");
    with("wasmir = false");
    is(&["check"], None, "stock rustc");
    with("frontend = \"llvm\"");
    let mut command = fixture.project.cargo_wasm(["check"]);
    with_variable(&mut command, None);
    Output::of(&mut command)
        .exited(1)
        .says(&["metadata.wasm", "llvm", "rustc-wasm"]);
}

#[test]
fn programs_and_tests_run_by_it() {
    let Some(fixture) = Fixture::new("runs") else {
        return;
    };
    let mut command = fixture
        .project
        .cargo_wasm(["run", "--quiet", "--frontend", "rustc-wasm"]);
    let output = Output::of(&mut command).succeeded();
    assert_eq!(output.stdout, OUTPUT);
}

#[test]
fn a_librarys_tests_and_the_examples_of_its_documentation_run() {
    if !ready() {
        return;
    }
    let source = "/// ```\n/// assert_eq!(documented::twice(21), 42);\n/// assert_eq!(format!(\"{:?}\", Some(documented::twice(1))), \"Some(2)\");\n/// ```\n\
                  pub fn twice(n: u32) -> u32 {\n    n * 2\n}\n\n#[test]\nfn twice_two() {\n    assert_eq!(twice(2), 4);\n}\n";
    let project = Project::new("documented", "", &[("src/lib.rs", source)]);
    let mut command = project.cargo_wasm(["test", "--frontend", "rustc-wasm"]);
    let output = Output::of(&mut command).succeeded();
    let ran = output.stdout.matches("test result: ok. 1 passed").count();
    assert_eq!(ran, 2, "{}", output.stdout);
}

#[test]
fn a_variable_that_names_no_compiler_is_wrong_usage() {
    let project = Project::new("misspelt", "", &[("src/main.rs", "fn main() {}\n")]);
    let mut command = project.cargo_wasm(["build"]);
    with_variable(&mut command, Some("rustc-wsam"));
    Output::of(&mut command).exited(2).says(&[
        "WASMRUST_FRONTEND",
        "rustc-wsam",
        "`stock` or `rustc-wasm`",
    ]);
}

#[test]
fn what_it_cannot_compile_is_an_error_that_names_the_other_compiler() {
    if !ready() {
        return;
    }
    let source = "#![feature(asm_experimental_arch)]\nfn main() {\n    unsafe { std::arch::asm!(\"nop\") }\n}\n";
    let project = Project::new("assembles", "", &[("src/main.rs", source)]);
    let mut command = project.cargo_wasm(["build", "--frontend", "rustc-wasm"]);
    command.env("RUSTC_BOOTSTRAP", "1");
    Output::of(&mut command)
        .exited(1)
        .says(&["src/main.rs:3", "help:", "--frontend stock"]);
    assert!(project.artefacts().is_empty());
}

#[test]
fn a_compiler_for_another_rustc_is_never_used() {
    if !ready() {
        return;
    }
    let env = wasm_toolchain::Environment::from_process();
    let rust = wasm_toolchain::discover::find_rust(&env).expect("a rustc");
    let project = Project::new("other", "", &[("src/main.rs", "fn main() {}\n")]);
    // The same rustc, with the words of a later commit.
    let real = rust.rustc.display();
    let other = project.script(
        "rustc",
        &format!(
            "#!/bin/sh\ncase \"$*\" in\n-vV|-Vv) '{real}' -vV | sed -e 's/^\\(rustc [^ ]*\\).*/\\1 (0000000 2027-01-01)/' -e 's/^\\(commit-hash:\\).*/\\1 0000000/' ;;\n*) exec '{real}' \"$@\" ;;\nesac\n"
        ),
    );
    let mut command = project.cargo_wasm(["build", "--frontend", "rustc-wasm"]);
    command
        .env("WASMRUST_RUSTC", &other)
        .env("WASMRUST_CARGO", &rust.cargo);
    Output::of(&mut command).exited(1).says(&[
        "`rustc-wasm`, which `--frontend` asks for, was built from other sources, or for another rustc",
        "cargo wasm setup --rustc-wasm",
        "--frontend stock",
    ]);
}

#[test]
fn the_hosts_version_is_remembered_as_long_as_the_host_is_the_same() {
    if !ready() {
        return;
    }
    let env = wasm_toolchain::Environment::from_process();
    let rust = wasm_toolchain::discover::find_rust(&env).expect("a rustc");
    let standing = rustc_wasm::standing(&env, &rust, false).expect("a cache folder");
    let Standing::Ready(made) = standing else {
        panic!("{standing:?}")
    };
    // The compiler in a folder of its own, with another host.
    let project = Project::new("host", "", &[]);
    let host = project.script("bin/host", "#!/bin/sh\necho \"asked $*\"\n");
    let program = host.with_file_name("rustc-wasm");
    if fs::hard_link(&made.rustc, &program).is_err() {
        fs::copy(&made.rustc, &program).expect("the compiler can be copied");
    }
    let library = made.rustc.parent().expect("a folder").with_file_name("lib");
    if library.is_dir() {
        std::os::unix::fs::symlink(library, project.path().join("lib")).expect("links");
    }
    let says = |stamp: &str, words: &[&str]| {
        let text = format!("{}\n{stamp}\nremembered\n", host.display());
        project.write("bin/host-rustc", &text);
        let said = Output::of(Command::new(&program).args(words)).succeeded();
        said.stdout.lines().next().unwrap_or_default().to_owned()
    };
    let metadata = fs::metadata(&host).expect("it was written");
    let modified = metadata.modified().expect("files have times");
    let modified = modified
        .duration_since(std::time::UNIX_EPOCH)
        .expect("after 1970");
    let stamp = format!("{} {}", metadata.len(), modified.as_nanos());
    assert_eq!(says(&stamp, &["-vV"]), "remembered");
    assert_eq!(
        says(&stamp, &["--print", "sysroot"]),
        "asked --print sysroot"
    );
    assert_eq!(says("1 1", &["-vV"]), "asked -vV");
    assert_eq!(says("", &["-Vv"]), "asked -Vv");
}
