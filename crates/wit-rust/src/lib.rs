//! Rust and WIT, both directions, and compatibility checks.
//!
//! * [`embed_world`]: a core module whose Rust was annotated with the `wasm` crate's macros → the module with its world embedded, ready for
//!   wit-component, and the WIT as text.
//! * [`compare`]: whether a new world can take an old one's place.
//! * `generate_rust` (feature `generate`): WIT → Rust bindings.
//!
//! # Invariants
//!
//! The library does no input or output. Modules, sections and WIT texts are untrusted: they cause errors, never panics, and memory stays
//! linear in their size. The same input gives the same output.

mod compatibility;
mod embed;
mod error;
#[cfg(feature = "generate")]
mod generate;
mod model;
mod print;
mod section;
mod world;

pub use compatibility::{Change, Report, Side, What, compare, compare_worlds};
pub use embed::{Embedded, embed_world};
pub use error::Error;
#[cfg(feature = "generate")]
pub use generate::generate_rust;
