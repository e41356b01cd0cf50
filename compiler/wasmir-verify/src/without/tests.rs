//! Small programs without an effect: what is left of them, and which are refused.

use super::*;
use crate::infer::{Options, infer};

const IMPORTS: &str = r#"
    (import "wasi_snapshot_preview1" "sock_send"
      (func $send (param i32 i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "clock_time_get"
      (func $now (param i32 i64 i32) (result i32)))
    (import "wasi_snapshot_preview1" "fd_write"
      (func $write (param i32 i32 i32 i32) (result i32)))
    (func $net (drop (call $send (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0))))
    (func $clock (drop (call $now (i32.const 0) (i64.const 0) (i32.const 0))))"#;

/// Takes `effects` out of a program and gives the module's text, or the error's.
fn without_effects(functions: &str, effects: &[&str]) -> Result<(Removed, String), String> {
    let wat = format!("(module {IMPORTS} {functions})");
    let bytes = wat::parse_str(&wat).unwrap();
    let mut module = wasmir_lift::lift(&bytes).unwrap();
    let options = Options::default();
    let inferred = infer(&module, &options).unwrap();
    let unwanted: EffectSet = effects
        .iter()
        .map(|name| inferred.effects.find(name).unwrap())
        .collect();
    for func in affected(&module, &inferred, unwanted) {
        let body = wasmir_lift::lift_body(&module, func).unwrap();
        module.funcs[func].body = FuncBody::Ir(Box::new(body));
    }
    let removed = without(&mut module, &inferred, unwanted).map_err(|error| error.to_string())?;
    wasmir::reach::run(&mut module).unwrap();
    wasmir::verify_module(&module).unwrap();
    let left = infer(&module, &options).unwrap();
    assert!(left.all().intersection(unwanted).is_pure(), "{left:?}");
    Ok((removed, wasmir::print_module(&module).to_string()))
}

#[test]
fn one_branch_goes_and_the_other_stays() {
    let (removed, text) = without_effects(
        r#"(func (export "run") (param i32) (result i32)
             (if (local.get 0) (then (call $net) (call $clock)))
             (i32.const 7))"#,
        &["net"],
    )
    .unwrap();
    assert_eq!(
        removed,
        Removed {
            imports: 1,
            operators: 0,
            doomed: 1
        }
    );
    assert!(
        !text.contains("import"),
        "the clock was only asked behind the net\n{text}"
    );
    assert!(text.contains("wasm_effect_removed::net"), "{text}");
}

#[test]
fn an_export_without_another_way_is_refused_with_its_chain() {
    for body in [
        "(call $net)",
        "(if (local.get 0) (then (call $net)) (else (call $net) (call $clock)))",
        // The other way ends in a trap of its own.
        "(if (local.get 0) (then (call $net)) (else unreachable))",
    ] {
        let functions = format!(r#"(func $run (export "run") (param i32) {body})"#);
        let error = without_effects(&functions, &["net"]).unwrap_err();
        assert_eq!(
            error,
            "`run` needs the effect `net` on every path: run → net → wasi_snapshot_preview1::sock_send"
        );
    }
}

#[test]
fn a_circle_is_another_way() {
    let (removed, _) = without_effects(
        r#"(func (export "run") (param i32)
             (loop $again
               (if (local.get 0) (then (call $net)))
               (br $again)))"#,
        &["net"],
    )
    .unwrap();
    assert_eq!(removed.doomed, 1, "only `net` itself");
}

#[test]
fn doom_goes_up_through_callers_and_recursion() {
    // The least fixpoint: a call of oneself is a way out until the others are known not to be.
    let recursive = without_effects(
        r#"(func $down (param i32)
             (if (local.get 0) (then (call $down (i32.const 0))) (else (call $net))))
           (func (export "run") (call $down (i32.const 4)))"#,
        &["net"],
    );
    assert!(recursive.is_ok(), "{recursive:?}");
    let error = without_effects(
        r#"(func $a (call $net)) (func $b (call $a)) (func $c (call $b))
           (func $run (export "run") (call $clock) (call $c))"#,
        &["net"],
    )
    .unwrap_err();
    assert!(
        error.starts_with("`run` needs the effect `net` on every path: run → c"),
        "{error}"
    );
}

#[test]
fn what_a_table_holds_traps_when_it_is_called() {
    let (removed, text) = without_effects(
        r#"(table funcref (elem $net $clock)) (type $t (func))
           (func (export "run") (param i32) (call_indirect (type $t) (local.get 0)))"#,
        &["net"],
    )
    .unwrap();
    assert_eq!(removed.imports, 1);
    assert!(
        text.contains("clock_time_get")
            && !text.contains("import \"wasi_snapshot_preview1\" \"sock_send\""),
        "{text}"
    );
}

#[test]
fn operators_are_taken_out_too() {
    let program = r#"(memory 1)
        (func (export "run") (param i32) (result i32)
          (if (result i32) (local.get 0)
            (then (memory.grow (i32.const 1)))
            (else (i32.const 3))))"#;
    let (removed, text) = without_effects(program, &["memory_grow"]).unwrap();
    assert_eq!(removed.operators, 1);
    assert!(!text.contains("memory.grow"), "{text}");
    let always =
        r#"(memory 1) (func $run (export "run") (result i32) (memory.grow (i32.const 1)))"#;
    let error = without_effects(always, &["memory_grow"]).unwrap_err();
    assert_eq!(
        error,
        "`run` needs the effect `memory_grow` on every path: run (`memory.grow`)"
    );
}

#[test]
fn what_only_the_host_knows_cannot_be_taken_out() {
    let error = without_effects(
        r#"(type $t (func))
           (func $run (export "run") (param (ref $t)) (call_ref $t (local.get 0)))"#,
        &["host"],
    )
    .unwrap_err();
    assert!(
        error.starts_with("the effect `host` cannot be taken out: run"),
        "{error}"
    );
}

#[test]
fn where_there_is_a_standard_error_the_trap_says_why() {
    let program = r#"(memory 1)
        (global $__stack_pointer (mut i32) (i32.const 1024))
        (func $run (export "run") (param i32)
          (if (local.get 0) (then (call $net)))
          (drop (call $write (i32.const 1) (i32.const 0) (i32.const 0) (i32.const 0))))"#;
    let (_, text) = without_effects(program, &["net"]).unwrap();
    let first = u64::from_le_bytes(*b"this bui");
    assert!(text.contains(&first.to_string()), "{text}");
    let error = without_effects(program, &["io"]).unwrap_err();
    assert!(
        error.starts_with("`run` needs the effect `io` on every path"),
        "{error}"
    );
}
