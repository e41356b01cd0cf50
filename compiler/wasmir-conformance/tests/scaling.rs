//! Functions of extreme shapes: right answers at moderate size, linear time and bounded depth at great size.

use codegen_cranelift::{Options, emit_module};
use wasmir_conformance::shapes::Shape;
use wasmir_conformance::{clock, engine, stages};
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

/// `SHAPE=Web` chooses one. Twice the size takes at most 2.6 times as long, whatever the shape (2.2 is the aim; a busy machine blurs it).
#[test]
fn time_is_linear() {
    // One thread, so that its clock sees all that is done.
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build();
    pool.expect("a thread can be started").install(|| {
        let wanted = std::env::var("SHAPE").unwrap_or_default();
        let all = Shape::ALL.into_iter();
        for shape in all.filter(|shape| format!("{shape:?}").contains(&wanted)) {
            let n = match shape {
                Shape::Straight => 10_000,
                // Live ranges of functions with thousands of loops in each other are widened loop by loop.
                Shape::Loops => 1_000,
                _ => 2_500,
            };
            let time = |n: usize| {
                let module = shape
                    .module(n)
                    .unwrap_or_else(|e| panic!("{shape:?}({n}): {e}"));
                let emit = || emit_module(&module, &Options::default()).expect("it is emitted");
                engine::validate(&emit()).unwrap_or_else(|e| panic!("{shape:?}({n}): {e}"));
                clock::least(3, emit)
            };
            let (once, twice) = (time(n), time(2 * n));
            let ratio = twice / once;
            println!(
                "{shape:?}: {n}: {once:.3} s, {}: {twice:.3} s, {ratio:.2}",
                2 * n
            );
            assert!(ratio < 2.6, "{shape:?}: {ratio:.2} times as long");
        }
    });
}
