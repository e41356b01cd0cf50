//! Golden tests of the lifter: `tests/lift/*.wat` in, WasmIR text beside it out.
//!
//! `BLESS=1` writes the expectations anew. Every module is verified, and its text parses back to the same module.

use std::fmt::Write as _;
use std::path::Path;

use wasmir_lift::{LiftError, lift, lift_bodies, lift_body};

fn wat(text: &str) -> Vec<u8> {
    wat::parse_str(text).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn golden() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/lift");
    let mut paths: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "wat"));
    paths.sort();
    assert!(!paths.is_empty());
    let mut failures = String::new();
    for path in paths {
        let wasm = wat(&std::fs::read_to_string(&path).unwrap());
        let mut module = lift(&wasm).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        lift_bodies(&mut module)
            .unwrap_or_else(|(func, error)| panic!("{}: {func}: {error}", path.display()));
        // The numbering of the file serves raw bodies, of which none is left; positions are tested elsewhere.
        module.units.clear();
        for data in module.funcs.values_mut() {
            if let wasmir::FuncBody::Ir(body) = &mut data.body {
                for block in body.blocks.values_mut() {
                    block.locs.fill(wasmir::SrcLoc::NONE);
                    block.term_loc = wasmir::SrcLoc::NONE;
                }
            }
        }
        wasmir::verify_module(&module)
            .unwrap_or_else(|errors| panic!("{}: {}", path.display(), errors[0]));
        let actual = wasmir::print_module(&module).to_string();
        let again = wasmir::parse_module(&actual)
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        assert_eq!(
            actual,
            wasmir::print_module(&again).to_string(),
            "{}: print and parse disagree",
            path.display()
        );
        let expected_path = path.with_extension("wir");
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
    assert!(failures.is_empty(), "{failures}");
}

#[test]
fn positions_are_offsets_into_the_code_section() {
    // The code section starts with the count of functions; `i32.const 7` is its fourth byte.
    let wasm = wat("(module (func (result i32) i32.const 7))");
    let module = lift(&wasm).unwrap();
    let func = module.funcs.keys().next().unwrap();
    let body = lift_body(&module, func).unwrap();
    assert_eq!(body.blocks[body.layout[0]].locs, [wasmir::SrcLoc(3)]);
}

#[test]
fn what_is_not_a_module_is_refused_with_its_place() {
    let cases: &[(&[u8], &str)] = &[
        (b"", "invalid module at offset 0x0"),
        (b"\0asm\x01\0\0", "invalid module at offset"),
        (b"\0asm\x0d\0\x01\0", "this is a component"),
        // A body that returns nothing where an `i32` is due.
        (
            b"\0asm\x01\0\0\0\x01\x05\x01\x60\0\x01\x7f\x03\x02\x01\0\x0a\x04\x01\x02\0\x0b",
            "invalid module at offset 0x18",
        ),
    ];
    for (bytes, message) in cases {
        let error = lift(bytes).unwrap_err().to_string();
        assert!(error.starts_with(message), "{error}");
    }
}

#[test]
fn truncated_modules_are_refused() {
    let wasm = wat(include_str!("lift/control.wat"));
    for len in 0..wasm.len() {
        // A cut between sections may leave a valid module; anything else is refused, and nothing panics.
        if let Ok(mut module) = lift(&wasm[..len]) {
            lift_bodies(&mut module).unwrap();
        }
    }
}

#[test]
fn a_body_that_does_not_fit_its_module_is_an_error() {
    let wasm = wat("(module (func) (func call 0))");
    let mut module = lift(&wasm).unwrap();
    let caller = module.funcs.keys().nth(1).unwrap();
    let unit = module.units.keys().next().unwrap();
    module.units[unit].funcs.clear();
    let error = lift_body(&module, caller).unwrap_err();
    assert_eq!(
        error,
        LiftError::Body {
            what: "a function that is gone",
            offset: 3
        }
    );
}

/// Every byte of a raw body replaced by every value: an error or a body, never a panic.
#[test]
fn damaged_bodies_do_not_panic() {
    let wasm = wat(include_str!("lift/control.wat"));
    let module = lift(&wasm).unwrap();
    for func in module.funcs.keys() {
        let wasmir::FuncBody::Raw(raw) = &module.funcs[func].body else {
            continue;
        };
        let mut damaged = module.clone();
        for at in 0..raw.bytes.len() {
            for value in [
                0, 1, 2, 5, 0x0b, 0x0d, 0x0e, 0x10, 0x1a, 0x1f, 0x20, 0x22, 0x41, 0x7f, 0x80, 0xff,
            ] {
                let mut bytes = raw.bytes.to_vec();
                bytes[at] = value;
                let raw = wasmir::RawBody {
                    bytes: bytes.into(),
                    ..raw.clone()
                };
                damaged.funcs[func].body = wasmir::FuncBody::Raw(raw);
                let _ = lift_body(&damaged, func);
            }
        }
    }
}

#[test]
fn branches_with_many_values_hit_the_limit_instead_of_memory() {
    // Each `br_if` of three bytes carries 1,000 values.
    let values = "i32 ".repeat(1000);
    let mut text = format!("(module (func (param i32) (result {values})\n");
    for _ in 0..1000 {
        text.push_str("local.get 0 ");
    }
    for _ in 0..20_000 {
        text.push_str("local.get 0 br_if 0 ");
    }
    text.push_str("))");
    let module = lift(&wat(&text)).unwrap();
    let func = module.funcs.keys().next().unwrap();
    assert!(matches!(
        lift_body(&module, func),
        Err(LiftError::TooLarge { .. })
    ));
    // Such a module is lifted as a whole all the same: the function stays as it came.
    let mut module = module;
    lift_bodies(&mut module).unwrap();
    assert!(matches!(module.funcs[func].body, wasmir::FuncBody::Raw(_)));
}

/// Names, unknown custom sections and their places survive.
#[test]
fn names_and_custom_sections() {
    let wasm = wat(
        "(module $m (memory $mem 1) (global $g i32 (i32.const 1)) (tag $t)
            (func $f (param $p i32)) (data $d \"abc\")
            (@custom \"first\" (before first) \"1\")
            (@custom \"middle\" (after func) \"2\")
            (@custom \"last\" (after last) \"3\")
            (@producers (language \"Rust\" \"1.96\")))",
    );
    let module = lift(&wasm).unwrap();
    assert_eq!(module.name.as_deref(), Some("m"));
    assert_eq!(
        module.funcs.values().next().unwrap().symbol.name.as_deref(),
        Some("f")
    );
    assert_eq!(
        module
            .memories
            .values()
            .next()
            .unwrap()
            .symbol
            .name
            .as_deref(),
        Some("mem")
    );
    assert_eq!(
        module
            .globals
            .values()
            .next()
            .unwrap()
            .symbol
            .name
            .as_deref(),
        Some("g")
    );
    assert_eq!(
        module.tags.values().next().unwrap().symbol.name.as_deref(),
        Some("t")
    );
    assert_eq!(
        module.datas.values().next().unwrap().symbol.name.as_deref(),
        Some("d")
    );
    let locals = module.names.funcs.values().flat_map(|f| f.locals.values());
    assert_eq!(locals.collect::<Vec<_>>(), ["p"]);
    let customs: Vec<_> = module
        .customs
        .iter()
        .map(|c| (c.name.as_str(), c.place, c.bytes.to_vec()))
        .collect();
    use wasmir::SectionPlace as P;
    assert_eq!(customs[0], ("first", P::Start, b"1".to_vec()));
    assert_eq!(customs[1], ("middle", P::Function, b"2".to_vec()));
    assert!(
        customs
            .iter()
            .any(|c| c.0 == "last" && c.1 == P::Data && c.2 == b"3")
    );
    assert!(customs.iter().any(|c| c.0 == "producers"));
}

/// Raw bodies of a module that was written by hand were not validated.
#[test]
fn bodies_that_leave_too_many_values_are_refused() {
    // (i32.const 1) (i32.const 2); (if (result i32) (then twice 1) (else 2)).
    for body in [
        r"\00\41\01\41\02\0b",
        r"\00\41\00\04\7f\41\01\41\01\05\41\02\0b\0b",
    ] {
        let text = format!(
            "wasmir 1\ntype type0 = func() -> (i32)\nunit unit0 types(type0)\nfunc %f type0 raw unit0 0 \"{body}\"\n"
        );
        let mut module = wasmir::parse_module(&text).expect("it is a module");
        wasmir::verify_module(&module).expect("the bytes are operators");
        let (_, error) = lift_bodies(&mut module).expect_err("a value too many");
        assert!(
            error.to_string().contains("wrong number of values"),
            "{error}"
        );
    }
}
