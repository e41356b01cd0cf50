//! Guest API of WasmRust: exports, imports, resources and WIT on stable Rust.
#![no_std]
extern crate alloc;

pub mod abi;

pub use wasm_macros::{Enum, Flags, Record, Variant, export, import};
#[cfg(feature = "wit")]
pub use wasm_macros::wit;

/// What the code that [`wit!`] writes stands on: wit-bindgen's runtime.
#[cfg(feature = "wit")]
#[doc(hidden)]
pub mod rt {
    pub use wit_bindgen::rt::*;
}
