#[wasm::effect(fs)]
fn get(x: u32) -> u32;
