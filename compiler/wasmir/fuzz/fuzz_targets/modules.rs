//! Linker, reachability and passes on generated modules.
#![no_main]

#[path = "../../tests/support/targets.rs"]
#[allow(dead_code, reason = "each target uses one of the functions")]
mod targets;
#[path = "../../tests/support/random.rs"]
mod random;

libfuzzer_sys::fuzz_target!(|seed: u64| targets::check(random::module(&mut random::Rng(seed))));
