//! Linker, reachability and passes on generated modules.
#![no_main]

libfuzzer_sys::fuzz_target!(|seed: u64| wasmir_fuzz::modules(seed));
