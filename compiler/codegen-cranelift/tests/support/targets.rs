//! What is checked for one input. This runs under `cargo xtask fuzz` and, with fixed seeds, in the tests.
//!
//! A valid module becomes valid WebAssembly, or an error says what there is no lowering for; nothing panics.

use codegen_cranelift::{Error, ErrorKind, Options, emit_module, emit_object};
use wasmir::{DataData, DataKind, FuncBody, Module, passes::pipeline};
use wasmparser::{Validator, WasmFeatures};

/// Any bytes: what lifts is emitted anew, with and without passes.
pub(crate) fn wasm(bytes: &[u8]) {
    let Ok(mut module) = wasmir_lift::lift(bytes) else {
        return;
    };
    let whole = !module.relocatable;
    check(&module, whole);
    // Relocations of objects may have no form as instructions.
    if wasmir_lift::lift_bodies(&mut module).is_ok() {
        check(&module, whole);
        pipeline::run(&mut module, &pipeline::Options::default());
        check(&module, whole);
    }
}

/// Any text: what is a valid module is emitted.
pub(crate) fn wir(text: &str) {
    let Ok(mut module) = wasmir::parse_module(text) else {
        return;
    };
    if wasmir::verify_module(&module).is_err() {
        return;
    }
    // Raw bodies are copied; what they are is known when they are lifted.
    let raw = (module.funcs.values()).any(|func| matches!(func.body, FuncBody::Raw(_)));
    if raw {
        let _ = emit(&module);
        if wasmir_lift::lift_bodies(&mut module).is_err() || wasmir::verify_module(&module).is_err()
        {
            return;
        }
    }
    check(&module, false);
    pipeline::run(&mut module, &pipeline::Options::default());
    check(&module, false);
}

/// Zeros that an object writes out cost memory for a few digits in a text.
const MAX_DATA: u64 = 1 << 24;

/// Emits a module, unless it has too much data.
fn emit(module: &Module) -> Option<Result<Vec<u8>, Error>> {
    let size = |data: &DataData| match data.kind {
        DataKind::Symbol { size, .. } => u64::from(size),
        _ => 0,
    };
    if module.datas.values().map(size).sum::<u64>() > MAX_DATA {
        return None;
    }
    let options = Options::default();
    Some(if module.relocatable {
        emit_object(module.clone(), &options)
    } else {
        emit_module(module, &options)
    })
}

/// Emits a module. One that is `whole` leaves nothing to a linker: only what has no lowering may be refused.
fn check(module: &Module, whole: bool) {
    let Some(emitted) = emit(module) else {
        return;
    };
    match emitted {
        Ok(bytes) => {
            let mut validator = Validator::new_with_features(WasmFeatures::all());
            if let Err(error) = validator.validate_all(&bytes) {
                panic!("{error}\n{}", wasmir::print_module(module));
            }
        }
        Err(Error {
            kind: ErrorKind::Unsupported(_) | ErrorKind::Limit(_),
            ..
        }) => {}
        Err(error) if whole => panic!("{error}\n{}", wasmir::print_module(module)),
        // A symbol that nothing defines, relocations that contradict the code.
        Err(_) => {}
    }
}
