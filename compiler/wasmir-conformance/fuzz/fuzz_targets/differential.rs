//! A module of `wasm-smith`'s against what the pipeline makes of it, with and without the passes of a build: run by the engine, both
//! must do the same.
#![no_main]

use wasmir_conformance::{Transform, differential, generate, stages};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let (Some(module), Some(seed)) = (generate::module_of(bytes), bytes.first_chunk()) else {
        return;
    };
    let both: [(&str, &Transform<'_>); 2] = [
        ("recompile", &stages::recompile),
        ("passes", &stages::passes),
    ];
    for (name, stage) in both {
        if let Err(difference) = differential::compare(&module, u64::from_le_bytes(*seed), stage) {
            panic!("{name}: {difference}");
        }
    }
});
