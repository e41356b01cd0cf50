//! What the fuzz targets check: a valid module becomes valid WebAssembly or an error that says why not, and nothing panics.

use codegen_cranelift::{Error, ErrorKind, Options, emit_module, emit_object};
use wasmir::{Module, passes::pipeline};
use wasmparser::{Validator, WasmFeatures};

/// Any bytes: what lifts is emitted anew, with and without passes.
pub fn wasm(bytes: &[u8]) {
    let Ok(mut module) = wasmir_lift::lift(bytes) else {
        return;
    };
    check(&module);
    // Relocations of objects may have no form as instructions.
    if wasmir_lift::lift_bodies(&mut module).is_ok() {
        check(&module);
        pipeline::run(&mut module, &pipeline::Options::default());
        check(&module);
    }
}

/// Any text: what is a valid module is emitted.
pub fn wir(text: &str) {
    let Ok(mut module) = wasmir::parse_module(text) else {
        return;
    };
    if wasmir::verify_module(&module).is_err() {
        return;
    }
    check(&module);
    pipeline::run(&mut module, &pipeline::Options::default());
    check(&module);
}

fn check(module: &Module) {
    let options = Options::default();
    let emitted = if module.relocatable {
        emit_object(module.clone(), &options)
    } else {
        emit_module(module, &options)
    };
    match emitted {
        Ok(bytes) => {
            let mut validator = Validator::new_with_features(WasmFeatures::all());
            if let Err(error) = validator.validate_all(&bytes) {
                panic!("{error}\n{}", wasmir::print_module(module));
            }
        }
        // What WebAssembly or the emitter does not have is said.
        Err(Error {
            kind: ErrorKind::Unsupported(_) | ErrorKind::Limit(_),
            ..
        }) => {}
        Err(error) => panic!("{error}\n{}", wasmir::print_module(module)),
    }
}
