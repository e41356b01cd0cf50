//! Linker and layout on modules as text.
#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| wasmir_fuzz::link(text));
