//! Names that people gave survive: of everything in a module whose bodies are untouched, of parameters where they are compiled anew.

use codegen_cranelift::{Options, emit_module};
use wasmir::Module;

const TEXT: &str = r#"(module $shapes
    (type $unused (func (param i64)))
    (type $point (struct (field $x i32) (field $y (mut i32)) (field i64)))
    (type $dot (func (param (ref $point)) (result i32)))
    (import "env" "log" (func $log (param $what i32)))
    (func $dead (param $nobody i32) (local $asks i32))
    (func $norm (type $dot) (param $p (ref $point)) (result i32) (local $sum i32) (local i32)
        (block $out (result i32)
            (loop $again
                (local.set $sum (struct.get $point $x (local.get $p)))
                (br_if $again (i32.eqz (local.get $sum))))
            (call $log (local.get $sum))
            (br $out (local.get $sum))))
    (func $sum (param $a i32) (param i32) (param $c i32) (result i32)
        (local $t i32)
        (local.set $t (i32.add (local.get $a) (local.get 1)))
        (i32.add (local.get $t) (local.get $c)))
    (export "norm" (func $norm))
    (export "sum" (func $sum)))"#;

fn lifted() -> (Vec<u8>, Module) {
    let wasm = wat::parse_str(TEXT).expect("the text is right");
    let module = wasmir_lift::lift(&wasm).expect("the module lifts");
    (wasm, module)
}

fn emitted(module: &Module) -> String {
    wasmir::verify_module(module).unwrap_or_else(|errors| panic!("{errors:?}"));
    let wasm = emit_module(module, &Options::default()).expect("the module is emitted");
    wasmprinter::print_bytes(wasm).expect("the module prints")
}

#[test]
fn untouched_bodies_keep_every_name() {
    let (wasm, module) = lifted();
    let original = wasmprinter::print_bytes(wasm).expect("the module prints");
    assert_eq!(emitted(&module), original);
    // Through the text and the binary form, too.
    let text = wasmir::print_module(&module).to_string();
    let parsed = wasmir::parse_module(&text).expect("the text parses");
    assert_eq!(emitted(&parsed), original);
    let decoded = wasmir::decode_module(&wasmir::encode_module(&module)).expect("it decodes");
    assert_eq!(emitted(&decoded), original);
}

#[test]
fn names_follow_what_they_name() {
    let (_, mut module) = lifted();
    let text = emitted(&module);
    assert!(text.contains("$nobody") && text.contains("$asks"), "{text}");
    wasmir::reach::run(&mut module).expect("the bodies are read");
    let text = emitted(&module);
    assert!(!text.contains("$nobody"), "{text}");
    for name in ["$what", "$sum i32", "loop $again", "$t i32", "field $y"] {
        assert!(text.contains(name), "{name} is not in\n{text}");
    }
}

/// Locals of compiled bodies have other numbers, parameters the same.
#[test]
fn compiled_bodies_keep_the_names_of_parameters() {
    let (_, mut module) = lifted();
    wasmir_lift::lift_bodies(&mut module).expect("the bodies lift");
    let text = emitted(&module);
    let sum = "(func $sum (;3;) (type 4) (param $a i32) (param i32) (param $c i32) (result i32)";
    for name in [sum, "(param $p (ref $point))", "field $x"] {
        assert!(text.contains(name), "{name} is not in\n{text}");
    }
    assert!(!text.contains("$again") && !text.contains("$t "), "{text}");
}
