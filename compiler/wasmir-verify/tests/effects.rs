//! Effects of the programs in `tests/effects`: `.wat` or `.wir` in, the tree and the findings out.
//!
//! `BLESS=1` writes the expectations anew.

use std::fmt::Write as _;
use std::path::Path;

use wasmir_verify::{Options, Report, check, declare, infer};

fn load(path: &Path) -> wasmir::Module {
    let text = std::fs::read_to_string(path).unwrap();
    if path.extension().is_some_and(|extension| extension == "wir") {
        return wasmir::parse_module(&text)
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    }
    let wasm = wat::parse_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    wasmir_lift::lift(&wasm).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn describe(module: &wasmir::Module) -> String {
    let mut module = module.clone();
    let mut options = Options::default();
    let declared = declare(&mut module, &mut options).unwrap();
    let inferred = infer(&module, &options).unwrap();
    let mut text = Report::new(&module, &inferred).tree();
    for unknown in &declared.unknown {
        let _ = write!(text, "\nerror: {unknown}\n");
    }
    for finding in check(&module, &inferred, &declared.places) {
        let level = if finding.is_error() {
            "error"
        } else {
            "warning"
        };
        let _ = write!(text, "\n{level}: {finding}\n");
    }
    text
}

#[test]
fn trees_and_findings() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/effects");
    let mut paths: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.sort();
    let mut failures = String::new();
    let mut cases = 0;
    for path in paths
        .iter()
        .filter(|path| path.extension().is_some_and(|e| e == "wat" || e == "wir"))
    {
        cases += 1;
        let mut module = load(path);
        let actual = describe(&module);
        // Raw bodies and lifted ones must tell the same.
        wasmir_lift::lift_bodies(&mut module).unwrap();
        assert_eq!(
            actual,
            describe(&module),
            "{}: raw and lifted bodies differ",
            path.display()
        );
        let expected_path = path.with_extension("txt");
        if std::env::var_os("BLESS").is_some() {
            std::fs::write(&expected_path, &actual).unwrap();
            continue;
        }
        let expected = std::fs::read_to_string(&expected_path).unwrap_or_default();
        if actual != expected {
            let _ = write!(
                failures,
                "{}:\n--- expected\n{expected}--- actual\n{actual}",
                path.display()
            );
        }
    }
    assert!(cases > 0);
    assert!(failures.is_empty(), "{failures}");
}

/// A ring of `n` functions, one of which reads a clock; each may also call all others by the table.
fn chain(n: usize) -> wasmir::Module {
    let mut text = String::from(
        "(module (import \"wasi_snapshot_preview1\" \"clock_time_get\" (func $now (param i32 i64 i32) (result i32)))\n\
         (type $t (func))\n",
    );
    for i in 0..n {
        let next = (i + 1) % n;
        let reads = match i {
            0 => "(drop (call $now (i32.const 0) (i64.const 0) (i32.const 0)))",
            _ => "",
        };
        let _ = writeln!(
            text,
            "(func $f{i} {reads} (call $f{next}) (call_indirect (type $t) (i32.const 0)))"
        );
    }
    let all: String = (0..n).map(|i| format!(" $f{i}")).collect();
    let _ = writeln!(text, "(table funcref (elem{all}))");
    text.push_str("(func (export \"run\") (call $f0)))");
    wasmir_lift::lift(&wat::parse_str(&text).unwrap()).unwrap()
}

/// Ten times the functions are ten times the work; an inference that went over all targets of each call would do a hundred times.
#[test]
fn work_is_linear() {
    let steps = |n: usize| {
        let inferred = infer(&chain(n), &Options::default()).unwrap();
        assert!(!inferred.all().is_pure());
        inferred.steps()
    };
    let (small, large) = (steps(1_000), steps(10_000));
    assert!(
        small >= 1_000 && large <= small * 11,
        "{small} for 1,000 functions, {large} for 10,000"
    );
}

#[test]
fn json_has_every_part() {
    let module = load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/effects/chains.wat"));
    let inferred = infer(&module, &Options::default()).unwrap();
    let json: serde_json::Value =
        serde_json::from_str(&Report::new(&module, &inferred).json()).unwrap();
    assert_eq!(json["effects"], serde_json::json!(["io", "fs", "clock"]));
    assert_eq!(json["entries"][0]["name"], "shortest");
    assert_eq!(
        json["entries"][0]["effects"][0]["chain"][1]["function"],
        "mid"
    );
    assert_eq!(json["imports"][0]["effects"], serde_json::json!(["io"]));
}
