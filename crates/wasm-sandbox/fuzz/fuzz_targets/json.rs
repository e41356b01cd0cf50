//! See the crate's `lib.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| wasm_sandbox_fuzz::json(data));
