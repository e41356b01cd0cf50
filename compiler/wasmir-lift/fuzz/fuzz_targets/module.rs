//! The lifter on any bytes: modules and relocatable objects.
#![no_main]

#[path = "../../tests/support/targets.rs"]
mod targets;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| targets::bytes(bytes));
