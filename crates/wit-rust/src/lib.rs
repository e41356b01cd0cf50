//! Rust and WIT, both directions, and compatibility checks.

mod embed;
mod error;
mod model;
mod print;
mod section;
mod world;

pub use embed::{Embedded, embed_world};
pub use error::Error;
