#![deny(wasm_recognition)]

#[wasm::effect(net)]
pub fn left_over() {}

#[unsafe(no_mangle)]
pub extern "C" fn run() {}
