#![deny(wasm_recognition)]

#[wasm::linear]
pub struct Canvas(pub wasm::Handle);
