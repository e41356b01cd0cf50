//! Rust and WIT, both directions, and compatibility checks
