//! See the crate's `lib.rs`.
#![no_main]

use std::sync::LazyLock;

use wasm_sandbox_fuzz::Maker;

static MAKER: LazyLock<Maker> = LazyLock::new(Maker::new);

libfuzzer_sys::fuzz_target!(|data: &[u8]| MAKER.lift(data));
