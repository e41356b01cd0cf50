//! The scanner of raw bodies.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| wasmir_fuzz::raw(bytes));
