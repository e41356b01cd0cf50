//! The pass that brings reference types: what becomes of a module, and what it refuses.
//!
//! `tests/externref/NAME.wir` is a module; `NAME.out` is what the pass makes of it. `BLESS=1` writes the latter anew.

use std::path::Path;
use wasmir::passes::externref::{self, Problem, Stats};
use wasmir::{Module, Type, parse_module, print_module, verify_module};

fn module(text: &str) -> Module {
    let module = parse_module(text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    verify_module(&module).expect("a valid module");
    module
}

#[test]
fn imports_over_slots_become_imports_over_references() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/externref");
    let text = std::fs::read_to_string(folder.join("dom.wir")).expect("the module is there");
    let mut module = module(&text);
    let stats = externref::run(&mut module).expect("well-formed imports");
    let expected = Stats {
        operators: 4,
        imports: 5,
    };
    assert_eq!(stats, expected);
    if let Err(errors) = verify_module(&module) {
        let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
        panic!("{}\n{}", errors.join("\n"), print_module(&module));
    }
    let printed = print_module(&module).to_string();
    let file = folder.join("dom.out");
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&file, &printed).expect("a writable folder");
    }
    assert_eq!(
        printed,
        std::fs::read_to_string(&file).unwrap_or_default(),
        "help: if this is right, run again with BLESS=1"
    );
    // Nothing asks for anything any more.
    let again = externref::run(&mut module).expect("nothing to do");
    assert_eq!(again, Stats::default());
    assert_eq!(print_module(&module).to_string(), printed);
}

/// What the pass says of a module with one import, over some signature.
fn refused(ty: &str, module_name: &str, name: &str) -> (Problem, String) {
    let text = format!(
        "wasmir 1\ntype type0 = func{ty}\nfunc %f type0 undefined import \"{module_name}\" \"{name}\"\n"
    );
    let mut module = module(&text);
    let before = module.clone();
    let errors = externref::run(&mut module).expect_err("a malformed import");
    assert_eq!(module, before, "unchanged");
    assert_eq!(errors.len(), 1);
    (errors[0].problem.clone(), errors[0].to_string())
}

#[test]
fn malformed_imports_are_named() {
    let (problem, text) = refused("(i32) -> ()", "wasmrust:ref", "shrink");
    assert_eq!(problem, Problem::Unknown);
    assert_eq!(
        text,
        "the import `shrink` of `wasmrust:ref` is none of `clear`, `copy`, `grow` and `is-null`"
    );
    for name in [
        "wasmrust:ref",
        "wasmrust:reference",
        "wasmrust:ref/",
        "wasmrust:ref/rv/append",
        "wasmrust:ref/rx>v/append",
        "wasmrust:ref/r>/append",
        "wasmrust:ref/r>rr/append",
        "wasmrust:ref/r>v",
    ] {
        assert_eq!(
            refused("(i32) -> ()", "dom", name).0,
            Problem::Name,
            "{name}"
        );
    }
    let slot = Some(Type::I32);
    for (ty, name, expected) in [
        ("(i32) -> ()", "wasmrust:ref/rr>-/f", vec![slot, slot]),
        ("(i64) -> ()", "wasmrust:ref/r>-/f", vec![slot]),
        ("(i64) -> (i32)", "wasmrust:ref/v>r/f", vec![None, slot]),
        (
            "(i64, i32) -> (i32)",
            "wasmrust:ref/v>r/f",
            vec![None, slot],
        ),
        ("(i32) -> (i32)", "wasmrust:ref/r>-/f", vec![slot]),
        ("(i32) -> ()", "wasmrust:ref/r>v/f", vec![slot]),
        ("() -> (i32, i32)", "wasmrust:ref/>v/f", vec![]),
    ] {
        assert_eq!(
            refused(ty, "dom", name).0,
            Problem::Type { expected },
            "{ty} {name}"
        );
    }
    let (_, text) = refused("(f32, i32) -> (i32)", "dom", "wasmrust:ref/vr>r/f");
    assert_eq!(
        text,
        "the import `wasmrust:ref/vr>r/f` of `dom` does not have the parameters that its name says: (_ i32 i32), and the result it says"
    );
    let (problem, _) = refused("(i64) -> (i32)", "wasmrust:ref", "grow");
    assert_eq!(
        problem,
        Problem::Type {
            expected: vec![slot]
        }
    );
}

#[test]
fn every_malformed_import_is_reported() {
    let text = "wasmir 1\ntype type0 = func() -> ()\n\
        func %f type0 undefined import \"wasmrust:ref\" \"a\"\nfunc %g type0 undefined import \"wasmrust:ref\" \"clear\"\n\
        func %h type0 undefined import \"env\" \"fine\"\n";
    let errors = externref::run(&mut module(text)).expect_err("malformed imports");
    assert_eq!(errors.len(), 2);
}

#[test]
fn other_modules_stay_as_they_are() {
    let text =
        "wasmir 1\ntype type0 = func() -> ()\nfunc %h type0 undefined import \"env\" \"a/r>v/b\"\n";
    let mut given = module(text);
    let before = given.clone();
    assert_eq!(externref::run(&mut given), Ok(Stats::default()));
    assert_eq!(given, before);
}
