#[wasm::effect(io)]
pub static X: u32 = 3;
