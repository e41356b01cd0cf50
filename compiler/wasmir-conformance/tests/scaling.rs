//! Functions of extreme shapes: right answers at moderate size, valid code and bounded depth at great size.

use codegen_cranelift::{Options, emit_module};
use wasmir_conformance::shapes::Shape;
use wasmir_conformance::{engine, stages};
use wasmtime::{Instance, Module, Store};

fn emit(shape: Shape, n: usize) -> Vec<u8> {
    let module = shape
        .module(n)
        .unwrap_or_else(|e| panic!("{shape:?}({n}): {e}"));
    emit_module(&module, &Options::default()).unwrap_or_else(|e| panic!("{shape:?}({n}): {e}"))
}

/// Calls `run` of a module.
fn run(wasm: &[u8], arguments: &[u32]) -> Vec<u32> {
    let engine = wasmtime::Engine::default();
    let module = Module::new(&engine, wasm).expect("the engine takes it");
    let mut store = Store::new(&engine, ());
    let instance = Instance::new(&mut store, &module, &[]).expect("it imports nothing");
    let run = instance
        .get_typed_func::<u32, u32>(&mut store, "run")
        .expect("it is exported");
    arguments
        .iter()
        .map(|&x| run.call(&mut store, x).expect("nothing traps"))
        .collect()
}

/// Emitted from WasmIR, and once more from what was emitted.
#[test]
fn answers_are_right() {
    for shape in Shape::ALL {
        for n in [1, 2, 7, 60, 250] {
            let arguments = [0, 1, 2, 5, 59, 60, 61, 399, 400, u32::MAX];
            let expected: Vec<u32> = arguments.iter().map(|&x| shape.answer(n, x)).collect();
            let wasm = emit(shape, n);
            assert_eq!(run(&wasm, &arguments), expected, "{shape:?}({n})");
            for stage in [stages::recompile, stages::passes] {
                let again = stage(&wasm).unwrap_or_else(|e| panic!("{shape:?}({n}): {e}"));
                assert_eq!(run(&again, &arguments), expected, "{shape:?}({n}) again");
            }
        }
    }
}

/// Stacks and memory hold out; the example `scaling` measures time.
#[test]
fn great_sizes_are_emitted() {
    for shape in Shape::ALL {
        let n = shape.great() * 2;
        engine::validate(&emit(shape, n)).unwrap_or_else(|e| panic!("{shape:?}({n}): {e}"));
    }
}
