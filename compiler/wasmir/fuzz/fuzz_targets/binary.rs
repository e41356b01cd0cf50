//! The reader of the binary form.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| wasmir_fuzz::binary(bytes));
