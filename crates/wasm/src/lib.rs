//! Guest API of WasmRust: exports, imports, resources and WIT on stable Rust.
#![no_std]
extern crate alloc;

pub mod abi;

pub use wasm_macros::{Enum, Flags, Record, Variant, export, import};
