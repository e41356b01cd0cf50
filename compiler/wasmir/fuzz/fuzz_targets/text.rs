//! The text form and all that follows from a parsed module.
#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| wasmir_fuzz::text(text));
