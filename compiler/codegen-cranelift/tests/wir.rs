//! File tests: each `tests/wir/*.wir` is verified, emitted, validated and compared with the WAT of its functions recorded
//! in its comments (lines that begin with `;=`).
//!
//! `BLESS=1 cargo test -p codegen-cranelift --test wir` records the WAT anew. What the operators mean is proved by the
//! official test suite; these files show what each lowering looks like.

use codegen_cranelift::{Options, emit_module};
use std::path::Path;

/// The functions of a module as text, each line a comment.
fn functions_of(wat: &str) -> String {
    let body = wat.lines().skip_while(|l| !l.starts_with("  (func"));
    let end = |l: &&str| {
        l.starts_with("  ") && (l.starts_with("  (func") || !l.starts_with("  (")) || *l == "  )"
    };
    body.take_while(end).map(|l| format!(";= {l}\n")).collect()
}

fn outcome(text: &str) -> String {
    let module = wasmir::parse_module(text).unwrap_or_else(|e| panic!("{e}"));
    wasmir::verify_module(&module).unwrap_or_else(|e| panic!("{e:?}"));
    match emit_module(&module, &Options::default()) {
        Ok(bytes) => {
            wasmparser::validate(&bytes).unwrap_or_else(|e| panic!("{e}"));
            functions_of(&wasmprinter::print_bytes(&bytes).expect("a valid module prints"))
        }
        Err(error) => format!(";= error: {error}\n"),
    }
}

#[test]
fn files() {
    let bless = std::env::var_os("BLESS").is_some();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/wir");
    let mut paths: Vec<_> = std::fs::read_dir(&folder)
        .expect("the folder is there")
        .map(|entry| entry.expect("it can be listed").path())
        .filter(|path| path.extension().is_some_and(|e| e == "wir"))
        .collect();
    paths.sort();
    let mut failures = String::new();
    for path in paths {
        let text = std::fs::read_to_string(&path).expect("the file can be read");
        let lines = |recorded: bool| -> String {
            text.lines()
                .filter(|l| l.starts_with(";=") == recorded)
                .map(|l| format!("{l}\n"))
                .collect()
        };
        let (source, recorded) = (lines(false), lines(true));
        let now = outcome(&source);
        if bless {
            std::fs::write(&path, format!("{source}{now}")).expect("the file can be written");
        } else if recorded != now {
            failures += &format!(
                "{}: output differs\n--- recorded\n{recorded}--- now\n{now}",
                path.display()
            );
        }
    }
    assert!(failures.is_empty(), "{failures}");
}

/// What the file shows, executed: both ways through the handler, with both halves.
#[test]
fn an_i128_survives_a_handler() {
    use wasmtime::{Config, Engine, Instance, Module, Store};
    let text = include_str!("wir/handlers-i128.wir");
    let module = wasmir::parse_module(text).unwrap_or_else(|e| panic!("{e}"));
    let wasm = emit_module(&module, &Options::default()).unwrap_or_else(|e| panic!("{e}"));
    let mut config = Config::new();
    config.wasm_exceptions(true);
    let engine = Engine::new(&config).expect("exceptions are known");
    let module = Module::new(&engine, &wasm).expect("it is valid");
    let mut store = Store::new(&engine, ());
    let instance = Instance::new(&mut store, &module, &[]).expect("nothing is imported");
    let run = instance
        .get_typed_func::<(i64, i64), (i64, i64)>(&mut store, "run")
        .expect("it is exported");
    let value = |low: u64, high: u64| i128::from(low) | i128::from(high) << 64;
    for (low, high) in [
        (6, 7),
        (7, 6),
        (u64::MAX, 1 << 63),
        (0, u64::MAX),
        (1 << 63 | 1, 0),
    ] {
        let (l, h) = run
            .call(&mut store, (low as i64, high as i64))
            .expect("it returns");
        // What is odd is thrown, caught and doubled.
        let expected = value(low, high).wrapping_mul(1 + i128::from(low & 1));
        assert_eq!(value(l as u64, h as u64), expected, "{low} {high}");
    }
}
