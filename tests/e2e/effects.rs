//! What programs do to the world: shown, taken out, and compared with what they declare.

use crate::support::{Output, Project, cargo_wasm, set_up, validated};
use std::path::{Path, PathBuf};

/// Asks for the time only when told to.
const CLOCK: &str = r#"
fn main() {
    match std::env::args().nth(1).as_deref() {
        Some("time") => println!("{}", std::time::SystemTime::now().elapsed().is_ok()),
        _ => println!("timeless"),
    }
}
"#;

/// A library of core exports; `tick` is the host's.
const TICK: &str = r#"
#[link(wasm_import_module = "env")]
unsafe extern "C" {
    fn tick() -> i32;
}

#[unsafe(no_mangle)]
pub extern "C" fn always() -> i32 {
    unsafe { tick() }
}

#[unsafe(no_mangle)]
pub extern "C" fn never(x: i32) -> i32 {
    x.wrapping_mul(3)
}
"#;

fn program(name: &str) -> Project {
    set_up();
    Project::new(name, "", &[("src/main.rs", CLOCK)])
}

fn library(name: &str) -> Project {
    set_up();
    let project = Project::new(name, "", &[("src/lib.rs", TICK)]);
    project.write(
        "Cargo.toml",
        &format!("[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n[lib]\ncrate-type = [\"cdylib\"]\n\n[workspace]\n"),
    );
    project
}

fn imports(file: &Path) -> Vec<String> {
    let bytes = validated(file);
    let mut names = Vec::new();
    for payload in wasmparser::Parser::new(0).parse_all(&bytes) {
        if let wasmparser::Payload::ImportSection(section) = payload.expect("valid") {
            let imports = section.into_imports();
            names.extend(imports.map(|i| i.expect("valid").name.to_owned()));
        }
    }
    names
}

fn core(project: &Project, profile: &str, name: &str) -> PathBuf {
    let file = format!("target/wasm/{profile}/{name}.core.wasm");
    project.path().join(file)
}

#[test]
fn effects_are_shown_with_the_calls_that_lead_to_them() {
    let project = program("clocked");
    Output::of(&mut project.cargo_wasm(["effects"]))
        .succeeded()
        .prints(&["_start", "clock ", "clocked::main", "clock_time_get", "io "]);
    let json = Output::of(&mut project.cargo_wasm(["effects", "--format", "json"])).succeeded();
    let json: serde_json::Value = serde_json::from_str(&json.stdout).expect("JSON");
    let imports = json["imports"].as_array().expect("a list");
    let clock = imports.iter().find(|i| i["name"] == "clock_time_get");
    assert_eq!(clock.expect("it is imported")["effects"][0], "clock");
    // Of a file, too: the module and the component made of it.
    let module = project
        .path()
        .join("target/wasm32-wasip1/debug/clocked.wasm");
    Output::of(cargo_wasm().arg("effects").arg(&module))
        .succeeded()
        .prints(&["clock_time_get"]);
    Output::of(&mut project.cargo_wasm(["build"])).succeeded();
    let component = project.path().join("target/wasm/debug/clocked.wasm");
    Output::of(cargo_wasm().arg("effects").arg(&component))
        .succeeded()
        .prints(&["clock_time_get"]);
}

#[test]
fn what_cannot_be_read_has_no_effects() {
    let project = Project::new("unread", "", &[("a.wasm", "hello")]);
    Output::of(&mut project.cargo_wasm(["effects", "a.wasm"]))
        .exited(1)
        .says(&["a.wasm", "not a WebAssembly file"]);
    Output::of(&mut project.cargo_wasm(["effects", "b.wasm"]))
        .exited(1)
        .says(&["b.wasm"]);
}

#[test]
fn an_effect_is_taken_out_and_its_imports_with_it() {
    let project = program("timeless");
    for profile in ["debug", "release"] {
        let release = (profile == "release").then_some("--release");
        let build = |more: &[&str]| {
            let words = ["build", "--emit", "core", "--no-wasm-opt"]
                .iter()
                .chain(more);
            Output::of(&mut project.cargo_wasm(words.chain(release.iter()))).succeeded();
            imports(&core(&project, profile, "timeless"))
        };
        let before = build(&[]);
        assert!(before.contains(&"clock_time_get".to_owned()), "{before:?}");
        let after = build(&["--without", "clock,net"]);
        assert!(!after.contains(&"clock_time_get".to_owned()), "{after:?}");
        assert!(after.contains(&"fd_write".to_owned()), "{after:?}");

        let run = |word: &str| {
            let words = ["run", "--quiet", "--without", "clock"].iter();
            let words = words.chain(release.iter()).chain(&["--"]);
            Output::of(&mut project.cargo_wasm(words.copied().chain([word])))
        };
        run("no").succeeded().prints(&["timeless"]);
        let trap = run("time");
        assert_ne!(trap.code, Some(0));
        trap.says(&[
            "this build was made without the effect `clock`",
            "wasm_effect_removed::clock",
        ]);
    }
}

#[test]
fn what_an_export_cannot_do_without_is_not_taken_out() {
    let project = library("ticking");
    Output::of(&mut project.cargo_wasm(["build", "--without", "host"]))
        .exited(1)
        .says(&[
            "cannot do without host",
            "`always` needs the effect `host` on every path",
            "env::tick",
            "help:",
        ]);
    assert!(
        !project
            .path()
            .join("target/wasm/debug/ticking.wasm")
            .exists()
    );
    Output::of(&mut project.cargo_wasm(["build", "--without", "clock"])).succeeded();
    Output::of(&mut project.cargo_wasm(["build", "--without", "hots"]))
        .exited(2)
        .says(&["there is no effect `hots`", "js_call, io, fs"]);
    Output::of(&mut project.cargo_wasm(["effects"]))
        .succeeded()
        .prints(&["always", "env::tick", "never: pure"]);
}

#[test]
fn a_declaration_that_does_not_hold_is_an_error_at_its_place() {
    set_up();
    let source = r#"
#[link(wasm_import_module = "env")]
unsafe extern "C" {
    fn tick() -> u32;
}

#[wasm::effect()]
fn quiet() -> u32 {
    unsafe { tick() }
}

#[wasm::effect(net)]
fn calm() -> u32 {
    7
}

#[wasm::export]
pub fn run() -> u32 {
    quiet() + calm()
}
"#;
    let project = Project::guest("declared", source);
    Output::of(&mut project.cargo_wasm(["build"]))
        .exited(1)
        .says(&[
            "declared::quiet` is declared pure but has the effect `host`",
            "src/lib.rs:8:4",
            "env::tick",
            "warning:",
            "declared::calm` declares the effect `net` but does not have it",
            "src/lib.rs:13:4",
        ]);
    assert!(
        !project
            .path()
            .join("target/wasm/debug/declared.wasm")
            .exists()
    );
    let kept = source.replace("effect()", "effect(host)");
    let kept = kept
        .replace("effect(net)", "effect()")
        .replace("unsafe { tick() }", "1");
    let project = Project::guest("kept", &kept);
    let output = Output::of(&mut project.cargo_wasm(["build"])).succeeded();
    assert!(
        output
            .stderr
            .contains("`kept::quiet` declares the effect `host` but does not have it"),
        "{}",
        output.stderr
    );
}

#[test]
fn an_export_of_another_type_than_its_wit_is_named() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut resolve = wit_parser::Resolve::default();
    let wit = "package my:app;\nworld app { export add: func(a: u32, b: u64) -> u64; }\n";
    let package = resolve.push_str("app.wit", wit).expect("good WIT");
    let world = resolve.select_world(&[package], None).expect("one world");
    let wat = "(module (memory (export \"memory\") 1) (func (export \"add\") (param i32 i32) (result i64) i64.const 0))";
    let mut module = wat::parse_str(wat).expect("a module");
    wit_component::embed_component_metadata(
        &mut module,
        &resolve,
        world,
        wit_component::StringEncoding::UTF8,
        false,
    )
    .expect("it can be embedded");
    let file = folder.path().join("app.wasm");
    std::fs::write(&file, module).expect("it can be written");
    Output::of(cargo_wasm().arg("componentize").arg(&file))
        .exited(1)
        .says(&[
            "export `add` does not match its WIT: expected `(i32, i64) -> (i64)`, found `(i32, i32) -> (i64)`",
            "help:",
        ]);
}
