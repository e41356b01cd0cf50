//! See the crate's `lib.rs`.
#![no_main]

use std::sync::LazyLock;

use wasm_sandbox_fuzz::Runtimes;

static RUNTIMES: LazyLock<Runtimes> = LazyLock::new(Runtimes::new);

libfuzzer_sys::fuzz_target!(|data: &[u8]| RUNTIMES.module(data));
