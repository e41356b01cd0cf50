//! Modules and objects in WasmIR's text form.
#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| codegen_cranelift_fuzz::wir(text));
