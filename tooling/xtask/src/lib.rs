//! What a contributor runs and a user never does: benchmarks, fuzzing, checks of the source tree.
//!
//! ```text
//! cargo xtask tidy                      # the rules of the house, also checked by `cargo test`
//! cargo xtask ui                        # what rustc-wasm says to a user's mistakes; --bless accepts it
//! cargo xtask bench --list
//! cargo xtask bench --only build --runs 3
//! cargo run --release -p xtask -- bench --write    # release builds on both sides, tables into docs/benchmarks.md
//! cargo xtask real-modules --only sqlite           # programs that people ship, recompiled and run
//! cargo xtask fuzz wasmir/text --seconds 600     # libFuzzer by the stable compiler; without a name, all targets in turn
//! cargo xtask conformance --suite core           # the compiler whose code generator is ours against rustc's LLVM
//! ```
//!
//! A benchmark is one file in `src/bench/`, with one type that implements [`bench::Bench`] and one line in [`bench::all`]; a suite of
//! conformance is one file in `src/conformance/`, with one type that implements [`conformance::Suite`] and one line in
//! [`conformance::all`].

use std::path::{Path, PathBuf};

pub mod bench;
pub mod conformance;
pub mod fuzz;
mod page;
mod published;
pub mod real_modules;
pub mod sanitize;
pub mod tidy;
pub mod ui;

/// The root of the source tree.
///
/// ```
/// assert!(xtask::root().join("tooling/xtask/Cargo.toml").is_file());
/// ```
pub fn root() -> PathBuf {
    // Two folders above this crate; the path is fixed when the crate is compiled, as for every tool that runs from the tree.
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here).to_path_buf()
}
