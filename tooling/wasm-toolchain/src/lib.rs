//! Finds, builds and caches what WasmRust compiles with.
//!
//! ```no_run
//! use wasm_toolchain::{Environment, Progress, Target, Toolchain};
//!
//! // A rustc 1.96 with std for WASI: rustup's, the distribution's, or one completed in the cache folder.
//! let env = Environment::from_process();
//! let toolchain = Toolchain::ready(&env, &[Target::WasiP1], &Progress::new(false))?;
//! let status = toolchain.cargo(&env).args(["build", "--target", "wasm32-wasip1"]).status();
//! # Ok::<(), wasm_toolchain::Error>(())
//! ```
//!
//! * [`discover`] looks for what is installed: rustc, Cargo, the library's source, a linker, wasi-libc, `wasm-opt`.
//! * [`Toolchain::ready`] completes a rustc that lacks the WebAssembly targets, once, in `WASMRUST_HOME`.
//! * [`rustc_wasm`] builds the MIR front end from rustc's source and finds the one built before.
//! * [`setup`] installs packages as well, when allowed to; [`doctor`] reports; [`remove_unused`] frees what other versions left.
//!
//! Architecture invariant: only [`Environment::from_process`] reads the process's environment for discovery, and nothing here
//! writes outside the cache folder except the package managers that [`setup`] is told to run.

mod binaryen;
mod cache;
pub mod discover;
mod doctor;
mod environment;
mod error;
mod files;
mod overlay;
mod pgo;
mod progress;
pub mod rustc_wasm;
mod setup;
mod sysroot;
mod target;
mod toolchain;
mod unused;
mod version;
mod version_cache;
mod wasi_libc;

pub use binaryen::bring_wasm_opt;
pub use cache::Integrity;
pub use doctor::{Finding, State, doctor};
pub use environment::Environment;
pub use error::Error;
pub use files::write_whole;
pub use progress::{Progress, Step};
pub use setup::{SetupOptions, missing, setup};
pub use target::{Panic, Target};
pub use toolchain::Toolchain;
pub use unused::{Unused, remove_unused, unused};
pub use version::{RUST_RELEASE, RustcVersion};
