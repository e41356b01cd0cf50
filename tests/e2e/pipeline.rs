//! Whole programs through WasmIR: what an unoptimised module computes, it computes after it was lifted, reduced, inlined, freed of
//! its frames and emitted anew. The original in the same engine is the oracle.

use crate::support::{Output, cargo_wasm, root, set_up, shared_target, stripped};
use codegen_cranelift::module::{Options, emit_module};
use wasmir::passes::pipeline;
use wasmtime::{Engine, Instance, Module, Store};

/// Each kernel with an argument that makes it visit all of its code in well under a second, unoptimised.
const KERNELS: [(&str, i32); 8] = [
    ("sieve", 20),
    ("matmul", 12),
    ("nbody", 40),
    ("sha256", 2),
    ("sort", 4),
    ("words", 8),
    ("mandelbrot", 24),
    ("dispatch", 3),
];

fn kernels(profile: &str) -> Vec<u8> {
    set_up();
    let mut command = cargo_wasm();
    command
        .current_dir(root())
        .args(["build", "--quiet", "tests/fixtures/kernels", "--target-dir"])
        .arg(shared_target());
    if profile == "release" {
        command.arg("--release");
    }
    Output::of(&mut command).succeeded();
    let core = format!("wasm32-unknown-unknown/{profile}/kernels.wasm");
    std::fs::read(shared_target().join(core)).expect("Cargo's own artefact")
}

/// Lifts every body, runs the passes of a build and emits the module.
fn through_wasmir(bytes: &[u8], passes: bool) -> Vec<u8> {
    let mut module = wasmir_lift::lift(bytes).expect("a valid module is lifted");
    wasmir::reach::run(&mut module).expect("bodies can be read");
    wasmir_lift::lift_bodies(&mut module).expect("valid bodies are lifted");
    if passes {
        let stats = pipeline::run(&mut module, &pipeline::Options::default());
        assert!(stats.calls > 0, "{stats:?}");
        wasmir::reach::run(&mut module).expect("bodies can be read");
    }
    wasmir::verify_module(&module).unwrap_or_else(|errors| panic!("{errors:?}"));
    let emitted = emit_module(&module, &Options::default()).expect("the module is emitted");
    wasmparser::validate(&emitted).expect("what is emitted is valid");
    emitted
}

/// What each kernel answers.
fn answers(bytes: &[u8]) -> Vec<(&'static str, i64)> {
    let engine = Engine::default();
    let module = Module::new(&engine, bytes).expect("the module compiles");
    let mut store = Store::new(&engine, ());
    let instance = Instance::new(&mut store, &module, &[]).expect("it imports nothing");
    KERNELS
        .iter()
        .map(|&(name, n)| {
            let kernel = instance
                .get_typed_func::<i32, i64>(&mut store, name)
                .unwrap_or_else(|e| panic!("{name}: {e:#}"));
            let answer = kernel
                .call(&mut store, n)
                .unwrap_or_else(|e| panic!("{name}({n}): {e:#}"));
            (name, answer)
        })
        .collect()
}

#[test]
fn unoptimised_kernels_answer_the_same_and_shrink() {
    let original = kernels("debug");
    let expected = answers(&original);
    let emitted = through_wasmir(&original, false);
    assert_eq!(answers(&emitted), expected, "without passes");
    let optimised = through_wasmir(&original, true);
    assert_eq!(answers(&optimised), expected, "with passes");
    let (before, after) = (stripped(&original), stripped(&optimised));
    assert!(after * 100 <= before * 65, "{after} of {before} bytes");
}

#[test]
fn optimised_kernels_answer_the_same() {
    let original = kernels("release");
    let expected = answers(&original);
    assert_eq!(
        answers(&through_wasmir(&original, false)),
        expected,
        "without passes"
    );
    assert_eq!(
        answers(&through_wasmir(&original, true)),
        expected,
        "with passes"
    );
}

#[test]
fn the_same_module_gives_the_same_bytes() {
    let original = kernels("debug");
    let first = through_wasmir(&original, true);
    let one_thread = rayon::ThreadPoolBuilder::new()
        .num_threads(1)
        .build()
        .expect("a pool")
        .install(|| through_wasmir(&original, true));
    assert!(
        first == one_thread,
        "the number of threads shows in the output"
    );
}
