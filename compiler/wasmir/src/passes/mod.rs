//! Passes: each is a file (or folder) with a `run` that changes a body or a module and says what it did.

pub mod branch;
pub mod dce;
pub mod externref;
mod facts;
pub mod fold;
pub mod frame;
mod idle;
pub mod inline;
pub mod kept;
pub mod memory;
pub mod pipeline;
mod schedule;
mod split;
