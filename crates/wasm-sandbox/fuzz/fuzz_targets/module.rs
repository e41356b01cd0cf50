//! See `bodies.rs`.
#![no_main]

use std::sync::LazyLock;

#[path = "../bodies.rs"]
#[expect(dead_code, reason = "each target uses one body")]
mod bodies;

static RUNTIMES: LazyLock<bodies::Runtimes> = LazyLock::new(bodies::Runtimes::new);

libfuzzer_sys::fuzz_target!(|data: &[u8]| RUNTIMES.module(data));
