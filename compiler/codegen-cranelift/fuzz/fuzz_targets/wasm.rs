//! Modules and objects in WebAssembly's binary form, emitted anew.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| codegen_cranelift_fuzz::wasm(bytes));
