#[wasm::effect(fs)]
pub use std::fs::File;
